//go:build unix

package letters

import (
	"flag"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/belfry-push/belfry/internal/adapter/sqlite/drivertest"
	"github.com/belfry-push/belfry/internal/push"
)

// letterCount is how many dead letters the benchmarks of reading work on; the
// figures in docs/performance.md are of -letters=1000000.
var letterCount = flag.Int("letters", 50_000, "dead letters in the store for benchmarks")

// benchLetter is one of a tenth of a million chunks, with twelve causes, forty
// tenants, and a batch for every hundredth letter's chunk.
func benchLetter(i int) push.Letter {
	chunk := i / 10
	causes := []push.Code{push.CodeFCMUnavailable, push.CodeFCMInternal, push.CodeNetTimeout, push.CodeFCMQuotaExceeded}
	cause := causes[chunk%len(causes)]
	app := fmt.Sprintf("app-%d", chunk%3)
	notification := push.ID(fmt.Sprintf("ntf_01890a5d-ac96-774b-bcce-%012d", chunk))
	l := push.Letter{
		Kind: push.LetterRecipient, Tenant: fmt.Sprintf("tenant-%d", chunk%40), App: app, Queue: push.QueueBulk,
		Code: push.CodeAttemptsExhausted, LastCode: cause, Detail: "The service is currently unavailable.", Attempts: 5,
		Notification: notification, Cell: i % 10, Turn: 5,
		Recipient:  push.Recipient{Address: push.Address{Kind: push.KindToken, Value: push.Token(fmt.Sprintf("%0150d", i))}, Line: int64(i % 10)},
		AcceptedAt: benchTime(), DeadAt: benchTime().Add(time.Duration(i) * time.Millisecond),
		StoredAt:    benchTime().Add(time.Duration(i) * time.Millisecond),
		TraceParent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", Software: "v1.2.3",
		Labels: map[string]string{"campaign": "autumn"}, Pattern: "The service is currently unavailable.",
		Fingerprint: fmt.Sprintf("%s-%d", app, cause), State: push.LetterParked, Version: 1,
	}
	if i%1000 == 777 {
		l.Detail = "a rare word: xylophone"
	}
	l.ID = push.DerivedID(push.PrefixDeadLetter, l.Tenant, strconv.Itoa(i))
	return l
}

func benchLetters(b *testing.B, s *Store, n int) {
	b.Helper()
	for from := 0; from < n; from += 1000 {
		ls := make([]push.Letter, 0, 1000)
		for i := from; i < min(from+1000, n); i++ {
			ls = append(ls, benchLetter(i))
		}
		if _, err := s.PutLetters(b.Context(), ls); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPutLetters stores letters as drain does: those of ten messages a time.
func BenchmarkPutLetters(b *testing.B) {
	s := openStore(b)
	const each = 10
	drivertest.Meter(b, each, "letters")
	for n := 0; b.Loop(); n += each {
		ls := make([]push.Letter, each)
		for i := range ls {
			ls[i] = benchLetter(n + i)
		}
		if _, err := s.PutLetters(b.Context(), ls); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkMoveLetters claims and marks letters, 500 at a time.
func BenchmarkMoveLetters(b *testing.B) {
	s := openStore(b)
	const each = 500
	next := 0
	drivertest.Meter(b, each, "letters")
	for b.Loop() {
		b.StopTimer()
		ls := make([]push.Letter, each)
		claims, marks := make([]push.LetterMove, each), make([]push.LetterMove, each)
		for i := range ls {
			ls[i] = benchLetter(next + i)
			claims[i] = push.LetterMove{ID: ls[i].ID, Version: 1, State: push.LetterReplaying, Replay: "rpl_1", At: benchTime()}
			marks[i] = push.LetterMove{ID: ls[i].ID, Version: 2, State: push.LetterReplayed, At: benchTime()}
		}
		next += each
		if _, err := s.PutLetters(b.Context(), ls); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		for _, moves := range [][]push.LetterMove{claims, marks} {
			if moved, err := s.MoveLetters(b.Context(), moves); err != nil || !moved[each-1] {
				b.Fatal(moved[each-1], err)
			}
		}
	}
}

// BenchmarkReadLetters reads a store of many letters: the first pages of
// listings by all kinds of filter, and groups.
func BenchmarkReadLetters(b *testing.B) {
	s := openStore(b)
	n := *letterCount
	start := time.Now()
	benchLetters(b, s, n)
	b.Logf("%d letters stored in %v", n, time.Since(start).Round(time.Millisecond))
	middle := benchTime().Add(time.Duration(n/2) * time.Millisecond)
	parked := []push.LetterState{push.LetterParked}
	for _, c := range []struct {
		name string
		f    push.LetterFilter
	}{
		{"all", push.LetterFilter{}},
		{"parked", push.LetterFilter{States: parked}},
		{"discarded, none", push.LetterFilter{States: []push.LetterState{push.LetterDiscarded}}},
		{"tenant", push.LetterFilter{Tenant: "tenant-7", States: parked}},
		{"code", push.LetterFilter{Code: push.CodeNetTimeout, States: parked}},
		{"class", push.LetterFilter{Class: push.ClassAmbiguous}},
		{"queue", push.LetterFilter{Queue: push.QueueBulk}},
		{"fingerprint", push.LetterFilter{Fingerprint: benchLetter(5).Fingerprint}},
		{"tenant and code", push.LetterFilter{Tenant: "tenant-7", Code: push.CodeNetTimeout}},
		{"notification", push.LetterFilter{Notification: benchLetter(n / 3).Notification}},
		{"replay, none", push.LetterFilter{Replay: "rpl_none"}},
		{"dead before the middle", push.LetterFilter{DeadBefore: middle}},
		{"parked and dead before", push.LetterFilter{DeadBefore: middle, States: parked}},
		{"dead after the middle, oldest first", push.LetterFilter{DeadAfter: middle, OldestFirst: true}},
		{"label", push.LetterFilter{LabelName: "campaign", LabelValue: "autumn"}},
		{"rare text", push.LetterFilter{Text: "xylophone"}},
		{"no such text", push.LetterFilter{Text: "no such text"}},
	} {
		b.Run("list/"+strings.ReplaceAll(c.name, " ", "-"), func(b *testing.B) {
			for b.Loop() {
				if _, _, err := s.Letters(b.Context(), c.f, "", 100); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	for _, c := range []struct {
		name string
		f    push.LetterFilter
	}{
		{"all", push.LetterFilter{}},
		{"tenant", push.LetterFilter{Tenant: "tenant-7"}},
		{"stored before", push.LetterFilter{StoredBefore: middle, States: parked}},
		{"stored before, by tenant", push.LetterFilter{StoredBefore: middle, States: parked, Tenant: "tenant-7"}},
		{"label", push.LetterFilter{LabelName: "campaign"}},
	} {
		b.Run("groups/"+strings.ReplaceAll(c.name, " ", "-"), func(b *testing.B) {
			for b.Loop() {
				if _, err := s.LetterGroups(b.Context(), c.f); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
