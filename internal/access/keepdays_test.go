package access

import (
	"errors"
	"strings"
	"testing"

	"github.com/belfry-push/belfry/internal/document/documenttest"
	"github.com/belfry-push/belfry/internal/push"
)

// TestKeepDays: what a deployment keeps is the default and the most, wherever somebody sets it.
func TestKeepDays(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	docs := &documenttest.Memory{}
	d := New(docs, nil).KeepFor(30)
	refused := func(where string, err error, want string) {
		t.Helper()
		faults, ok := errors.AsType[push.Faults](err)
		if !ok || len(faults) != 1 || faults[0].Pointer != "/settings/keep_days" || !strings.Contains(faults[0].Detail, want) {
			t.Errorf("%s: %v", where, err)
		}
	}
	days := func(n int64) Settings { return Settings{KeepDays: &n} }
	_, err := d.SetPlatform(ctx, days(31), "x")
	refused("the platform", err, "must be 3 to 30 (got 31): this deployment keeps no notification for more than 30 days")
	_, err = d.CreateTenant(ctx, Tenant{Name: "acme", Profile: Profile{Settings: days(2)}}, "x")
	refused("a tenant", err, "must be 3 to 3650 (got 2)")
	if _, err := d.CreateTenant(ctx, Tenant{Name: "acme", Profile: Profile{Settings: days(7)}}, "x"); err != nil {
		t.Fatal(err)
	}
	_, err = d.ChangeTenant(ctx, "acme", func(t *Tenant) error { t.Settings = days(31); return nil })
	refused("a tenant's change", err, "BELFRY_KEEP_NOTIFICATIONS raises that")
	_, err = d.CreateApp(ctx, App{Tenant: "acme", Name: "shop", Profile: Profile{Settings: days(31)}}, "x")
	refused("an app", err, "got 31")

	effective := func(d *Directory, tenant string, want int64, from string) {
		t.Helper()
		e, err := d.Effective(ctx, tenant, "")
		if err != nil || *e.KeepDays != want || e.From["keep_days"] != from {
			t.Errorf("%s keeps for %d days, from %s, %v; want %d from %s", tenant, *e.KeepDays, e.From["keep_days"], err, want, from)
		}
	}
	effective(d, "acme", 7, FromTenant)
	effective(d, DefaultName, 30, FromBuiltin)
	effective(New(docs, nil).KeepFor(5), "acme", 5, FromTenant) // a deployment that keeps less now
	effective(New(docs, nil).KeepFor(0), "acme", 7, FromTenant) // and one that keeps for ever
	effective(New(docs, nil).KeepFor(0), DefaultName, 0, FromBuiltin)
	if _, err := New(docs, nil).KeepFor(0).SetPlatform(ctx, days(3650), "x"); err != nil {
		t.Error(err)
	}
}
