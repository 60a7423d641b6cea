package letters

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	"pgregory.net/rapid"

	"github.com/belfry-push/belfry/internal/letters/letterstest"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/internal/worker"
	"github.com/belfry-push/belfry/internal/worker/workertest"
)

const dead = push.CodeAttemptsExhausted

func TestDrainSplitsRecipients(t *testing.T) {
	t.Parallel()
	w := newWorld(t, t.Context)
	ref := w.Chunk(dead, push.CodeSent, dead)
	head := w.Head(ref.Notification)
	head.Labels = map[string]string{"template": "welcome"}
	w.Ledger.PutNotification(head)
	c := push.Chunk{
		Ref: ref, Tenant: "acme", Attempt: 5, Turn: 4, Series: 1, Replay: "rpl_01890a5d-ac96-774b-bcce-b302099a8059",
		Recipients: []push.Recipient{
			{Address: push.Address{Kind: push.KindToken, Value: "t0"}, UserID: "u", Line: 7}, letterstest.Recipient(ref, 2),
		}, Index: []int{0, 2}, Attempts: []int{5, 3},
	}
	u := wire.Undelivered{Chunk: c, Codes: []push.Code{push.CodeNetTimeout, push.CodeFCMUnavailable}, Detail: []string{"no answer in 10s", ""}}
	body, err := wire.EncodeUndelivered(&u, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	w.Must(err)
	envelope := w.Envelope(push.DeadLetter{Queue: push.QueueBulk, Code: dead, Body: body, SentAt: at(0), At: at(60), Software: "v1"})
	w.Put(push.QueueBulk, envelope)
	for i, want := range []Drained{{Messages: 1, Letters: 2, Stored: 2}, {Messages: 1, Letters: 2}} {
		got, err := w.room.Drain(t.Context())
		if err != nil || got != want {
			t.Fatalf("drain %d: %+v (%v), want %+v", i, got, err, want)
		}
		w.Put(push.QueueBulk, envelope) // it came twice
	}
	letters := w.All()
	want := push.Letter{
		ID: letters[0].ID, Kind: push.LetterRecipient, Tenant: "acme", App: "project", Queue: push.QueueBulk, Code: dead,
		LastCode: push.CodeNetTimeout,
		Detail:   "no answer in 10s", Attempts: 5, Series: 1, ReplayOf: c.Replay, Notification: ref.Notification, Cell: 0, Turn: 4,
		Recipient:  c.Recipients[0],
		AcceptedAt: head.AcceptedAt.Truncate(time.Microsecond), DeadAt: at(60), StoredAt: letters[0].StoredAt,
		TraceParent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", Software: "v1", Labels: head.Labels,
		Fingerprint: letters[0].Fingerprint, Template: "welcome", Pattern: "no answer in #s", State: push.LetterParked, Version: 1,
	}
	if diff := cmp.Diff(want, letters[0]); diff != "" {
		t.Errorf("letter (-want +got):\n%s", diff)
	}
	if l := letters[1]; l.Cell != 2 || l.Attempts != 3 || l.LastCode != push.CodeFCMUnavailable || l.Fingerprint == letters[0].Fingerprint {
		t.Errorf("second letter: %+v", l)
	}
}

// A recipient that killed workers is one letter, with its address: deliver has
// found it.
func TestDrainOfAPoisonousRecipient(t *testing.T) {
	t.Parallel()
	w := newWorld(t, t.Context)
	ref := w.Chunk(push.CodeSent, push.CodePoison)
	c := push.Chunk{
		Ref: ref, Tenant: "acme", Attempt: 1, Recipients: []push.Recipient{letterstest.Recipient(ref, 1)}, Index: []int{1}, Attempts: []int{1},
	}
	const story = "the worker died 11 times while sending to this recipient, the last time to it alone"
	body, err := wire.EncodeUndelivered(&wire.Undelivered{Chunk: c, Codes: []push.Code{push.CodeOpen}, Detail: []string{story}}, "")
	w.Must(err)
	w.Put(push.QueueBulk,
		w.Envelope(
			push.DeadLetter{Queue: push.QueueBulk, Code: push.CodePoison, Body: body, Receives: 12, SentAt: at(0), At: at(60), Software: "v1"},
		))
	if got, err := w.room.Drain(t.Context()); err != nil || got.Stored != 1 {
		t.Fatalf("drain: %+v (%v)", got, err)
	}
	l := w.All()[0]
	if l.Kind != push.LetterRecipient || l.Code != push.CodePoison || l.Cause() != push.CodePoison || l.Cell != 1 || l.Detail != story ||
		l.Recipient.Address != c.Recipients[0].Address || l.Software != "v1" || l.Attempts != 1 ||
		l.TraceParent != w.Head(ref.Notification).TraceParent {
		t.Errorf("letter: %+v", l)
	}
}

// The same recipient dead again after a replay is another letter.
func TestDrainOfALaterTurn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, t.Context)
	ref := w.Chunk(dead)
	for turn, want := range []int{1, 2, 3} {
		line := w.Line(ref)
		line.Turn = turn
		w.Ledger.PutLine(line)
		w.Die(ref)
		w.Die(ref)
		if got := len(w.All()); got != want {
			t.Errorf("%d letters after %d turns", got, turn)
		}
	}
}

func TestDrainKeepsMessages(t *testing.T) {
	t.Parallel()
	w := newWorld(t, t.Context)
	ref := w.Chunk(push.CodeOpen)
	chunk := push.Chunk{
		Ref: ref, Tenant: "acme", Attempt: 2, Turn: 3, Recipients: []push.Recipient{letterstest.Recipient(ref, 0)}, Index: []int{0},
	}
	chunkBody, err := wire.EncodeChunk(&chunk, "")
	w.Must(err)
	task, err := wire.EncodeTask(wire.Task{Op: wire.OpPlan, Notification: ref.Notification, Page: wire.AllPages})
	w.Must(err)
	unreadable := []byte("{\x00\xff\"")
	for _, c := range []struct {
		name, queue string
		body        []byte
		want        push.Letter // what the case is about
	}{
		{
			"an undecodable event", push.QueueEvents,
			w.Envelope(push.DeadLetter{
				Queue: push.QueueEvents, Code: push.CodeUndecodable, Detail: "not JSON", Body: unreadable, Receives: 2,
				SentAt: at(0), At: at(1), Software: "v1",
			}),
			push.Letter{Code: push.CodeUndecodable, Detail: "not JSON", Body: unreadable, Attempts: 2, Software: "v1", DeadAt: at(1)},
		},
		{
			"an unexpandable task", push.QueueNotifications,
			w.Envelope(
				push.DeadLetter{Queue: push.QueueNotifications, Code: push.CodeUnexpandable, Body: task, Group: "acme", SentAt: at(0), At: at(1)},
			),
			push.Letter{Code: push.CodeUnexpandable, Body: task, Notification: ref.Notification, Tenant: "acme", DeadAt: at(1)},
		},
		{
			"a poisonous chunk, bare", push.QueueBulk, chunkBody,
			push.Letter{
				Code: push.CodePoison, Body: chunkBody, Notification: ref.Notification, Turn: 3, Tenant: "acme", Attempts: push.MaxReceives,
				Software: "v2", Detail: "received 20 times without a verdict",
			},
		},
		{
			"poisonous bytes, bare", push.QueueHigh, unreadable,
			push.Letter{
				Code: push.CodePoison, Body: unreadable, Tenant: "acme", Attempts: push.MaxReceives, Software: "v2",
				Detail: "received 20 times without a verdict",
			},
		},
		{
			"a list of recipients that can't be read", push.QueueReplay,
			w.Envelope(push.DeadLetter{Queue: push.QueueReplay, Code: dead, Body: []byte("?"), SentAt: at(0), At: at(1)}),
			push.Letter{Code: dead, Body: []byte("?"), DeadAt: at(1)},
		},
	} {
		before := len(w.All())
		w.Put(c.queue, c.body)
		w.Drain()
		all := w.All()
		if len(all) != before+1 {
			t.Fatalf("%s makes %d letters", c.name, len(all)-before)
		}
		got := all[before]
		if string(got.Body) != string(c.want.Body) || got.Kind != push.LetterMessage || got.Cell != -1 || got.Queue != c.queue {
			t.Errorf("%s: %+v", c.name, got)
		}
		if got.Code != c.want.Code || got.Detail != c.want.Detail || got.Attempts != c.want.Attempts || got.Software != c.want.Software ||
			got.Notification != c.want.Notification || got.Turn != c.want.Turn || c.want.Tenant != "" && got.Tenant != c.want.Tenant ||
			!c.want.DeadAt.IsZero() && !got.DeadAt.Equal(c.want.DeadAt) {
			t.Errorf("%s: %+v\nwant %+v", c.name, got, c.want)
		}
	}
}

// A letter follows the message, not its bytes: what was sent twice is there
// twice, and what is drained twice once.
func TestDrainTellsMessagesApart(t *testing.T) {
	t.Parallel()
	same := []byte("not an event")
	given := func(w *world, id string, receives int) []byte {
		return w.Envelope(push.DeadLetter{
			Queue: push.QueueEvents, ID: id, Code: push.CodeUndecodable, Body: same, Receives: receives, SentAt: at(0), At: at(receives),
		})
	}
	for _, c := range []struct {
		name string
		dead func(w *world) [][]byte
		want int
	}{
		{"moved by the queue itself", func(*world) [][]byte { return [][]byte{same, same} }, 2},
		{"given up", func(w *world) [][]byte { return [][]byte{given(w, "1", 1), given(w, "2", 1)} }, 2},
		{"one given up twice, after a crash", func(w *world) [][]byte { return [][]byte{given(w, "1", 1), given(w, "1", 2)} }, 1},
		{"given up by an older program", func(w *world) [][]byte { return [][]byte{given(w, "", 1), given(w, "", 1)} }, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, t.Context)
			w.Put(push.QueueEvents, c.dead(w)...)
			w.Calls.Die(1+c.want, false) // dies after the write, before the delete
			_, err := w.room.Drain(t.Context())
			w.reboot()
			if w.Dead[push.QueueEvents].Len() == 0 {
				t.Fatalf("the first drain deleted all (%v)", err)
			}
			w.Drain()
			if got := len(w.All()); got != c.want || w.Dead[push.QueueEvents].Len() != 0 {
				t.Errorf("%d letters, want %d; %d messages left", got, c.want, w.Dead[push.QueueEvents].Len())
			}
		})
	}
}

// What SNS put on the dead-letter queue itself, because it could not deliver it
// to the events queue, was never handled: it says so and is worth a replay, raw
// or in SNS's wrapper. What the queue's own redrive moved is poison.
func TestDrainOfUndelivered(t *testing.T) {
	t.Parallel()
	const event = `{"specversion":"1.0","id":"1","source":"urn:shop","type":"push.notification.requested.v1","data":{}}`
	for _, c := range []struct {
		name     string
		queue    string
		body     string
		receives int
		want     push.Code
	}{
		{"raw", push.QueueEvents, event, 1, push.CodeUndelivered},
		{"wrapped", push.QueueEvents, `{"Type":"Notification","MessageId":"1","Message":` + strconv.Quote(event) + `}`, 2, push.CodeUndelivered},
		{"moved by the redrive", push.QueueEvents, event, push.MaxReceives + 1, push.CodePoison},
		{"on a queue that no topic feeds", push.QueueNotifications, "?", 1, push.CodePoison},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, t.Context)
			core, logs := observer.New(zap.InfoLevel)
			w.cfg.Log = zap.New(core)
			w.reboot()
			w.Dead[c.queue].PutMessage(worker.Message{Body: []byte(c.body), Group: "acme", Receives: c.receives - 1})
			w.Drain()
			w.Drain() // what is stored already is not told again
			lines := logs.FilterField(zap.Stringer("code", c.want)).FilterField(zap.String("tenant", "acme"))
			if lines.FilterField(zap.Int("letters", 1)).Len() != 1 || lines.Len() != 1 {
				t.Errorf("told %v, want one line: no worker gave it up", logs.All())
			}
			all := w.All()
			if len(all) != 1 || all[0].Code != c.want || string(all[0].Body) != c.body || all[0].Queue != c.queue {
				t.Fatalf("letters %+v, want one of %s with the event", all, c.want)
			}
		})
	}
}

// What a newer program wrote stays on its queue for a drain of that version.
func TestDrainLeavesNewer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, t.Context)
	newer := strings.Replace(string(w.Envelope(push.DeadLetter{Queue: push.QueueEvents, Code: push.CodeUndecodable, Body: []byte("x")})),
		`"v":1`, `"v":9`, 1)
	d := &drainer{Room: w.room}
	q := w.Dead[push.QueueEvents]
	w.Put(push.QueueEvents, []byte(newer), []byte("poison"))
	if _, err := d.round(t.Context(), push.QueueEvents, q, 0); err != nil {
		t.Fatal(err)
	}
	if got := d.sum(); got != (Drained{Messages: 1, Letters: 1, Stored: 1, Left: 1}) || q.Len() != 1 {
		t.Errorf("%+v, %d messages left", got, q.Len())
	}
}

// A drain that dies at any call, again and again, ends with every letter stored
// once and an empty queue.
func TestDrainSurvives(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(rt, t.Context)
		want := 0
		for range rapid.IntRange(1, 12).Draw(rt, "chunks") {
			cells := rapid.IntRange(1, 4).Draw(rt, "cells")
			c := push.Chunk{Ref: w.Chunk(make([]push.Code, cells)...), Tenant: "acme", Attempt: 1}
			for i := range cells {
				c.Recipients, c.Index = append(c.Recipients, letterstest.Recipient(c.Ref, i)), append(c.Index, i)
			}
			want += cells
			w.AddDeadLetter(&c, push.QueueBulk)
		}
		for range rapid.IntRange(0, 6).Draw(rt, "deaths") {
			w.Calls.Die(rapid.IntRange(1, 8).Draw(rt, "calls"), rapid.Bool().Draw(rt, "after"))
			if _, err := w.room.Drain(t.Context()); err != nil && !errors.Is(err, workertest.ErrFault) {
				rt.Fatalf("drain: %v", err)
			}
			w.reboot()
			if on, stored := w.Dead[push.QueueBulk].Len(), len(w.All()); on == 0 && stored != want {
				rt.Fatalf("the queue is empty and %d of %d letters are stored", stored, want)
			}
		}
		if _, err := w.room.Drain(t.Context()); err != nil {
			rt.Fatalf("drain: %v", err)
		}
		if got := len(w.All()); got != want || w.Dead[push.QueueBulk].Len() != 0 {
			rt.Fatalf("%d of %d letters stored, %d messages left", got, want, w.Dead[push.QueueBulk].Len())
		}
	})
}

func TestDrainWatch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, t.Context)
		core, lines := observer.New(zap.InfoLevel)
		w.cfg.Log, w.cfg.Loops = zap.New(core), 4
		w.cfg.Dead = map[string]worker.Queue{push.QueueEvents: workertest.Around{Queue: w.Dead[push.QueueEvents], Do: w.Calls.Do}}
		w.reboot()
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan Drained)
		go func() {
			d, err := w.room.DrainWatch(ctx)
			if err != nil {
				t.Error(err)
			}
			ended <- d
		}()
		w.Calls.Die(2, false) // the store is away for a minute
		w.Put(push.QueueEvents, []byte("one"))
		time.Sleep(time.Minute)
		w.Calls.Mend()
		time.Sleep(time.Minute)
		cancel()
		if d := <-ended; d != (Drained{Messages: 1, Letters: 1, Stored: 1}) {
			t.Errorf("drained %+v", d)
		}
		// However many loops fail however often: when it begins and when it is over.
		for _, message := range []string{"draining failed; trying again", "dead letters are drained again"} {
			if n := lines.FilterMessage(message).Len(); n != 1 {
				t.Errorf("%q was told %d times", message, n)
			}
		}
	})
}

// A bounded drain ends while messages keep coming, and says that there may be more; what it
// took it has stored.
func TestDrainFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, t.Context)
		room := w.other(func(c *Config) {
			c.Dead = map[string]worker.Queue{push.QueueEvents: &endless{Queue: c.Dead[push.QueueEvents], put: func(n int) {
				w.Put(push.QueueEvents, []byte(strconv.Itoa(n)))
			}}}
		})
		got, err := room.DrainFor(t.Context(), 10*time.Second)
		if want := (Drained{Messages: 10, Letters: 10, Stored: 10, More: true}); err != nil || got != want {
			t.Errorf("drained %+v (%v), want %+v", got, err, want)
		}
		if got, err := w.room.DrainFor(t.Context(), 10*time.Second); err != nil || got.More {
			t.Errorf("empty queues are drained as %+v (%v)", got, err)
		}
	})
}

// endless is a queue that gets a message a second, for whoever waits for it.
type endless struct {
	worker.Queue

	put func(int)
	n   int
}

func (q *endless) Receive(ctx context.Context, limit int, wait time.Duration) ([]worker.Message, error) {
	worker.Wait(ctx, time.Second)
	q.n++
	q.put(q.n)
	return q.Queue.Receive(ctx, limit, wait)
}
