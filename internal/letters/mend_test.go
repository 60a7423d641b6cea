package letters

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/letters/letterstest"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
)

// wrap does what older versions did to a dead letter that was moved back to its
// queue, so many times.
func (w *world) wrap(queue string, body []byte, times int) []byte {
	w.T.Helper()
	for i := range times {
		body = w.Envelope(push.DeadLetter{
			Queue: queue, ID: fmt.Sprintf("moved-%d", i), Code: push.CodeUndecodable,
			Detail: `not a Belfry message: type is "dead_letter", not "chunk"`,
			Body:   body, Receives: 1, SentAt: at(70 + i), At: at(70 + i), Software: "v1",
		})
	}
	return body
}

// givenUp returns the letter of a chunk's recipients as deliver writes it.
func (w *world) givenUp(ref push.ChunkRef, cells int) []byte {
	w.T.Helper()
	c := push.Chunk{Ref: ref, Tenant: "acme", Attempt: 5, Turn: 2}
	u := wire.Undelivered{}
	for i := range cells {
		c.Recipients, c.Index = append(c.Recipients, letterstest.Recipient(ref, i)), append(c.Index, i)
		u.Codes, u.Detail = append(u.Codes, push.CodeFCMUnavailable), append(u.Detail, "overloaded")
	}
	u.Chunk = c
	body, err := wire.EncodeUndelivered(&u, "")
	w.Must(err)
	return w.Envelope(push.DeadLetter{Queue: push.QueueBulk, Code: dead, Body: body, Group: "acme", SentAt: at(0), At: at(60), Software: "v1"})
}

// damaged is the letter that older versions stored of a letter that was wrapped.
func (w *world) damaged(queue string, body []byte) push.Letter {
	w.T.Helper()
	d, err := wire.DecodeDeadLetter(w.wrap(queue, body, 1))
	w.Must(err)
	l := push.Letter{
		Kind: push.LetterMessage, Tenant: "acme", App: "project", Queue: queue, Code: d.Code, Detail: d.Detail, Attempts: 1, Cell: -1, Body: body,
		AcceptedAt: d.SentAt, DeadAt: d.At, Software: "v1", StoredAt: at(71), State: push.LetterParked, Version: 1,
		ID: messageLetterID(&push.DeadLetter{Queue: queue, ID: "moved-0", SentAt: at(70), Body: body}),
	}
	classify(&l)
	return l
}

// However deep a letter was wrapped, drain finds what it was: the same letters,
// under the same ids, as if nobody had moved it.
func TestDrainUnwraps(t *testing.T) {
	t.Parallel()
	for depth := range 5 {
		w := newWorld(t, t.Context)
		ref := w.Chunk(slices.Repeat([]push.Code{dead}, 20)...)
		event := w.Envelope(push.DeadLetter{
			Queue: push.QueueEvents, ID: "e", Code: push.CodePayloadInvalid, Detail: "/to: missing", Body: []byte("{}"),
			SentAt: at(0), At: at(1), Software: "v1",
		})
		task, err := wire.EncodeTask(wire.Task{Op: wire.OpPlan, Notification: ref.Notification, Page: wire.AllPages})
		w.Must(err)
		lost := w.Envelope(push.DeadLetter{
			Queue: push.QueueNotifications, ID: "t", Code: push.CodeUnexpandable, Body: task, SentAt: at(0), At: at(2), Software: "v1",
		})
		for _, moved := range [][]byte{w.givenUp(ref, 20), w.wrap(push.QueueBulk, w.givenUp(ref, 20), depth)} {
			w.Put(push.QueueBulk, moved)
		}
		w.Put(push.QueueEvents, event, w.wrap(push.QueueEvents, event, depth))
		w.Put(push.QueueNotifications, lost, w.wrap(push.QueueNotifications, lost, depth))
		w.Drain()
		all := w.All()
		if len(all) != 22 {
			t.Fatalf("%d times wrapped: %d letters, want 20 of recipients and two of messages, once each", depth, len(all))
		}
		for i := range all {
			if l := &all[i]; l.Code == push.CodeUndecodable || l.DeadAt.After(at(60)) ||
				l.Kind == push.LetterRecipient && (l.Recipient.Address.IsZero() || l.Notification != ref.Notification) {
				t.Errorf("%d times wrapped: %+v", depth, l)
			}
		}
	}
}

// What older versions stored comes back whole, and the damaged letter can't be
// replayed or discarded with what is in it.
func TestMend(t *testing.T) {
	t.Parallel()
	for name, act := range map[string]func(w *world) error{
		"drain": func(w *world) error { _, err := w.room.Drain(w.Context()); return err },
		"discard": func(w *world) error {
			_, err := w.room.Discard(w.Context(), DiscardRequest{Filter: push.LetterFilter{Code: push.CodeUndecodable}, Reason: "noise"})
			return err
		},
		"import": func(w *world) error {
			_, err := w.room.Import(w.Context(), strings.NewReader("{\"type\":\"dead_letters\",\"v\":1}\n{\"type\":\"end\"}\n"))
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, t.Context)
			ref := w.Chunk(slices.Repeat([]push.Code{dead}, 20)...)
			foreign := w.damaged(push.QueueEvents, []byte("noise"))
			newer := w.damaged(push.QueueBulk, []byte(strings.Replace(string(w.givenUp(ref, 1)), `"v":1`, `"v":9`, 1)))
			letters := []push.Letter{
				w.damaged(push.QueueBulk, w.wrap(push.QueueBulk, w.givenUp(ref, 20), 2)), w.damaged(push.QueueBulk, w.givenUp(ref, 20)), foreign, newer,
			}
			_, err := w.Letters.PutLetters(t.Context(), letters)
			w.Must(err)
			if err := act(w); err != nil {
				t.Fatal(err)
			}
			parked, err := w.room.Count(t.Context(), push.LetterFilter{Code: dead})
			if err != nil || parked != 20 {
				t.Errorf("%d recipients are parked (%v), want 20", parked, err)
			}
			for i, want := range []push.LetterState{push.LetterDiscarded, push.LetterDiscarded} {
				l, err := w.Letters.Letter(t.Context(), letters[i].ID)
				if err != nil || l.State != want || !strings.Contains(l.Reason, "it held 20 letters") {
					t.Errorf("damaged letter %d is %s, %q (%v)", i, l.State, l.Reason, err)
				}
			}
			if name == "discard" {
				return
			}
			for _, l := range []push.Letter{foreign, newer} {
				if got, err := w.Letters.Letter(t.Context(), l.ID); err != nil || got.State != push.LetterParked {
					t.Errorf("%s is %s (%v)", l.ID, got.State, err)
				}
			}
		})
	}
}

// No advice says to throw away a letter that holds others.
func TestAdviceOnAWrappedLetter(t *testing.T) {
	t.Parallel()
	w := newWorld(t, t.Context)
	ref := w.Chunk(dead)
	for _, body := range [][]byte{w.givenUp(ref, 1), []byte(strings.Replace(string(w.givenUp(ref, 1)), `"v":1`, `"v":9`, 1))} {
		l := w.damaged(push.QueueBulk, body)
		_, err := w.Letters.PutLetters(t.Context(), []push.Letter{l})
		w.Must(err)
		d, err := w.room.Get(t.Context(), l.ID)
		if err != nil || !strings.HasPrefix(d.Advice.Replay, "Keep it.") || strings.Contains(strings.ToLower(d.Advice.Replay), "discard") {
			t.Errorf("%+v (%v)", d.Advice, err)
		}
	}
}

// Mending that dies at any call ends with every recipient there once and nothing
// damaged, and looks at each letter once.
func TestMendSurvives(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(rt, t.Context)
		want := map[push.ID]bool{}
		damaged := 0
		for i := range rapid.IntRange(1, 150).Draw(rt, "letters") {
			if rapid.IntRange(0, 3).Draw(rt, "kind") > 0 {
				_, err := w.Letters.PutLetters(t.Context(), []push.Letter{w.damaged(push.QueueEvents, fmt.Appendf(nil, "noise %d", i))})
				w.Must(err)
				continue
			}
			ref := w.Chunk(dead, dead)
			want[ref.Notification] = true
			damaged++
			_, err := w.Letters.PutLetters(t.Context(),
				[]push.Letter{w.damaged(push.QueueBulk, w.wrap(push.QueueBulk, w.givenUp(ref, 2), rapid.IntRange(0, 2).Draw(rt, "deep")))})
			w.Must(err)
		}
		for range rapid.IntRange(0, 4).Draw(rt, "deaths") {
			w.Calls.Die(rapid.IntRange(1, 12).Draw(rt, "calls"), rapid.Bool().Draw(rt, "after"))
			_, _ = w.room.Mend(t.Context())
			w.reboot()
		}
		if _, err := w.room.Mend(t.Context()); err != nil {
			rt.Fatal(err)
		}
		recipients, tombstones := map[string]int{}, 0
		for _, l := range w.All() {
			switch {
			case l.Kind == push.LetterRecipient && l.State == push.LetterParked:
				recipients[fmt.Sprint(l.Ref(), l.Cell)]++
			case l.State == push.LetterDiscarded:
				tombstones++
			}
		}
		if len(recipients) != 2*len(want) || tombstones != damaged {
			rt.Fatalf("%d recipients of %d, %d tombstones of %d", len(recipients), 2*len(want), tombstones, damaged)
		}
		again := &counting{Memory: w.Letters}
		w.cfg.Letters = again
		w.reboot()
		if n, err := w.room.Mend(t.Context()); err != nil || n != 0 || again.read > mendPage {
			rt.Fatalf("once more: %d mended, %d letters read (%v)", n, again.read, err)
		}
	})
}

// counting counts the letters that are listed.
type counting struct {
	*letterstest.Memory
	read int
}

func (c *counting) Letters(ctx context.Context, f push.LetterFilter, cursor string, limit int) ([]push.Letter, string, error) {
	ls, next, err := c.Memory.Letters(ctx, f, cursor, limit)
	c.read += len(ls)
	return ls, next, err
}

// plans are who the recipients of chunks are.
type plans map[push.ChunkRef][]uint64

func (p plans) Plans(_ context.Context, id push.ID, from, _ int) ([]ledger.Plan, error) {
	ref := push.ChunkRef{Notification: id, Seq: from}
	if p[ref] == nil {
		return nil, nil
	}
	return []ledger.Plan{{Ref: ref, Hashes: p[ref]}}, nil
}

// Others send on the events queue. What came by it is another queue's only if the
// ledger confirms that.
func TestDrainBelievesTheLedger(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		forge  func(ref *push.ChunkRef, hashes []uint64)
		queue  string
		ours   bool
		sealed bool // no plans to ask
	}{
		{"ours", func(*push.ChunkRef, []uint64) {}, push.QueueEvents, true, false},
		{"another address", func(_ *push.ChunkRef, hashes []uint64) { hashes[1]++ }, push.QueueEvents, false, false},
		{"another chunk", func(ref *push.ChunkRef, _ []uint64) { ref.Seq = 7 }, push.QueueEvents, false, false},
		{
			"another notification", func(ref *push.ChunkRef, _ []uint64) { ref.Notification = push.NewID(push.PrefixBatch) }, push.QueueEvents,
			false, false,
		},
		{"no plans", func(*push.ChunkRef, []uint64) {}, push.QueueEvents, false, true},
		{"on a queue of our own", func(_ *push.ChunkRef, hashes []uint64) { hashes[1]++ }, push.QueueHigh, true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, t.Context)
			ref := w.Chunk(dead, dead)
			hashes := []uint64{letterstest.Recipient(ref, 0).Address.Hash(), letterstest.Recipient(ref, 1).Address.Hash()}
			c.forge(&ref, hashes)
			if !c.sealed {
				w.cfg.Plans = plans{push.ChunkRef{Notification: ref.Notification}: hashes}
				w.reboot()
			}
			body := w.givenUp(ref, 2)
			chunk, err := wire.EncodeChunk(
				&push.Chunk{Ref: ref, Tenant: "acme", Attempt: 1, Recipients: []push.Recipient{letterstest.Recipient(ref, 1)}, Index: []int{1}}, "")
			w.Must(err)
			w.Put(c.queue, w.wrap(c.queue, body, 1), chunk)
			w.Drain()
			recipients, messages := 0, 0
			for _, l := range w.All() {
				switch {
				case l.Kind == push.LetterRecipient:
					recipients++
				case c.ours && l.Queue == push.QueueEvents, !c.ours && (l.Queue != push.QueueEvents || l.Code != push.CodeUndecodable):
					t.Errorf("letter of %s, %s: %s", l.Queue, l.Code, l.Detail)
				default:
					messages++
				}
			}
			if want := map[bool][2]int{true: {2, 1}, false: {0, 2}}[c.ours]; [2]int{recipients, messages} != want {
				t.Errorf("%d recipients and %d messages, want %v", recipients, messages, want)
			}
			if n, err := w.room.Mend(t.Context()); err != nil || n != 0 {
				t.Errorf("%d were mended (%v)", n, err)
			}
		})
	}
}

// A message of another queue that was moved to a dead-letter queue is a letter of
// its own queue.
func TestDrainOfAMisplacedMessage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, t.Context)
	ref := w.Chunk(push.CodeOpen)
	task, err := wire.EncodeTask(wire.Task{Op: wire.OpPlan, Notification: ref.Notification, Page: wire.AllPages})
	w.Must(err)
	w.Put(push.QueueHigh, task)
	w.Drain()
	l := w.All()[0]
	if l.Queue != push.QueueNotifications || l.Code != push.CodeUndecodable || l.Notification != ref.Notification ||
		!strings.Contains(l.Detail, "this task was moved") {
		t.Errorf("%+v", l)
	}
}

// Of what was cut there is the evidence, and no replay.
func TestDrainOfACutMessage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, t.Context)
	w.Put(push.QueueEvents, w.Envelope(push.DeadLetter{
		Queue: push.QueueEvents, ID: "1", Code: push.CodeUndecodable, Detail: "not JSON", Body: []byte("the beginning"), Bytes: 1 << 20,
		Sum: strings.Repeat("ab", 32), SentAt: at(0), At: at(1),
	}))
	w.Drain()
	l := w.All()[0]
	if want := "not JSON; the first 13 of its 1048576 bytes are kept, SHA-256 of all: " + strings.Repeat("ab", 32); l.Detail != want ||
		l.Bytes != 1<<20 || string(l.Body) != "the beginning" {
		t.Errorf("%+v", l)
	}
}
