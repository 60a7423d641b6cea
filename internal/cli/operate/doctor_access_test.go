package operate

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/audit"
	"github.com/belfry-push/belfry/internal/audit/audittest"
	"github.com/belfry-push/belfry/internal/audit/journal"
	"github.com/belfry-push/belfry/internal/cli/clitest"
	"github.com/belfry-push/belfry/internal/cli/display"
	"github.com/belfry-push/belfry/internal/credential"
	"github.com/belfry-push/belfry/internal/doctor"
	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/document/documenttest"
)

// now is when the doctor looks.
func now() time.Time { return time.Date(2026, 12, 1, 9, 30, 0, 0, time.UTC) }

// ward is an installation of which a doctor has much to say.
func ward(t *testing.T) doctor.Door {
	t.Helper()
	docs, log := &documenttest.Memory{}, &audittest.Memory{}
	put := func(kind, name string, v any) {
		t.Helper()
		if err := document.Save(t.Context(), docs, kind, name, 1, v, now()); err != nil {
			t.Fatal(err)
		}
	}
	ago := func(days int) time.Time { return now().AddDate(0, 0, -days) }
	for _, name := range []string{"acme", "lacking", "globex"} {
		put(access.KindTenant, name, access.Tenant{Name: name})
	}
	for _, k := range []access.Key{
		{ID: "revoked00000", Tenant: "default", Role: access.RoleOwner, CreatedAt: ago(300), RevokedAt: ago(100)},
		{ID: "narrow000000", Tenant: "default", Role: access.RoleViewer, CreatedAt: ago(300), UsedAt: ago(1)},
		{ID: "expired00000", Tenant: "acme", Name: "nightly job", CreatedAt: ago(300), ExpiresAt: ago(2)},
		{ID: "rotated00000", Tenant: "acme", CreatedAt: ago(300), ExpiresAt: ago(2)},
		{ID: "current00000", Tenant: "acme", CreatedAt: ago(3), Replaces: "rotated00000"},
		{ID: "expiring0000", Tenant: "acme", CreatedAt: ago(300), UsedAt: ago(1), ExpiresAt: ago(-13)},
		{ID: "lasting00000", Tenant: "acme", CreatedAt: ago(300), UsedAt: ago(1), ExpiresAt: ago(-15)},
		{ID: "unused000000", Tenant: "globex", CreatedAt: ago(300), UsedAt: ago(91)},
		{ID: "never0000000", Tenant: "globex", CreatedAt: ago(8)},
		{ID: "new000000000", Tenant: "globex", CreatedAt: ago(6)},
		{ID: "orphan000000", Tenant: "deleted", CreatedAt: ago(300)},
	} {
		put(access.KindKey, k.ID, k)
	}
	put(credential.Kind, "acme/default", map[string]any{"serial": "s", "sealed": credential.Sealed{KeyID: "local:0123456789ab"}})
	key, err := audit.NewKeyring(must(journal.NewKey()))
	if err != nil {
		t.Fatal(err)
	}
	b := audit.Block{Tenant: access.DefaultName, First: 1, Head: audit.Head{Tenant: access.DefaultName, Seq: 1}}
	key.Sign(&b.Head)
	if err := log.AppendAudit(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	return doctor.Door{
		Listen: "0.0.0.0:8080", Beyond: true, RequireKey: new(false), Now: now,
		Open: func(context.Context) (doctor.Stored, error) {
			return doctor.Stored{Documents: docs, Audit: log, Close: func() error { return nil }}, nil
		},
		Ring: func(context.Context) (*credential.Ring, error) { return credential.NewRing("", nil) },
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// Everything that is wrong with keys is said at 80 columns and as JSON, each with a remedy; what is in order is not.
func TestDoctorOnKeys(t *testing.T) {
	t.Parallel()
	report := doctor.Run(t.Context(), doctor.Access(ward(t)))
	for name, args := range map[string][]string{"doctor-keys.txt": {"doctor"}, "doctor-keys.json": {"doctor", "-o", "json"}} {
		var out, errs bytes.Buffer
		code := program(&services{report: report}).Run(t.Context(), args, &display.Console{Out: &out, Err: &errs, Width: 80})
		clitest.Result{Code: code, Out: out.String(), Err: errs.String()}.Expect(t, display.ExitFailure)
		clitest.Golden(t, name, out.String())
		if name == "doctor-keys.txt" {
			clitest.Fits(t, "doctor", out.String(), 80)
		}
	}
	for _, r := range report.Results {
		if r.Remedy == "" && r.Status != doctor.StatusOK {
			t.Errorf("no remedy: %+v", r)
		}
		for _, silent := range []string{"revoked", "narrow", "rotated", "current", "lasting", "new0", "orphan"} {
			if strings.Contains(r.Detail, silent) {
				t.Errorf("%s is in order: %+v", silent, r)
			}
		}
	}
}

// What the doctor says of the entrance and of the audit log's key, setting by setting.
func TestDoctorOnTheEntrance(t *testing.T) {
	t.Parallel()
	secret := audit.FormatSecret(must(journal.NewKey()))
	for name, c := range map[string]struct {
		change func(d *doctor.Door)
		result string
		status doctor.Status
		says   string
	}{
		"open beyond":       {func(*doctor.Door) {}, "entrance", doctor.StatusFailed, "does not start"},
		"beyond":            {func(d *doctor.Door) { d.RequireKey = nil }, "entrance", doctor.StatusOK, "every request needs a key"},
		"a key of settings": {func(d *doctor.Door) { d.KeySet = true }, "entrance", doctor.StatusOK, "BELFRY_API_KEY"},
		"open on loopback":  {func(d *doctor.Door) { d.Beyond, d.RequireKey = false, nil }, "entrance", doctor.StatusWarning, "7 keys are live"},
		"closed":            {func(d *doctor.Door) { d.Beyond, d.RequireKey = false, new(true) }, "entrance", doctor.StatusOK, "needs a key"},
		"another audit key": {func(d *doctor.Door) { d.AuditKey = secret }, "audit key", doctor.StatusWarning, "not in BELFRY_AUDIT_KEY"},
		"no audit key":      {func(d *doctor.Door) { d.AuditKey = "x" }, "audit key", doctor.StatusFailed, "audit key 1"},
		"a bad seal key": {func(d *doctor.Door) {
			d.Ring = func(context.Context) (*credential.Ring, error) { return credential.NewRing("x", nil) }
		}, "credentials of apps", doctor.StatusFailed, "key 1 must be base64"},
		"nothing to read": {func(d *doctor.Door) {
			d.Open = func(context.Context) (doctor.Stored, error) { return doctor.Stored{}, errors.New("torn") }
		}, "API keys", doctor.StatusSkipped, "torn"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := ward(t)
			c.change(&d)
			results := doctor.Access(d)(t.Context())
			for _, r := range results {
				if r.Name == c.result && r.Status == c.status && strings.Contains(r.Detail, c.says) {
					return
				}
			}
			t.Errorf("no %s %s with %q in %+v", c.result, c.status, c.says, results)
		})
	}
}
