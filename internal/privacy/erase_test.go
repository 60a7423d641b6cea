package privacy_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfry-push/belfry/internal/privacy"
	"github.com/belfry-push/belfry/internal/push"
)

// populate fills the world with two users of two tenants, and returns what counts of alice are
// expected.
func populate(w *world) privacy.Counts {
	w.register("acme", "alice", "a1", "a2")
	w.register("acme", "bob", "b1")
	w.register("other", "alice", "o1")
	w.inline("acme", push.CodeSent, "a1")
	w.inline("acme", push.CodeSent, "b1", "a2", "x")
	w.inline("acme", push.CodeSent, "b1")
	w.inline("other", push.CodeSent, "o1", "a1") // another tenant's own affair
	n := push.Notification{ID: push.NewID(push.PrefixNotification), Tenant: "acme", Target: push.Target{UserIDs: []string{"bob", "alice"}}}
	w.sent(n, []push.Recipient{{UserID: "bob"}, {UserID: "alice"}}, push.CodeNoDevice)
	w.batch("acme",
		push.Recipient{Address: address("b1")},
		push.Recipient{Address: address("a1"), Data: map[string]string{"name": "Alice A."}},
		push.Recipient{Address: address("former"), UserID: "alice"})
	own := map[string]string{"name": "Alice A."}
	w.letter("acme", push.LetterRecipient, push.Recipient{Address: address("a1"), UserID: "alice", Data: own}, "")
	w.letter("acme", push.LetterRecipient, push.Recipient{Address: address("b1"), UserID: "bob"}, "")
	w.letter("acme", push.LetterMessage, push.Recipient{},
		`{"v":1,"values":["`+string(token("b1"))+`","`+string(token("a1"))+`"],"user_id": "alice"}`)
	return privacy.Counts{Devices: 2, Notifications: 4, Deliveries: 5, PageRows: 2, DeadLetters: 2, Tombstones: 3}
}

// gone checks that nothing of alice is kept of acme, and everything of others.
func gone(t *testing.T, w *world) {
	t.Helper()
	kept := w.dump("acme")
	for _, secret := range []string{
		string(token("a1")), string(token("a2")), `"alice"`, " alice ", "dev-a", "Alice A.", string(token("former")),
	} {
		if strings.Contains(kept, secret) {
			t.Errorf("%.12s… is still kept:\n%s", secret, kept)
		}
	}
	for _, other := range []string{string(token("b1")), "bob", "dev-b1", string(token("x"))} {
		if !strings.Contains(kept, other) {
			t.Errorf("%.12s… is gone too", other)
		}
	}
	if o := w.dump("other"); !strings.Contains(o, string(token("o1"))) || !strings.Contains(o, string(token("a1"))) {
		t.Error("another tenant lost something")
	}
}

// TestErase: every store loses the person and nothing else, and the receipt counts it.
func TestErase(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		want := populate(w)
		q, err := w.Start(t.Context(), privacy.Order{
			Tenant: "acme", Action: privacy.Erase, Subject: privacy.Subject{UserID: "alice"}, By: "support",
		})
		w.must(err)
		for _, r := range []push.Recipient{{Address: address("a2")}, {UserID: "alice"}} {
			if !w.tombs.Erased("acme", &r, time.Now()) {
				t.Errorf("%v is not erased when the request is taken", r)
			}
		}
		q = w.execute("acme", q.ID)
		if q.Counts != want {
			t.Errorf("counts\n%+v, want\n%+v", q.Counts, want)
		}
		gone(t, w)
		took := q.EndedAt.Sub(q.CreatedAt)
		if q.Receipt == nil || q.Receipt.Counts != want || took < privacy.DefaultGrace || took > time.Minute {
			t.Errorf("receipt %+v after %v", q.Receipt, took)
		}
		if _, err := w.Get(t.Context(), "other", q.ID); !errors.Is(err, push.ErrNotFound) {
			t.Errorf("another tenant sees the request: %v", err)
		}
	})
}

// TestEraseGoesOn: wherever an erasure fails or its process dies, another process ends it with the
// same counts.
func TestEraseGoesOn(t *testing.T) {
	t.Parallel()
	for _, op := range []string{"Notifications", "Plans", "EraseHashes", "EraseRecipients"} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			want := populate(w)
			q, err := w.Start(t.Context(), privacy.Order{Tenant: "acme", Action: privacy.Erase, Subject: privacy.Subject{UserID: "alice"}})
			w.must(err)
			var calls atomic.Int64 // walkers call at the same time
			w.fail = func(o string) error {
				if o != op {
					return nil
				}
				if calls.Add(1) > 1 {
					return errors.New("killed")
				}
				return nil
			}
			ctx, die := context.WithTimeout(t.Context(), 30*time.Second)
			defer die()
			w.Execute(ctx)
			w.fail = nil
			w.restart("p2")
			q = w.execute("acme", q.ID)
			if q.Counts != want {
				t.Errorf("%s: counts\n%+v, want\n%+v", op, q.Counts, want)
			}
			gone(t, w)
		})
	}
}

// TestNewConsent: a registration after the erasure lifts the tombstones for what is accepted from
// then on, and for nothing that was accepted before.
func TestNewConsent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		populate(w)
		q, err := w.Start(t.Context(), privacy.Order{Tenant: "acme", Action: privacy.Erase, Subject: privacy.Subject{UserID: "alice"}})
		w.must(err)
		w.execute("acme", q.ID)
		queued := time.Now()
		time.Sleep(time.Hour)
		w.must(w.tombs.Consented(t.Context(), &push.Device{Tenant: "acme", Address: address("new"), UserID: "alice"}, time.Now()))
		r := push.Recipient{Address: address("new"), UserID: "alice"}
		if !w.tombs.Erased("acme", &r, queued) || w.tombs.Erased("acme", &r, time.Now()) {
			t.Error("the consent does not divide what was accepted before it from what comes after")
		}
		if old := (push.Recipient{Address: address("a1")}); !w.tombs.Erased("acme", &old, time.Now()) {
			t.Error("an address that was not registered anew is sent to")
		}
		w.restart("p2") // another process reads the same
		w.must(w.tombs.Current(t.Context()))
		if !w.tombs.Erased("acme", &r, queued) || w.tombs.Erased("acme", &r, time.Now()) || w.tombs.Erased("other", &r, queued) {
			t.Error("another process goes by something else")
		}
		again, err := w.Start(t.Context(), privacy.Order{Tenant: "acme", Action: privacy.Erase, Subject: privacy.Subject{UserID: "alice"}})
		w.must(err)
		if !w.tombs.Erased("acme", &r, time.Now()) {
			t.Error("a second erasure does not hold")
		}
		w.execute("acme", again.ID)
	})
}

// TestBadOrders: each fault has its place, and nothing is stored.
func TestBadOrders(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for pointer, o := range map[string]privacy.Order{
		"/action":       {Action: "forget", Subject: privacy.Subject{UserID: "u"}},
		"":              {Action: privacy.Erase},
		"/tokens":       {Action: privacy.Erase, Subject: privacy.Subject{Tokens: make([]push.Token, 101)}},
		"/tokens/1":     {Action: privacy.Erase, Subject: privacy.Subject{Tokens: []push.Token{"a", "b c"}}},
		"/fids/0":       {Action: privacy.Erase, Subject: privacy.Subject{Tokens: []push.Token{"a"}, FIDs: []push.Token{""}}},
		"/device_ids/0": {Action: privacy.Export, Subject: privacy.Subject{DeviceIDs: []push.ID{"a b"}}},
		"/user_id":      {Action: privacy.Export, Subject: privacy.Subject{UserID: strings.Repeat("u", 513)}},
		"/reference":    {Action: privacy.Export, Subject: privacy.Subject{UserID: "u"}, Reference: strings.Repeat("r", 129)},
	} {
		_, err := w.Start(t.Context(), o)
		faults, ok := errors.AsType[push.Faults](err)
		if !ok || faults[0].Pointer != pointer {
			t.Errorf("%q: %v", pointer, err)
		}
	}
	if ds, _, err := w.docs.Documents(t.Context(), "privacy-pending", "", 10); len(ds) != 0 || err != nil {
		t.Errorf("stored: %v, %v", ds, err)
	}
}
