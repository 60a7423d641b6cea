package dynamo

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

var update = flag.Bool("update", false, "write what was measured into docs/dynamodb.md")

// costDoc holds the measured tables between two comments.
const (
	costDoc   = "../../../docs/dynamodb.md"
	costBegin = "<!-- measured by TestCosts; go test -run TestCosts -update -->"
	costEnd   = "<!-- end -->"
)

// List prices of us-east-1, on demand, in dollars a unit
// (https://aws.amazon.com/dynamodb/pricing/on-demand/).
const perRead, perWrite = 0.125 / 1e6, 0.625 / 1e6

// statement is the measured table as it is printed.
type statement struct {
	*meterer

	b strings.Builder
}

func (s *statement) line(tb testing.TB, what string, f func(*Store) error) bill {
	tb.Helper()
	b := s.measure(tb, f)
	s.print(what, b)
	return b
}

func (s *statement) print(what string, b bill) {
	fmt.Fprintf(&s.b, "| %s | %d | %s | %s | %s | %s |\n", what, b.calls, amount(b.read), amount(b.table), amount(b.indexed),
		amount(b.written()))
}

func (s *statement) heading(first string) {
	fmt.Fprintf(&s.b, "\n| %s | calls | RRU | WRU table | WRU indexes | WRU |\n|---|---:|---:|---:|---:|---:|\n", first)
}

// amount prints at most two digits behind the point.
func amount(x float64) string {
	if x == 0 {
		return "–"
	}
	return strings.TrimSuffix(strings.TrimRight(strconv.FormatFloat(x, 'f', 2, 64), "0"), ".")
}

// TestCosts measures every operation and holds docs/dynamodb.md to it.
func TestCosts(t *testing.T) {
	t.Parallel()
	m := newMeterer(t)
	if m.lag > 0 {
		t.Skip("the document shows what the stand-in measures")
	}
	s := &statement{meterer: m}
	s.notifications(t)
	s.chunk(t, s.lookups(t))
	s.devicesTable(t)
	s.configTable(t)
	s.lettersTable(t)

	doc, err := os.ReadFile(filepath.FromSlash(costDoc))
	must(t, err)
	head, rest, ok := strings.Cut(string(doc), costBegin)
	_, tail, closed := strings.Cut(rest, costEnd)
	if !ok || !closed {
		t.Fatalf("%s has no place for what was measured", costDoc)
	}
	want := head + costBegin + "\n" + s.b.String() + "\n" + costEnd + tail
	if *update {
		must(t, os.WriteFile(filepath.FromSlash(costDoc), []byte(want), 0o644))
		return
	}
	same(t, costDoc+" (run with -update if the new cost is meant)", want, string(doc))
}

func (s *statement) notifications(t *testing.T) {
	t.Helper()
	s.heading("Notifications")
	one, many := costed(1, 0), costed(1000, 1)
	create := func(n push.Notification) func(*Store) error {
		return func(s *Store) error { return third(s.Create(t.Context(), n)) }
	}
	s.line(t, "`Create`, one token, into the outbox", create(one))
	s.line(t, "`Create`, one token, exists already", create(one))
	s.line(t, "`Create`, 1,000 tokens: body apart", create(many))
	read := func(id push.ID) func(*Store) error {
		return func(s *Store) error { return second(s.Notification(t.Context(), id)) }
	}
	s.line(t, "`Notification`, one token", read(one.ID))
	s.line(t, "`Notification`, 1,000 tokens", read(many.ID))
	advance := func(n *push.Notification, state push.State) func(*Store) error {
		n.Progress.Version++
		n.Progress.State, n.Progress.Enqueued = state, true
		return func(s *Store) error { return s.Advance(t.Context(), n.ID, n.Progress) }
	}
	s.line(t, "`Advance` out of the outbox", advance(&one, push.StateAccepted))
	s.line(t, "`Advance`, one token", advance(&one, push.StateSending))
	s.line(t, "`Advance` out of the outbox, 1,000 tokens", advance(&many, push.StateAccepted))
	s.line(t, "`Advance`, 1,000 tokens", advance(&many, push.StateSending))
	stale := one.Progress
	s.line(t, "`Advance` that lost", func(s *Store) error {
		if err := s.Advance(t.Context(), one.ID, stale); !errors.Is(err, push.ErrConflict) {
			return fmt.Errorf("error = %w, want a conflict", err)
		}
		return nil
	})
	s.line(t, "`Advance` to completed", advance(&one, push.StateCompleted))
	s.line(t, "`Unenqueued`, nothing waits", func(s *Store) error { return second(s.Unenqueued(t.Context(), at(), 100)) })
	s.line(t, "`Unfinished`, nothing is", func(s *Store) error { return third(s.Unfinished(t.Context(), at(), "", 100)) })
	for i := range 50 {
		n := costed(1, 2+i)
		n.Tenant = "lister"
		must(t, third(s.store.Create(t.Context(), n)))
	}
	s.line(t, "`Notifications`, a page of 50", func(s *Store) error {
		return third(s.Notifications(t.Context(), "lister", "", 50))
	})
	s.line(t, "`Unenqueued`, 50 wait", func(s *Store) error {
		return second(s.Unenqueued(t.Context(), at().Add(time.Hour), 100))
	})
	for i := range 50 {
		n := costed(1, 2+i)
		must(t, advance(&n, push.StateAccepted)(s.store))
	}
	s.line(t, "`Unfinished`, a page of 50", func(s *Store) error {
		return third(s.Unfinished(t.Context(), at().Add(time.Hour), "", 50))
	})
}

// costed is a notification whose id, and with it its shard, is the same in every run.
func costed(tokens, i int) push.Notification {
	n := newNotification(tokens)
	n.ID = push.DerivedID(push.PrefixNotification, "costs", strconv.Itoa(i))
	return n
}

// chunkSize is what fits one queue message of 64 KiB.
const chunkSize = 350

// lookups measures what a chunk costs in the registry.
func (s *statement) lookups(t *testing.T) bill {
	t.Helper()
	var addresses []push.Address
	var ds []push.Device
	for i := range chunkSize {
		d := newDevice("planner", fmt.Sprint("dev-", i), token(i).Reveal())
		d.UserID = ""
		ds = append(ds, d)
		addresses = append(addresses, d.Address)
	}
	must(t, s.store.PutDevices(t.Context(), ds))
	must(t, second(s.store.DevicesByAddress(t.Context(), "planner", addresses[:2]))) // where most of them are is known now
	return s.measure(t, func(s *Store) error { return second(s.DevicesByAddress(t.Context(), "planner", addresses)) })
}

// chunk follows one chunk of an upload from its plan to its end.
func (s *statement) chunk(t *testing.T, lookups bill) {
	t.Helper()
	s.heading("Chunks, of 350 recipients")
	const page, perCheckpoint = 60, 50
	id := push.DerivedID(push.PrefixBatch, "costs", "")
	plans := make([]ledger.Plan, page)
	for i := range plans {
		plans[i] = newPlan(id, i, chunkSize)
	}
	plans[page-1].Last = true
	var lines []ledger.Line
	plan := func(s *Store) (err error) {
		lines, err = s.Plan(t.Context(), plans, at())
		return err
	}
	planned := s.line(t, "`Plan` of a page of 60", plan)
	s.line(t, "`Plan` of the same page once more", plan)
	s.line(t, "`Plans` of the page", func(s *Store) error { return second(s.Plans(t.Context(), id, 0, page)) })
	s.line(t, "`Lines` of the page", func(s *Store) error { return second(s.Lines(t.Context(), id, 0, page)) })
	s.line(t, "`Counts`, 60 lines of a batch", func(s *Store) error { return second(s.Counts(t.Context(), id)) })
	read := s.line(t, "`Line`", func(s *Store) error { return second(s.Line(t.Context(), lines[0].Ref)) })

	line, err := lines[0].Claim("dispatcher-7d9f8b6c5-x2x4v/4711", 0, at())
	must(t, err)
	line.Attempt, line.Reserved = 1, 150
	claim := s.line(t, "`SaveLine`: claim", func(s *Store) error { return s.SaveLine(t.Context(), line, 0, nil) })
	all := answers(chunkSize, at())
	save := func(from, to int, line ledger.Line) func(*Store) error {
		return func(s *Store) error { return s.SaveLine(t.Context(), line, line.Epoch, all[from:to]) }
	}
	settle := func(from, to int) {
		for c := from; c < to; c++ {
			line.Settle(c, push.CodeSent, false)
		}
	}
	settle(0, perCheckpoint)
	checkpoint := s.line(t, "`SaveLine`: checkpoint of 50 answers", save(0, perCheckpoint, line))
	for from := perCheckpoint; from+perCheckpoint < chunkSize; from += perCheckpoint {
		settle(from, from+perCheckpoint)
		must(t, save(from, from+perCheckpoint, line)(s.store))
	}
	settle(chunkSize-perCheckpoint, chunkSize)
	line = line.Close(at())
	closing := s.line(t, "`SaveLine`: close with the last 50", save(chunkSize-perCheckpoint, chunkSize, line))
	s.line(t, "`SaveLine` that is fenced", func(s *Store) error {
		if err := s.SaveLine(t.Context(), line, line.Epoch, nil); !errors.Is(err, ledger.ErrFenced) {
			return fmt.Errorf("error = %w, want ErrFenced", err)
		}
		return nil
	})
	s.line(t, "`Attempts` of a closed chunk", func(s *Store) error { return second(s.Attempts(t.Context(), line.Ref)) })
	single := push.NewID(push.PrefixNotification)
	must(t, second(s.store.Plan(t.Context(), []ledger.Plan{newPlan(single, 0, 1)}, at())))
	s.line(t, "`Counts`, one line", func(s *Store) error { return second(s.Counts(t.Context(), single)) })

	s.heading("One chunk in all")
	total := bill{}
	for _, step := range []struct {
		what string
		bill
	}{
		{"look 350 addresses up in the registry", lookups},
		{"plan, its share of a page", planned.times(1.0 / page)},
		{"read the line and claim it", read.plus(claim)},
		{"6 checkpoints of 50 answers", checkpoint.times(chunkSize/perCheckpoint - 1)},
		{"close with the last 50", closing},
	} {
		s.print(step.what, step.bill)
		total = total.plus(step.bill)
	}
	s.print("**a chunk of 350**", total)
	s.print("**a million recipients**", total.times(1e6/chunkSize))
	reads, writes := total.read*perRead*1e6/chunkSize, total.written()*perWrite*1e6/chunkSize
	fmt.Fprintf(&s.b,
		"\nAt $0.125 per million RRU and $0.625 per million WRU (us-east-1, on demand) a million recipients cost $%.3f of reads and $%.3f of "+
			"writes.\n",
		reads, writes)
}

func (s *statement) devicesTable(t *testing.T) {
	t.Helper()
	s.heading("Devices")
	put := func(ds ...push.Device) func(*Store) error {
		return func(s *Store) error { return s.PutDevices(t.Context(), ds) }
	}
	a, b := newDevice("tenant", "a", token(1).Reveal()), newDevice("tenant", "b", token(2).Reveal())
	s.line(t, "`PutDevices`, new, with a user", put(a))
	s.line(t, "`PutDevices`, renewed", put(a))
	moved := a
	moved.Address.Value = token(3)
	s.line(t, "`PutDevices`, another address", put(moved))
	must(t, put(b)(s.store))
	stolen := b
	stolen.Address = moved.Address
	s.line(t, "`PutDevices`, the address of another device", put(stolen))
	must(t, put(a)(s.store))
	s.line(t, "`Device`", func(s *Store) error { return second(s.Device(t.Context(), "tenant", "a")) })
	s.line(t, "`DevicesByID`, one", func(s *Store) error { return second(s.DevicesByID(t.Context(), "tenant", []push.ID{"a"})) })
	s.line(t, "`DevicesByUser`, one with two devices", func(s *Store) error {
		return second(s.DevicesByUser(t.Context(), "tenant", []string{"user"}))
	})
	s.line(t, "`DevicesByAddress`, one", func(s *Store) error {
		return second(s.DevicesByAddress(t.Context(), "tenant", []push.Address{a.Address}))
	})
	record := func(a push.Address) func(*Store) error {
		n := push.DeviceNote{Address: a, Code: push.CodeSent, At: at(), SentAt: at(), Record: true}
		return func(s *Store) error { return s.RecordDevices(t.Context(), "tenant", []push.DeviceNote{n}) }
	}
	s.line(t, "`RecordDevices`, known", record(a.Address))
	s.line(t, "`RecordDevices`, unknown, with its success", record(newDevice("tenant", "seen", token(4).Reveal()).Address))
	note := func(n push.DeviceNote) func(*Store) error {
		return func(s *Store) error { return second(s.NoteDevices(t.Context(), "tenant", []push.DeviceNote{n})) }
	}
	s.line(t, "`NoteDevices`, a success after a week", note(push.DeviceNote{Address: a.Address, Code: push.CodeSent, At: at(), SentAt: at()}))
	gone := push.DeviceNote{Address: a.Address, Code: push.CodeFCMUnregistered, At: at(), SentAt: at(), Quarantine: true}
	s.line(t, "`NoteDevices`, quarantined", note(gone))
	s.line(t, "`RestoreDevice`", func(s *Store) error { return second(s.RestoreDevice(t.Context(), "tenant", "a")) })
	gone.At = at().Add(time.Minute)
	must(t, note(gone)(s.store))
	s.line(t, "`PurgeQuarantined`, one", func(s *Store) error {
		return second(s.PurgeQuarantined(t.Context(), at().Add(time.Hour), 100))
	})
	s.line(t, "`DeleteDevice`", func(s *Store) error { return s.DeleteDevice(t.Context(), "tenant", "b") })
	s.line(t, "`Devices`, a page of 50", func(s *Store) error { return third(s.Devices(t.Context(), "planner", "", "", 50)) })
}

func (s *statement) configTable(t *testing.T) {
	t.Helper()
	s.heading("Idempotency keys and documents")
	r := idempotencyRecord()
	reserve := func(s *Store) error { return third(s.Reserve(t.Context(), r, at())) }
	s.line(t, "`Reserve`", reserve)
	s.line(t, "`Reserve`, taken", reserve)
	r.Done, r.Status, r.Body = true, 202, []byte(strings.Repeat("x", 500))
	s.line(t, "`Complete` with 500 bytes", func(s *Store) error { return s.Complete(t.Context(), r) })
	other := idempotencyRecord()
	other.Key = "other"
	must(t, third(s.store.Reserve(t.Context(), other, at())))
	s.line(t, "`Release`", func(s *Store) error { return s.Release(t.Context(), other) })
	d := document.Document{Kind: "credential", Name: "name", Version: 1, Body: []byte(strings.Repeat("x", 2000)), UpdatedAt: at()}
	s.line(t, "`PutDocument` of 2,000 bytes", func(s *Store) error { return s.PutDocument(t.Context(), d) })
	s.line(t, "`Document`", func(s *Store) error { return second(s.Document(t.Context(), d.Kind, d.Name)) })
	s.line(t, "`Documents`, one of 2,000 bytes", func(s *Store) error { return third(s.Documents(t.Context(), d.Kind, "", 100)) })
	s.line(t, "`DeleteDocument`", func(s *Store) error { return s.DeleteDocument(t.Context(), d.Kind, d.Name, 1) })
}
