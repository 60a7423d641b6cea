package privacy_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/privacy"
	"github.com/belfry-push/belfry/internal/push"
)

// TestRestoredBackup: a receipt erases again, in a state of before, whom it is of.
func TestRestoredBackup(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		want := populate(w)
		q, err := w.Start(t.Context(), privacy.Order{Tenant: "acme", Action: privacy.Erase, Subject: privacy.Subject{UserID: "alice"}})
		w.must(err)
		receipt := w.execute("acme", q.ID).Receipt

		old := newWorld(t)
		for _, name := range []string{"hash", "signature"} { // the backup was made after the first start
			d, err := w.docs.Document(t.Context(), "privacy-key", name)
			w.must(err)
			stored, err := old.docs.Document(t.Context(), "privacy-key", name)
			w.must(err)
			d.Version = stored.Version + 1
			w.must(old.docs.PutDocument(t.Context(), d))
		}
		old.keys = w.keys
		old.restart("p1")
		populate(old)
		again, err := old.Start(t.Context(), privacy.Order{Tenant: "acme", Action: privacy.Erase, Receipt: receipt})
		w.must(err)
		again = old.execute("acme", again.ID)
		if again.Counts != want || again.Subject.UserID != "" {
			t.Errorf("counts\n%+v, want\n%+v", again.Counts, want)
		}
		gone(t, old)

		forged := *receipt
		forged.Hashes = append([]privacy.Hash{{1}}, forged.Hashes...)
		for name, o := range map[string]privacy.Order{
			"forged":    {Tenant: "acme", Action: privacy.Erase, Receipt: &forged},
			"another's": {Tenant: "other", Action: privacy.Erase, Receipt: receipt},
			"an export": {Tenant: "acme", Action: privacy.Export, Receipt: receipt},
			"and names": {Tenant: "acme", Action: privacy.Erase, Receipt: receipt, Subject: privacy.Subject{UserID: "bob"}},
		} {
			if _, err := old.Start(t.Context(), o); err == nil {
				t.Errorf("%s is taken", name)
			} else if faults, ok := errors.AsType[push.Faults](err); !ok || faults[0].Pointer != "/receipt" {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// TestManyBury: processes that bury at the same time lose no tombstone, and every process learns
// of all of them within the time that is promised.
func TestManyBury(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		const processes, each = 4, 150 // more than one block
		watcher := privacy.NewTombstones(&w.docs, w.keys, zap.NewNop(), time.Now)
		w.must(watcher.Current(t.Context()))
		var all sync.WaitGroup
		for p := range processes {
			all.Go(func() {
				list := privacy.NewTombstones(&w.docs, w.keys, zap.NewNop(), time.Now)
				for i := range each {
					if err := list.Bury(t.Context(), "acme", "prv_1", []privacy.Hash{w.keys.User("acme", fmt.Sprint(p, " ", i))}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		time.Sleep(privacy.StaleAfter)
		w.must(watcher.Current(t.Context()))
		for p := range processes {
			for i := range each {
				r := push.Recipient{UserID: fmt.Sprint(p, " ", i)}
				if !watcher.Erased("acme", &r, time.Now()) || watcher.Erased("other", &r, time.Now()) {
					t.Fatalf("user %q is not erased, or in another tenant too", r.UserID)
				}
			}
		}
	})
}

// TestStoreAway: what is known is gone by for five seconds, and not for longer.
func TestStoreAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		away := &flaky{Store: &w.docs}
		list := privacy.NewTombstones(away, w.keys, zap.NewNop(), time.Now)
		w.must(list.Current(t.Context()))
		away.err = errors.New("away")
		time.Sleep(privacy.StaleAfter - time.Second)
		w.must(list.Current(t.Context()))
		time.Sleep(2 * time.Second)
		if err := list.Current(t.Context()); !errors.Is(err, away.err) {
			t.Errorf("after %v: %v", privacy.StaleAfter, err)
		}
		fresh := privacy.NewTombstones(away, w.keys, zap.NewNop(), time.Now)
		if err := fresh.Current(t.Context()); !errors.Is(err, away.err) {
			t.Errorf("that was never read: %v", err)
		}
	})
}
