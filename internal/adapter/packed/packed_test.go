package packed

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

// What was appended is read back, and nothing is left.
func TestReadsWhatWasAppended(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		count := rapid.IntRange(0, 1<<31-1).Draw(t, "count")
		text := rapid.String().Draw(t, "text")
		texts := rapid.MapOf(rapid.String(), rapid.String()).Draw(t, "texts")
		b := AppendTexts(AppendText(AppendCount(nil, count), text), texts)
		r := Reader{Left: b}
		if got := r.Count(); got != count {
			t.Fatalf("count %d, want %d", got, count)
		}
		if got := r.Text(); got != text {
			t.Fatalf("text %q, want %q", got, text)
		}
		got := r.Texts()
		if len(got) == 0 && len(texts) == 0 {
			got, texts = nil, nil
		}
		if diff := cmp.Diff(texts, got); diff != "" {
			t.Fatal(diff)
		}
		if r.Bad || len(r.Left) > 0 {
			t.Fatalf("bad %v, %d bytes left", r.Bad, len(r.Left))
		}
	})
}

func TestNegativeCountsAreClamped(t *testing.T) {
	t.Parallel()
	if got := AppendCount(nil, -5); !bytes.Equal(got, []byte{0}) {
		t.Fatalf("got % x", got)
	}
}

// Every cut of a valid record is found damaged, or ends between two attempts.
func TestAttemptsCutShort(t *testing.T) {
	t.Parallel()
	want := []ledger.Attempt{
		{
			Cell: 3, Attempt: 1, Code: push.CodeSent, At: time.UnixMilli(1_700_000_000_123).UTC(), Latency: 50 * time.Millisecond,
			Detail: "projects/p/messages/1",
		},
		{Cell: 4, Attempt: 2, Code: push.CodeFCMInternal, At: time.UnixMilli(1_700_000_000_200).UTC(), Detail: "projects/p/messages/2"},
	}
	whole := AppendAttempts(nil, want)
	first := len(AppendAttempts(nil, want[:1]))
	for n := range len(whole) + 1 {
		got, ok := Attempts(nil, whole[:n])
		if between := n == 0 || n == first || n == len(whole); ok != between {
			t.Errorf("%d of %d bytes: ok is %v", n, len(whole), ok)
		}
		if diff := cmp.Diff(want[:len(got)], append([]ledger.Attempt{}, got...)); diff != "" {
			t.Errorf("%d bytes: %s", n, diff)
		}
	}
}

func FuzzReader(f *testing.F) {
	f.Add(AppendTexts(nil, map[string]string{"a": "b"}))
	f.Add(AppendAttempts(nil, []ledger.Attempt{{Cell: 1, Attempt: 1, Code: push.CodeSent, At: time.UnixMilli(1).UTC(), Detail: "x"}}))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f})
	f.Fuzz(func(t *testing.T, b []byte) {
		r := Reader{Left: b}
		r.Texts()
		if r.Bad && (r.Count() != 0 || r.Text() != "" || r.Code() != push.CodeOpen) {
			t.Fatal("a bad reader returns what is not zero")
		}
		attempts, ok := Attempts(nil, b)
		if !ok {
			return
		}
		again, ok := Attempts(nil, AppendAttempts(nil, attempts))
		if diff := cmp.Diff(attempts, again); !ok || diff != "" {
			t.Fatalf("ok %v: %s", ok, diff)
		}
	})
}
