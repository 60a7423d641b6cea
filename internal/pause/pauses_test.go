package pause

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/document/documenttest"
	"github.com/belfry-push/belfry/internal/push"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func anybody(*Pause) error { return nil }

func add(t *testing.T, p *Pauses, asked Pause) Pause {
	t.Helper()
	got, made, err := p.Add(t.Context(), asked)
	if err != nil || !made {
		t.Fatalf("%+v: %v, %v", asked, made, err)
	}
	return got
}

// Each scope stops what it says and nothing else, and the widest is told.
func TestScopes(t *testing.T) {
	t.Parallel()
	p := New(&documenttest.Memory{}, nil, zap.NewNop())
	app := add(t, p, Pause{Tenant: "acme", App: "shop", By: "ops", Reason: "leaked key"})
	add(t, p, Pause{Tenant: "other", App: "default", By: "ops"})
	for _, c := range []struct {
		tenant, app string
		want        string
	}{
		{"acme", "shop", "app acme/shop"},
		{"acme", "", ""},
		{"acme", "blog", ""},
		{"other", "", "app other/default"}, // the default app has two spellings
		{"other", "shop", ""},
	} {
		got := ""
		if one := p.Of(c.tenant, c.app); one != nil {
			got = one.What()
		}
		if got != c.want {
			t.Errorf("%s/%s: %q, want %q", c.tenant, c.app, got, c.want)
		}
	}
	if text := app.Text(); !strings.HasPrefix(text, "app acme/shop is paused since 2") || !strings.HasSuffix(text, " UTC by ops: leaked key") {
		t.Error(text)
	}
	all := add(t, p, Pause{By: "ops"})
	if got := p.Of("acme", "shop"); got == nil || got.ID != all.ID {
		t.Errorf("the widest is %+v", got)
	}
	if _, everything, _ := p.Paused("anybody", ""); !everything {
		t.Error("everything is not paused")
	}
	if err := p.Remove(t.Context(), all.ID, anybody); err != nil {
		t.Fatal(err)
	}
	if got := p.Of("acme", "shop"); got == nil || got.ID != app.ID {
		t.Errorf("with everything lifted: %+v", got)
	}
}

// A scope that is paused already stays as it is; the operator's pause of a tenant is another than the tenant's own.
func TestAddTwice(t *testing.T) {
	t.Parallel()
	p := New(&documenttest.Memory{}, nil, zap.NewNop())
	own := add(t, p, Pause{Tenant: "acme", By: "key"})
	again, made, err := p.Add(t.Context(), Pause{Tenant: "acme", By: "other", Reason: "too"})
	if err != nil || made || again != own {
		t.Errorf("%+v, %v, %v", again, made, err)
	}
	operators := add(t, p, Pause{Tenant: "acme", By: "ops", Operator: true})
	forbidden := errors.New("no")
	if err := p.Remove(t.Context(), operators.ID, func(*Pause) error { return forbidden }); !errors.Is(err, forbidden) {
		t.Error(err)
	}
	if err := p.Remove(t.Context(), own.ID, anybody); err != nil {
		t.Error(err)
	}
	if err := p.Remove(t.Context(), own.ID, anybody); !errors.Is(err, push.ErrNotFound) {
		t.Error(err)
	}
	if all, err := p.All(t.Context()); err != nil || len(all) != 1 || p.Of("acme", "") == nil {
		t.Errorf("%v, %v", all, err)
	}
}

func TestBadPauses(t *testing.T) {
	t.Parallel()
	p := New(&documenttest.Memory{}, nil, zap.NewNop())
	for pointer, asked := range map[string]Pause{
		"/tenant": {Tenant: "../etc"}, "/app": {Tenant: "a", App: "UPPER"}, "/reason": {Reason: strings.Repeat("x", 201)},
	} {
		_, _, err := p.Add(t.Context(), asked)
		faults, ok := errors.AsType[push.Faults](err)
		if !ok || faults[0].Pointer != pointer {
			t.Errorf("%s: %v", pointer, err)
		}
	}
	if _, _, err := p.Add(t.Context(), Pause{App: "shop"}); err == nil {
		t.Error("an app of nobody")
	}
}

// A pause of one process is known to another within half a second, and its end too; while the store is away, what was
// paused stays so.
func TestOtherProcesses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var down atomic.Bool
		errDown := errors.New("down")
		docs := documenttest.Around{Store: &documenttest.Memory{}, Do: func(_ string, effect func() error) error {
			if down.Load() {
				return errDown
			}
			return effect()
		}}
		here, there := New(docs, nil, zap.NewNop()), New(docs, nil, zap.NewNop())
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { there.Run(ctx); close(ended) }()
		time.Sleep(time.Second + 7*time.Millisecond)
		_, _, changed := there.Paused("acme", "")
		one := add(t, here, Pause{Tenant: "acme", By: "ops"})
		time.Sleep(500 * time.Millisecond)
		if there.Of("acme", "") == nil {
			t.Error("not known after half a second")
		}
		select {
		case <-changed:
		default:
			t.Error("whoever waits is not told")
		}
		down.Store(true)
		time.Sleep(time.Hour)
		if there.Of("acme", "") == nil {
			t.Error("forgotten while the store was away")
		}
		down.Store(false)
		if err := here.Remove(t.Context(), one.ID, anybody); err != nil {
			t.Fatal(err)
		}
		time.Sleep(500 * time.Millisecond)
		if there.Of("acme", "") != nil {
			t.Error("not lifted after half a second")
		}
		stop()
		<-ended
	})
}

func BenchmarkOf(b *testing.B) {
	p := New(&documenttest.Memory{}, nil, zap.NewNop())
	for b.Loop() {
		if p.Of("acme", "shop") != nil {
			b.Fatal("paused")
		}
	}
}
