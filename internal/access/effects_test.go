package access_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/document/documenttest"
)

// Many apps of a tenant cost a read each, and not one for every level that they inherit from; a change at any level holds
// within access.CacheFor.
func TestEffectsOfManyApps(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var reads atomic.Int64
		docs := &documenttest.Memory{}
		d := access.New(docs, nil)
		const apps = 100
		name := func(i int) string { return fmt.Sprint("app-", i) }
		for i := range apps {
			must[access.App](t)(d.CreateApp(t.Context(), access.App{Tenant: "default", Name: name(i)}, "me"))
		}
		e, err := access.NewEffects(access.New(documenttest.Around{Store: docs, Do: func(_ string, effect func() error) error {
			reads.Add(1)
			return effect()
		}}, nil))
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		all := func(want int64) {
			t.Helper()
			for i := range apps {
				s, err := e.Of(t.Context(), "default", name(i))
				if err != nil || *s.Weight != want {
					t.Fatalf("%s: weight %d, %v, want %d", name(i), *s.Weight, err, want)
				}
			}
		}
		all(1)
		if got := reads.Load(); got > apps+2 {
			t.Errorf("%d reads for %d apps", got, apps)
		}
		if all(1); reads.Load() > apps+2 {
			t.Errorf("%d reads for what was just read", reads.Load())
		}
		if _, err := d.SetPlatform(t.Context(), access.Settings{Weight: new(int64(7))}, "me"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(access.CacheFor)
		all(7)
	})
}
