package closing

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/document/documenttest"
	"github.com/belfry-push/belfry/internal/push"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// estate is what tenants have, in memory. Each call first asks cut, whose error it returns.
type estate struct {
	ns    []*push.Notification
	has   map[string]int // credentials and pauses, by tenant/app
	runs  map[string]int // replays, by tenant
	cut   func() error
	calls int
}

func (e *estate) call() error {
	e.calls++
	if e.cut == nil {
		return nil
	}
	return e.cut()
}

// Notifications implements [Notifications], two at a time.
func (e *estate) Notifications(_ context.Context, tenant, cursor string, _ int) (out []push.Notification, next string, err error) {
	if err := e.call(); err != nil {
		return nil, "", err
	}
	for _, n := range e.ns {
		if n.Tenant != tenant || cursor != "" && string(n.ID) <= cursor {
			continue
		}
		if out = append(out, *n); len(out) == 2 {
			return out, string(n.ID), nil
		}
	}
	return out, "", nil
}

// Cancel implements [Canceller].
func (e *estate) Cancel(_ context.Context, tenant string, id push.ID) (push.Notification, error) {
	if err := e.call(); err != nil {
		return push.Notification{}, err
	}
	i := slices.IndexFunc(e.ns, func(n *push.Notification) bool { return n.ID == id && n.Tenant == tenant })
	if i < 0 {
		return push.Notification{}, push.ErrNotFound
	}
	n := e.ns[i]
	if n.Labels["done"] != "" { // everybody has an outcome; the stored state trails
		return *n, &push.StateError{ID: id, State: string(push.StateCompleted), Op: "cancel"}
	}
	n.Progress.State = push.StateCancelled
	return *n, nil
}

// CancelAll implements [Replays].
func (e *estate) CancelAll(_ context.Context, tenant, _ string) (int, error) {
	if err := e.call(); err != nil {
		return 0, err
	}
	n := e.runs[tenant]
	delete(e.runs, tenant)
	return n, nil
}

// Forget implements [Belongings].
func (e *estate) Forget(_ context.Context, tenant, app string) (gone int, err error) {
	if err := e.call(); err != nil {
		return 0, err
	}
	for ref := range e.has {
		if ref == tenant+"/"+app || app == "" && len(ref) > len(tenant) && ref[:len(tenant)+1] == tenant+"/" {
			delete(e.has, ref)
			gone++
		}
	}
	return gone, nil
}

func (e *estate) states() map[push.ID]push.State {
	out := map[push.ID]push.State{}
	for _, n := range e.ns {
		out[n.ID] = n.Progress.State
	}
	return out
}

// world is a directory with the tenants acme and rival, and what they have.
func world(t *testing.T) (*access.Directory, *estate, *Room) {
	t.Helper()
	d := access.New(&documenttest.Memory{}, nil)
	for _, name := range []string{"acme", "acme-2", "rival"} {
		if _, err := d.CreateTenant(t.Context(), access.Tenant{Name: name}, "me"); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"shop", "bank"} {
		if _, err := d.CreateApp(t.Context(), access.App{Tenant: "acme", Name: name}, "me"); err != nil {
			t.Fatal(err)
		}
	}
	e := &estate{
		has:  map[string]int{"acme/default": 1, "acme/shop": 1, "acme/bank": 1, "acme-2/default": 1, "rival/shop": 1},
		runs: map[string]int{"acme": 2, "rival": 1},
	}
	for _, n := range []struct {
		id, tenant, app string
		state           push.State
	}{
		{"ntf_1", "acme", "", push.StateSending},
		{"ntf_2", "acme", "shop", push.StateAccepted},
		{"ntf_3", "rival", "shop", push.StateAccepted},
		{"ntf_4", "acme", "bank", push.StateCompleted},
		{"bat_5", "acme", "shop", push.StateUploading},
		{"bat_6", "acme", "shop", push.StatePaused},
		{"bat_7", "acme", "bank", push.StateHeld},
		{"ntf_8", "acme-2", "", push.StateAccepted},
		{"ntf_9", "acme", "shop", push.StateDeadLettered},
	} {
		e.ns = append(e.ns, &push.Notification{ID: push.ID(n.id), Tenant: n.tenant, App: n.app, Progress: push.Progress{State: n.state}})
	}
	slices.SortFunc(e.ns, func(a, b *push.Notification) int { return strings.Compare(string(a.ID), string(b.ID)) })
	return d, e, New(Config{
		Directory: d, Notifications: e, Canceller: e, Replays: e, Credentials: e, Pauses: e, Log: zap.NewNop(), Now: time.Now,
	})
}

// cancelled are the ids of what ended so.
func cancelled(e *estate) (ids []string) {
	for id, s := range e.states() {
		if s == push.StateCancelled {
			ids = append(ids, string(id))
		}
	}
	slices.Sort(ids)
	return ids
}

// TestTenant: everything of a deleted tenant ends, nothing of another, and then it is not looked
// at any more.
func TestTenant(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, e, room := world(t)
		ctx := t.Context()
		run := func(d time.Duration) { // as Run does, but in this goroutine, which looks at e
			for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(every) {
				if err := room.Round(ctx); err != nil {
					t.Error(err)
				}
			}
		}
		run(time.Minute)
		if e.calls != 0 {
			t.Errorf("%d calls while nothing was deleted", e.calls)
		}
		if _, err := d.DeleteTenant(ctx, "acme"); err != nil {
			t.Fatal(err)
		}
		run(15 * time.Second)
		if got := cancelled(e); !slices.Equal(got, []string{"bat_5", "bat_6", "bat_7", "ntf_1", "ntf_2", "ntf_9"}) {
			t.Errorf("cancelled are %v", got)
		}
		if e.runs["acme"] != 0 || e.runs["rival"] != 1 || len(e.has) != 2 || e.has["acme-2/default"] == 0 || e.has["rival/shop"] == 0 {
			t.Errorf("replays %v, credentials and pauses %v", e.runs, e.has)
		}
		// A request that was let in before is answered after.
		e.ns = append([]*push.Notification{{ID: "aaa_0", Tenant: "acme", Progress: push.Progress{State: push.StateAccepted}}}, e.ns...)
		run(time.Minute)
		if s := e.states()["aaa_0"]; s != push.StateCancelled {
			t.Errorf("what was accepted last is %s", s)
		}
		run(time.Minute)
		calls := e.calls
		run(time.Hour)
		if left, err := d.Endings(ctx); err != nil || len(left) != 0 || e.calls != calls {
			t.Errorf("after it is closed: %v (%v), %d calls more", left, err, e.calls-calls)
		}
	})
}

// TestRun: rounds follow each other until the end.
func TestRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, e, room := world(t)
		if _, err := d.DeleteTenant(t.Context(), "acme"); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithTimeout(t.Context(), settled+2*every)
		defer stop()
		room.Run(ctx)
		if left, err := d.Endings(t.Context()); err != nil || len(left) != 0 || len(cancelled(e)) != 6 {
			t.Errorf("%v are left (%v), cancelled are %v", left, err, cancelled(e))
		}
	})
}

// TestApp: an app alone ends; its tenant's replays go on.
func TestApp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, e, room := world(t)
		if _, err := d.DeleteApp(t.Context(), "acme", "shop"); err != nil {
			t.Fatal(err)
		}
		if err := room.Round(t.Context()); err != nil || len(cancelled(e)) != 0 || len(e.has) != 5 {
			t.Fatalf("before every process has heard of it: cancelled are %v, credentials and pauses %v (%v)", cancelled(e), e.has, err)
		}
		time.Sleep(heard)
		if err := room.Round(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := cancelled(e); !slices.Equal(got, []string{"bat_5", "bat_6", "ntf_2", "ntf_9"}) {
			t.Errorf("cancelled are %v", got)
		}
		if e.runs["acme"] != 2 || len(e.has) != 4 || e.has["acme/shop"] != 0 {
			t.Errorf("replays %v, credentials and pauses %v", e.runs, e.has)
		}
	})
}

// TestKilled: wherever a round ends, the rounds after it end everything.
func TestKilled(t *testing.T) {
	t.Parallel()
	for at := range 20 {
		synctest.Test(t, func(t *testing.T) {
			d, e, room := world(t)
			e.ns[2].Labels = map[string]string{"done": "yes"}
			if _, err := d.DeleteTenant(t.Context(), "acme"); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Minute)
			gone := errors.New("killed")
			e.cut = func() error {
				if e.calls > at {
					return gone
				}
				return nil
			}
			err := room.Round(t.Context())
			left, listed := d.Endings(t.Context())
			if listed != nil || errors.Is(err, gone) != (len(left) == 1) {
				t.Fatalf("cut after %d calls: %v, but %v are left (%v)", at, err, left, listed)
			}
			e.cut = nil
			if err := room.Round(t.Context()); err != nil {
				t.Fatal(err)
			}
			if left, err := d.Endings(t.Context()); err != nil || len(left) != 0 {
				t.Errorf("%v are left (%v)", left, err)
			}
			for _, n := range e.ns {
				if s := n.Progress.State; n.Tenant == "acme" && n.Labels == nil && push.CanMove(s, push.StateCancelled) {
					t.Errorf("cut after %d calls: %s is %s", at, n.ID, s)
				}
			}
		})
	}
}
