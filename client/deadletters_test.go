package client

import (
	"io"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestDeadLetterFilter pins what a filter is in a query.
func TestDeadLetterFilter(t *testing.T) {
	t.Parallel()

	at := time.Date(2026, 11, 3, 12, 0, 0, 500, time.UTC)
	full := DeadLetterFilter{
		IDs: []string{"no place here"}, States: []DeadLetterState{DeadLetterParked, DeadLetterReplayed}, Queue: "q", Tenant: "t", App: "a",
		Code: "c", Class: "k", Fingerprint: "f",
		Notification: "n", Replay: "r", Label: "l=v", Text: "a b", Older: "2h", Younger: "3h", DeadAfter: &at, DeadBefore: &at, StoredBefore: &at,
	}
	stamp := "2026-11-03T12:00:00.0000005Z"
	want := url.Values{
		"state": {"parked,replayed"}, "queue": {"q"}, "tenant": {"t"}, "app": {"a"}, "code": {"c"}, "class": {"k"}, "fingerprint": {"f"},
		"notification": {"n"}, "replay": {"r"}, "label": {"l=v"}, "text": {"a b"}, "older": {"2h"}, "younger": {"3h"},
		"dead_after": {stamp}, "dead_before": {stamp}, "stored_before": {stamp},
	}
	if diff := cmp.Diff(want, full.query()); diff != "" {
		t.Errorf("query (-want +got):\n%s", diff)
	}
	if q := (&DeadLetterFilter{}).query(); len(q) != 0 {
		t.Errorf("the zero filter asks for %v", q)
	}
}

func TestDeadLettersAreWalked(t *testing.T) {
	t.Parallel()

	var asked []string
	c := newClient(t, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.String())
		if r.URL.Query().Get("cursor") == "" {
			answer(w, http.StatusOK, DeadLetterList{Items: []DeadLetter{{ID: "a"}, {ID: "b"}}, NextCursor: "more"})
			return
		}
		answer(w, http.StatusOK, DeadLetterList{Items: []DeadLetter{{ID: "c"}}})
	})
	var ids []string
	for l, err := range c.DeadLetters(t.Context(), DeadLetterFilter{Queue: "q"}) {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, l.ID)
	}
	for r, err := range c.Replays(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, r.ID)
	}
	if diff := cmp.Diff([]string{"a", "b", "c", "a", "b", "c"}, ids); diff != "" {
		t.Errorf("ids (-want +got):\n%s", diff)
	}
	want := []string{
		"/v1/dead-letters?limit=1000&queue=q", "/v1/dead-letters?cursor=more&limit=1000&queue=q",
		"/v1/replays?limit=1000", "/v1/replays?cursor=more&limit=1000",
	}
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
}

// What is compressed arrives as it was sent.
func TestExportDeadLetters(t *testing.T) {
	t.Parallel()

	c := newClient(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept-Encoding") == "zstd" {
			w.Header().Set("Content-Encoding", "zstd")
		}
		_, _ = io.WriteString(w, "bytes for "+r.Header.Get("Accept")+" "+r.Header.Get("Accept-Encoding"))
	})
	for zstd, want := range map[bool]string{true: "bytes for application/x-ndjson zstd", false: "bytes for application/x-ndjson gzip"} {
		archive, err := c.ExportDeadLetters(t.Context(), DeadLetterFilter{}, zstd)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(archive)
		if err != nil || archive.Close() != nil || string(b) != want {
			t.Errorf("archive = %q (%v)", b, err)
		}
	}
}

func TestReplayDone(t *testing.T) {
	t.Parallel()

	for state, want := range map[ReplayState]bool{
		ReplayRunning: false, ReplayPaused: true, ReplayStopped: true, ReplayCancelled: true, ReplayCompleted: true,
	} {
		if got := (&Replay{State: state}).Done(); got != want {
			t.Errorf("%s: done %v", state, got)
		}
	}
}
