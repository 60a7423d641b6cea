package override

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/document/documenttest"
	"github.com/belfry-push/belfry/internal/push"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func set(t *testing.T, r *Room, asked Override) Override {
	t.Helper()
	got, err := r.Set(t.Context(), asked)
	if err != nil {
		t.Fatalf("%+v: %v", asked, err)
	}
	return got
}

// standing are the credentials and states that stand, as they are stored and as they are known.
func standing(t *testing.T, r *Room) string {
	t.Helper()
	all, err := r.All(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, o := range all {
		out = append(out, o.Credential+" "+string(o.State))
		if known := r.Standing(func(name string) bool { return name == o.Credential }); known == nil || *known != o {
			t.Errorf("%+v is known as %+v", o, known)
		}
	}
	return strings.Join(out, ", ")
}

// There is one override of a credential, the last; its time ends it, and a reset does.
func TestOverrides(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := New(&documenttest.Memory{}, time.Now, zap.NewNop())
		first := set(t, r, Override{Credential: "shop", State: Open, By: "ada", Reason: "incident", Until: time.Now().Add(time.Hour)})
		if want := "breaker opened by ada until 01:00:00 UTC: incident"; first.Text() != want {
			t.Errorf("%q", first.Text())
		}
		set(t, r, Override{Credential: "acme#1", State: Closed, By: "bob"})
		if got := standing(t, r); got != "acme#1 closed, shop open" {
			t.Error(got)
		}
		again := set(t, r, Override{Credential: "shop", State: Closed, By: "ada", Until: time.Now().Add(2 * time.Hour)})
		if !again.Since.After(first.Since) { // in the same instant: whoever followed the first sees another
			t.Errorf("%v, %v", first.Since, again.Since)
		}
		if got := standing(t, r); got != "acme#1 closed, shop closed" {
			t.Error(got)
		}
		time.Sleep(2 * time.Hour)
		if got := standing(t, r); got != "acme#1 closed" || r.Standing(func(name string) bool { return name == "shop" }) != nil {
			t.Error(got)
		}
		set(t, r, Override{Credential: "acme#1", State: Automatic, By: "bob"})
		if got := standing(t, r); got != "" {
			t.Error(got)
		}
		if o, ok := r.Of("acme#1"); !ok || o.State != Automatic {
			t.Errorf("%+v", o)
		}
		if _, ok := r.Of("shop"); ok {
			t.Error("what is over is kept")
		}
		// Whoever prolongs it without a reason leaves the one that is known, and a reason of his own takes its place.
		for _, c := range []struct {
			state        State
			reason, want string
		}{
			{Open, "incident 42", "incident 42"},
			{Open, "", "incident 42"},
			{Open, "incident 43", "incident 43"},
			{Closed, "", ""},
			{Open, "", ""},
		} {
			asked := Override{Credential: "blog", State: c.state, By: "bob", Reason: c.reason, Until: time.Now().Add(time.Hour)}
			if got := set(t, r, asked); got.Reason != c.want {
				t.Errorf("%+v: %q", c, got.Reason)
			}
		}
		set(t, r, Override{Credential: "blog", State: Open, By: "bob", Reason: "over", Until: time.Now().Add(time.Second)})
		time.Sleep(2 * time.Second)
		if got := set(t, r, Override{Credential: "blog", State: Open, By: "bob"}); got.Reason != "" {
			t.Errorf("what is over lives on in %q", got.Reason)
		}
		set(t, r, Override{Credential: "blog", State: Automatic, By: "bob"})
		time.Sleep(resetKept - 5*time.Second) // another one's change in between does not end it: not everybody has heard of it
		set(t, r, Override{Credential: "zoo", State: Closed, By: "bob", Until: time.Now().Add(time.Second)})
		if o, ok := r.Of("acme#1"); !ok || o.State != Automatic {
			t.Errorf("a reset is not kept: %+v", o)
		}
		time.Sleep(5 * time.Second)
		set(t, r, Override{Credential: "shop", State: Open, By: "bob"})
		if _, ok := r.Of("acme#1"); ok {
			t.Error("a reset is kept for ever")
		}
		if want := "breaker opened by bob until it is reset"; r.Standing(func(string) bool { return true }).Text() != want {
			t.Error("text")
		}
	})
}

// The document is bounded: what is over makes room, and what replaces another needs none.
func TestMostOverrides(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := New(&documenttest.Memory{}, time.Now, zap.NewNop())
		until := time.Now().Add(time.Hour)
		for i := range maxOverrides {
			set(t, r, Override{Credential: fmt.Sprint("c", i), State: Open, By: "ada", Until: until})
		}
		_, err := r.Set(t.Context(), Override{Credential: "one more", State: Open, By: "ada"})
		if faults, ok := errors.AsType[push.Faults](err); !ok || faults[0].Code != push.FaultTooLarge {
			t.Errorf("one more: %v", err)
		}
		set(t, r, Override{Credential: "c0", State: Closed, By: "ada", Until: until})
		time.Sleep(time.Hour)
		set(t, r, Override{Credential: "one more", State: Open, By: "ada"})
	})
}

func TestBadOverrides(t *testing.T) {
	t.Parallel()
	r := New(&documenttest.Memory{}, time.Now, zap.NewNop())
	for pointer, asked := range map[string]Override{
		"/reason": {State: Open, Reason: strings.Repeat("x", push.MaxReason+1)}, "/until": {State: Closed, Until: time.Now().Add(-time.Second)},
	} {
		_, err := r.Set(t.Context(), asked)
		if faults, ok := errors.AsType[push.Faults](err); !ok || faults[0].Pointer != pointer {
			t.Errorf("%s: %v", pointer, err)
		}
	}
	unknown := &UnknownError{Credential: "shop-prodd", Known: []string{"shop-prod", "acme#1"}}
	want := `there is no credential "shop-prodd": did you mean "shop-prod"?; known are acme#1, shop-prod`
	if diff := cmp.Diff(want, unknown.Error()); diff != "" {
		t.Log(diff)
	}
	if !strings.Contains(unknown.Error(), "known are acme#1, shop-prod") {
		t.Error(unknown)
	}
}

// Another process hears of it within two seconds, and keeps to it while the store is away.
func TestOtherProcesses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var down atomic.Bool
		docs := documenttest.Around{Store: &documenttest.Memory{}, Do: func(_ string, effect func() error) error {
			if down.Load() {
				return errors.New("down")
			}
			return effect()
		}}
		here, there := New(docs, time.Now, zap.NewNop()), New(docs, time.Now, zap.NewNop())
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { there.Run(ctx); close(ended) }()
		time.Sleep(time.Second)
		changed := there.Changed()
		asked := set(t, here, Override{Credential: "shop", State: Open, By: "ada"})
		time.Sleep(readEvery)
		select {
		case <-changed:
		default:
			t.Error("whoever waits is not told")
		}
		down.Store(true)
		time.Sleep(time.Hour)
		if o, ok := there.Of("shop"); !ok || o != asked {
			t.Errorf("%+v", o)
		}
		down.Store(false)
		set(t, here, Override{Credential: "shop", State: Automatic, By: "ada"})
		time.Sleep(readEvery)
		if o, _ := there.Of("shop"); o.State != Automatic {
			t.Errorf("%+v", o)
		}
		stop()
		<-ended
	})
}
