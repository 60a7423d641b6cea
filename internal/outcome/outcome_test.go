package outcome_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/outcome"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
)

// fields returns an event's data.
func fields(t *testing.T, e wire.Event) map[string]any {
	t.Helper()
	var data map[string]any
	if err := json.Unmarshal(e.Data, &data); err != nil {
		t.Fatal(err)
	}
	return data
}

func TestClosedChunk(t *testing.T) {
	t.Parallel()
	r := setup(t)
	l := line(ledger.StateClosed, push.CodeSent, push.CodeSent, push.CodeExpired)
	l.Cells[0] = ledger.CellOf(push.CodeSent, true)
	r.Settled(t.Context(), notification(), l, nil)
	if len(r.events) != 1 {
		t.Fatalf("%d events", len(r.events))
	}
	e := r.events[0]
	if e.Type != wire.EventOutcome || e.Source != "/belfry" || e.Subject != string(notification().ID) || !e.Time.Equal(r.now) ||
		e.TraceParent == "" || !strings.HasPrefix(e.ID, "evt_") {
		t.Errorf("event %+v", e)
	}
	want := map[string]any{
		"id": string(notification().ID), "tenant": "acme", "labels": map[string]any{"team": "a"}, "chunk": 7.0, "recipients": 3.0,
		"app": "default", "by_code": map[string]any{"sent": 2.0, "expired": 1.0}, "possible_duplicates": 1.0,
	}
	if diff := cmp.Diff(want, fields(t, e)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestOpenChunkIsNoEvent(t *testing.T) {
	t.Parallel()
	r := setup(t)
	for _, s := range []ledger.State{ledger.StateClaimed, ledger.StateWaiting, ledger.StateParked} {
		r.Settled(t.Context(), notification(), line(s, push.CodeSent, push.CodeOpen), nil)
	}
	if len(r.events) != 0 {
		t.Errorf("%d events of chunks that are not done", len(r.events))
	}
}

func TestCompleted(t *testing.T) {
	t.Parallel()
	r := setup(t)
	c := line(ledger.StateClosed, push.CodeSent, push.CodeFCMUnregistered).Tally()
	r.Completed(t.Context(), *notification(), c)
	if len(r.events) != 1 || r.events[0].Type != wire.EventCompleted {
		t.Fatalf("events %+v", r.events)
	}
	got := fields(t, r.events[0])
	if diff := cmp.Diff(map[string]any{"sent": 1.0, "fcm.unregistered": 1.0}, got["by_code"]); diff != "" || got["recipients"] != 2.0 {
		t.Errorf("%v\n%s", got, diff)
	}
}

func TestQuarantine(t *testing.T) {
	t.Parallel()
	r := setup(t)
	r.Settled(t.Context(), notification(), line(ledger.StateWaiting, push.CodeFCMUnregistered, push.CodeOpen), gone(r.now, 1))
	if len(r.events) != 1 || r.events[0].Type != wire.EventDeviceQuarantined || r.metric(t, "belfry_devices_quarantined_total") != 1 {
		t.Fatalf("events %+v", r.events)
	}
	got := fields(t, r.events[0])
	if got["device_id"] != "dev-1" || got["code"] != "fcm.unregistered" || got["user_id"] != "user-1" {
		t.Errorf("data %v", got)
	}
}

// TestMassInvalidation: the wave that raises the guard quarantines nobody, and
// the registry still learns of the failures.
func TestMassInvalidation(t *testing.T) {
	t.Parallel()
	r := setup(t)
	settle := func(codes ...push.Code) {
		n := 0
		for _, c := range codes {
			if c == push.CodeFCMUnregistered {
				n++
			}
		}
		r.notes, r.events = nil, nil
		r.Settled(t.Context(), notification(), line(ledger.StateClosed, codes...), gone(r.now, n))
	}
	quarantines := func() (n int) {
		for _, x := range r.notes {
			if x.Quarantine {
				n++
			}
		}
		return n
	}

	settle(append(many(90, push.CodeSent), many(10, push.CodeFCMUnregistered)...)...)
	if quarantines() != 10 {
		t.Fatalf("%d of 10 gone devices of a healthy list quarantined", quarantines())
	}
	settle(many(100, push.CodeFCMUnregistered)...)
	if quarantines() != 0 || len(r.notes) != 100 || r.metric(t, "belfry_mass_invalidation") != 1 ||
		r.metric(t, "belfry_devices_spared_total") != 100 {
		t.Fatalf("%d quarantined by a wave, %d noted", quarantines(), len(r.notes))
	}
	for _, e := range r.events {
		if e.Type == wire.EventDeviceQuarantined {
			t.Error("a quarantine was published")
		}
	}
	r.now = r.now.Add(5 * time.Minute)
	settle(push.CodeFCMUnregistered)
	if quarantines() != 0 {
		t.Error("quarantined while the guard is up")
	}
	r.now = r.now.Add(20 * time.Minute)
	settle(append(many(99, push.CodeSent), push.CodeFCMUnregistered)...)
	if quarantines() != 1 || r.metric(t, "belfry_mass_invalidation") != 0 {
		t.Error("the guard stays up when the wave is over")
	}
}

// TestInvalidTokensAreAWave: addresses that are called invalid count as those
// that are called dead, if others of their chunk got the message; otherwise the
// message may be at fault, and nobody is to be quarantined.
func TestInvalidTokensAreAWave(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		code  push.Code
		sent  int
		raise bool
	}{
		{"dead", push.CodeFCMUnregistered, 0, true},
		{"dead, some sent", push.CodeFCMUnregistered, 100, true},
		{"bad for Apple", push.CodeAPNsBadDeviceToken, 0, true},
		{"invalid, some sent", push.CodeFCMInvalidArgument, 100, true},
		{"invalid for whatever reason, some sent", push.CodeFCMInvalidUnspecified, 100, true},
		{"invalid, none sent", push.CodeFCMInvalidArgument, 0, false},
		{"another project's", push.CodeFCMSenderIDMismatch, 100, false},
		{"no key for Apple", push.CodeFCMThirdPartyAuth, 100, false},
		{"bad message", push.CodePayloadInvalid, 100, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := setup(t)
			r.Settled(t.Context(), notification(), line(ledger.StateClosed, append(many(200, tc.code), many(tc.sent, push.CodeSent)...)...),
				gone(r.now, 3))
			if up := r.metric(t, "belfry_mass_invalidation") == 1; up != tc.raise || (r.metric(t, "belfry_devices_spared_total") == 3) != tc.raise {
				t.Errorf("raised: %t, want %t", up, tc.raise)
			}
		})
	}
}

// TestTurnsDoNotRaise: a chunk is counted when it closes, with all of its
// answers. A stale list that is sent in several turns is no wave.
func TestTurnsDoNotRaise(t *testing.T) {
	t.Parallel()
	r := setup(t)
	for range 20 { // first turns: 20 of 100 are gone, the others wait
		r.Settled(t.Context(), notification(),
			line(ledger.StateWaiting, append(many(20, push.CodeFCMUnregistered), many(80, push.CodeOpen)...)...), gone(r.now, 20))
	}
	for range 20 {
		r.Settled(t.Context(), notification(),
			line(ledger.StateClosed, append(many(20, push.CodeFCMUnregistered), many(80, push.CodeSent)...)...), nil)
		if r.metric(t, "belfry_mass_invalidation") != 0 {
			t.Fatal("raised by 20 %")
		}
	}
	// What is not about devices must neither raise nor hide a wave.
	r.Settled(t.Context(), notification(), line(ledger.StateClosed, many(500, push.CodePayloadInvalid)...), nil)
	r.Settled(t.Context(), notification(), line(ledger.StateClosed, many(500, push.CodeExpired)...), nil)
	r.Settled(t.Context(), notification(), line(ledger.StateClosed, many(300, push.CodeFCMUnregistered)...), nil)
	if r.metric(t, "belfry_mass_invalidation") != 1 {
		t.Error("hidden by what FCM did not answer")
	}
}

// TestWorldAway: effects are best effort.
func TestWorldAway(t *testing.T) {
	t.Parallel()
	r := setup(t)
	r.away = true
	r.Settled(t.Context(), notification(), line(ledger.StateClosed, push.CodeSent), gone(r.now, 1))
	r.Completed(t.Context(), *notification(), ledger.Counts{})
	if n := r.metric(t, "belfry_events_unpublished_total"); n != 2 {
		t.Errorf("%v events missed, want 2", n)
	}
}

// TestNoSecrets: no token, title or body in anything that goes out.
func TestNoSecrets(t *testing.T) {
	t.Parallel()
	r := setup(t)
	n := notification()
	r.Settled(t.Context(), n, line(ledger.StateClosed, push.CodeSent, push.CodeFCMUnregistered), gone(r.now, 1))
	r.Completed(t.Context(), *n, line(ledger.StateClosed, push.CodeSent).Tally())
	r.BreakerChanged(t.Context(), wire.BreakerChanged{
		Credential: "project-a", From: "closed", To: "open", At: r.now, Until: r.now.Add(time.Minute), Cause: push.CodeFCMUnavailable,
	})
	r.CredentialInvalid(t.Context(), wire.CredentialInvalid{Tenant: "acme", App: "shop", Project: "project-a", At: r.now, Reason: "because"})
	var kinds []string
	for i := range r.events {
		body, err := wire.EncodeEvent(&r.events[i])
		if err != nil {
			t.Fatal(err)
		}
		kinds = append(kinds, r.events[i].Type)
		for _, secret := range []string{secretToken, secretToken[4:20], secretTitle, secretBody, "Springfield"} {
			if strings.Contains(string(body), secret) {
				t.Errorf("%q in %s", secret, body)
			}
		}
	}
	want := []string{
		wire.EventDeviceQuarantined, wire.EventOutcome, wire.EventCompleted, wire.EventBreakerChanged, wire.EventCredentialInvalid,
	}
	if diff := cmp.Diff(want, kinds); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if data := fields(t, r.events[3]); data["cause"] != "fcm.unavailable" || data["to"] != "open" {
		t.Errorf("breaker event %v", data)
	}
}

// TestCounter: every terminal code has its series from the start.
func TestCounter(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	outcome.NewCounter(reg)
	families, err := reg.Gather()
	if err != nil || len(families) != 1 {
		t.Fatal(families, err)
	}
	var got, want []string
	for _, m := range families[0].GetMetric() {
		got = append(got, m.GetLabel()[0].GetValue()+" "+m.GetLabel()[1].GetValue())
	}
	for _, f := range push.Codes() {
		if f.Terminal {
			want = append(want, f.Class.String()+" "+f.Name)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
