package access_test

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/document/documenttest"
)

// shown collects the keys that starting processes showed.
type shown struct {
	mu    sync.Mutex
	texts []string
}

func (s *shown) show(text string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.texts = append(s.texts, text)
	return nil
}

// liveKeys returns the ids of the live keys of the default tenant.
func liveKeys(t *testing.T, d *access.Directory) (ids []string) {
	t.Helper()
	for _, k := range must[[]access.Key](t)(d.Keys(t.Context(), access.DefaultName)) {
		if k.Live(time.Now()) {
			ids = append(ids, k.ID)
		}
	}
	return ids
}

// TestFirstKey: of many processes that start at once one makes a key, and none does later.
func TestFirstKey(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		docs, seen := &documenttest.Memory{}, &shown{}
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				if err := access.New(docs, nil).FirstKey(t.Context(), seen.show); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		d := access.New(docs, nil)
		if err := d.FirstKey(t.Context(), seen.show); err != nil || len(seen.texts) != 1 {
			t.Fatalf("%d keys were shown, %v; want one", len(seen.texts), err)
		}
		id, err := access.ParseKey(seen.texts[0])
		if live := liveKeys(t, d); err != nil || len(live) != 1 || live[0] != id {
			t.Errorf("live are %v (%v), shown was %s", live, err, id)
		}
		if !must[bool](t)(d.HasOperatorKey(t.Context())) {
			t.Error("the first key is not the operator's")
		}
	})
}

// TestFirstKeyAfterCrash: a start that ends before anybody saw the key leaves nobody locked out, and
// no live key that nobody may have.
func TestFirstKeyAfterCrash(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		docs, seen := &documenttest.Memory{}, &shown{}
		cut := errors.New("cut short")
		if err := access.New(docs, nil).FirstKey(t.Context(), func(string) error { return cut }); !errors.Is(err, cut) {
			t.Fatal(err)
		}
		began := time.Now()
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() {
				if err := access.New(docs, nil).FirstKey(t.Context(), seen.show); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if took := time.Since(began); took < 9*time.Second || took > time.Minute {
			t.Errorf("the claim was waited for %v, want about ten seconds", took)
		}
		if live := liveKeys(t, access.New(docs, nil)); len(seen.texts) != 1 || len(live) != 1 {
			t.Errorf("%d keys were shown, %v are live; want one", len(seen.texts), live)
		}
	})
}

// TestFirstKeyOvertaken: a process that was stopped while it made the first key ends its own when
// it finds another's.
func TestFirstKeyOvertaken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		docs, seen := &documenttest.Memory{}, &shown{}
		err := access.New(docs, nil).FirstKey(t.Context(), func(string) error {
			return access.New(docs, nil).FirstKey(t.Context(), seen.show) // meanwhile, elsewhere
		})
		if err != nil {
			t.Fatal(err)
		}
		id, err := access.ParseKey(seen.texts[0])
		if live := liveKeys(t, access.New(docs, nil)); err != nil || len(live) != 1 || live[0] != id {
			t.Errorf("live are %v (%v), want %s alone", live, err, id)
		}
	})
}

// TestFirstKeyCutAtEachWrite: wherever a process ends while it makes the first key, the next start
// leaves exactly one live key, which somebody has seen.
func TestFirstKeyCutAtEachWrite(t *testing.T) {
	t.Parallel()
	const writes = 3 // claim, key, shown
	for cut := range writes {
		synctest.Test(t, func(t *testing.T) {
			docs, seen, done, gone := &documenttest.Memory{}, &shown{}, 0, errors.New("killed")
			dying := documenttest.Around{Store: docs, Do: func(op string, effect func() error) error {
				if op == "PutDocument" {
					if done++; done > cut {
						return gone
					}
				}
				return effect()
			}}
			if err := access.New(dying, nil).FirstKey(t.Context(), seen.show); !errors.Is(err, gone) {
				t.Fatalf("cut after %d writes: %v", cut, err)
			}
			d := access.New(docs, nil)
			if err := d.FirstKey(t.Context(), seen.show); err != nil {
				t.Fatal(err)
			}
			id, err := access.ParseKey(seen.texts[len(seen.texts)-1])
			if live := liveKeys(t, d); err != nil || len(live) != 1 || live[0] != id {
				t.Errorf("cut after %d writes: live are %v (%v), last shown was %s", cut, live, err, id)
			}
		})
	}
}
