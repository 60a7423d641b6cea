package worker_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/internal/worker"
)

const (
	batch    = push.ID("bat_01890a5d-ac96-774b-bcce-b302099a8058")
	eventual = `{"specversion":"1.0","id":"1","source":"/shop","type":"push.notification.requested.v1","data":{"to":{}}}`
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func aTask() []byte {
	return must(wire.EncodeTask(wire.Task{Op: wire.OpPlan, Notification: batch, Page: wire.AllPages}))
}

func aChunk() *push.Chunk {
	return &push.Chunk{
		Ref: push.ChunkRef{Notification: batch}, Tenant: "acme", Attempt: 1, Index: []int{0},
		Recipients: []push.Recipient{{Address: push.Address{Kind: push.KindToken, Value: "a"}, Line: 1}},
	}
}

// died returns a dead letter as this version writes it.
func died(queue string, code push.Code, body []byte) []byte {
	at := time.Date(2026, 11, 21, 9, 30, 0, 0, time.UTC)
	return must(wire.EncodeDeadLetter(&push.DeadLetter{
		Queue: queue, ID: "first", Code: code, Detail: "why", Body: body, Group: "acme", Receives: 3, SentAt: at, At: at.Add(time.Minute),
		Software: "v1",
	}))
}

func givenUp(queue string) []byte {
	u := wire.Undelivered{Chunk: *aChunk(), Codes: []push.Code{push.CodeNetTimeout}, Detail: []string{"no answer"}}
	return died(queue, push.CodeAttemptsExhausted, must(wire.EncodeUndelivered(&u, "")))
}

func bySNS(body []byte) []byte {
	return must(json.Marshal(map[string]string{"Type": "Notification", "TopicArn": "arn", "Message": string(body)}))
}

// reader is a consumer of its queue as the rooms are: it takes what it can read,
// notes what it got, and calls everything else undecodable.
type reader struct {
	queue  string
	answer worker.Verdict
	mu     sync.Mutex
	got    []worker.Message
}

func (r *reader) Handle(_ context.Context, m worker.Message, _ <-chan struct{}) worker.Verdict {
	var err error
	switch r.queue {
	case push.QueueEvents:
		_, err = wire.DecodeEvent(m.Body)
	case push.QueueNotifications:
		_, err = wire.DecodeTask(m.Body)
	default:
		_, _, err = wire.DecodeChunk(m.Body)
	}
	if err != nil {
		return worker.Dead(push.CodeUndecodable, err.Error())
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got = append(r.got, m)
	return r.answer
}

// moving runs a worker of a queue, gives it one message, and returns what it did
// and what the handler got. homes are the other queues.
func moving(t *testing.T, queue string, body []byte, answer worker.Verdict,
	homes bool,
) (done, dead []string, passed map[string][]byte, lastDead []byte, got []worker.Message) {
	t.Helper()
	r := &reader{queue: queue, answer: answer}
	cfg, passed, others := worker.Config{Name: queue, Software: "v2"}, map[string][]byte{}, map[string]*fake{}
	if homes {
		cfg.Homes = map[string]worker.Sink{}
		for _, name := range push.Queues() {
			others[name] = newFake()
			cfg.Homes[name] = others[name]
		}
	}
	run(t, cfg, r.Handle, func(rig *rig) {
		rig.q.in <- worker.Message{ID: "new", Receipt: "r", Body: body, Group: "acme", Receives: 1, SentAt: time.Now()}
		pause(time.Second)
		done, dead, lastDead = rig.q.done(), rig.dead.done(), rig.dead.last
	})
	for name, other := range others {
		if other.last != nil {
			passed[name] = other.last
		}
	}
	return done, dead, passed, lastDead, r.got
}

// What is on any dead-letter queue is moved to any queue: it is handled there, or
// put where it belongs as it is. It is never called foreign.
func TestMovedMessages(t *testing.T) {
	t.Parallel()
	const (
		handled = "handled"
		putBack = "put back"
	)
	chunk := must(wire.EncodeChunk(aChunk(), ""))
	damaged := func(queue string, body []byte, times int) []byte {
		for range times {
			body = died(queue, push.CodeUndecodable, body)
		}
		return body
	}
	newer := func(b []byte) []byte { return bytes.Replace(b, []byte(`"v":1`), []byte(`"v":9`), 1) }
	cut := must(wire.EncodeDeadLetter(&push.DeadLetter{
		Queue: push.QueueEvents, Code: push.CodeUndecodable, Body: []byte(eventual), Bytes: 1 << 20,
	}))
	for _, c := range []struct {
		name, queue string
		body        []byte
		want        string // or the queue that it goes to
	}{
		{"a dead event", push.QueueEvents, died(push.QueueEvents, push.CodePayloadInvalid, []byte(eventual)), handled},
		{"a dead event that came by SNS", push.QueueEvents, bySNS(died(push.QueueEvents, push.CodePayloadInvalid, []byte(eventual))), handled},
		{
			"a dead event, wrapped by an older version", push.QueueEvents,
			damaged(push.QueueEvents, died(push.QueueEvents, push.CodePayloadInvalid, []byte(eventual)), 3), handled,
		},
		{"a dead task", push.QueueNotifications, died(push.QueueNotifications, push.CodeUnexpandable, aTask()), handled},
		{
			"a dead task of an older program, without an id", push.QueueNotifications,
			bytes.Replace(died("", push.CodeUnexpandable, aTask()), []byte(`"message_id":"first",`), nil, 1), handled,
		},
		{"a dead chunk", push.QueueBulk, died(push.QueueBulk, push.CodeUnexpandable, chunk), handled},
		{"a dead chunk of another lane", push.QueueReplay, died(push.QueueHigh, push.CodeUndecodable, chunk), handled},
		{
			"a dead chunk, wrapped by an older version", push.QueueBulk,
			damaged(push.QueueBulk, died(push.QueueBulk, push.CodeUnexpandable, chunk), 2), handled,
		},
		{"a chunk by SNS", push.QueueBulk, bySNS(chunk), handled},

		{"recipients", push.QueueBulk, givenUp(push.QueueBulk), putBack},
		{"recipients of another lane", push.QueueHigh, givenUp(push.QueueBulk), putBack},
		{"recipients, wrapped by an older version", push.QueueBulk, damaged(push.QueueBulk, givenUp(push.QueueBulk), 3), putBack},
		{"recipients on the events queue", push.QueueEvents, givenUp(push.QueueBulk), putBack},
		{"recipients on the notifications queue", push.QueueNotifications, givenUp(push.QueueReplay), putBack},
		{"a dead event on a delivery queue", push.QueueHigh, died(push.QueueEvents, push.CodePayloadInvalid, []byte(eventual)), putBack},
		{"a dead task on the events queue", push.QueueEvents, died(push.QueueNotifications, push.CodeUnexpandable, aTask()), putBack},
		{"a dead chunk on the notifications queue", push.QueueNotifications, died(push.QueueBulk, push.CodeUnexpandable, chunk), putBack},
		{"a letter of a newer version", push.QueueBulk, newer(givenUp(push.QueueBulk)), putBack},
		{"a letter of a newer version, wrapped", push.QueueBulk, damaged(push.QueueBulk, newer(givenUp(push.QueueBulk)), 1), putBack},
		{"a letter whose message was cut", push.QueueEvents, cut, putBack},

		{"a chunk on the notifications queue", push.QueueNotifications, chunk, push.QueueReplay},
		{"a task on a delivery queue", push.QueueHigh, aTask(), push.QueueNotifications},
		{"an event on a delivery queue", push.QueueReplay, []byte(eventual), push.QueueEvents},
		{"an event of SNS on the notifications queue", push.QueueNotifications, bySNS([]byte(eventual)), push.QueueEvents},
		{"a newer chunk on the notifications queue", push.QueueNotifications, newer(chunk), push.QueueReplay},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			done, dead, passed, last, got := moving(t, c.queue, c.body, worker.Ack(), true)
			if diff := cmp.Diff([]string{"delete:new;"}, done); diff != "" {
				t.Errorf("on its queue (-want +got):\n%s", diff)
			}
			want := map[string][]byte{}
			switch c.want {
			case handled:
				if len(got) != 1 || len(dead) != 0 || got[0].Receipt != "r" || got[0].Receives != 1 {
					t.Errorf("handled %v, dead %v", got, dead)
				}
			case putBack:
				if len(got) != 0 || len(dead) != 1 || !bytes.Equal(last, c.body) {
					t.Errorf("handled %v, dead %v: %s", got, dead, last)
				}
			default:
				want[c.want] = c.body
				if len(got)+len(dead) != 0 {
					t.Errorf("handled %v, dead %v", got, dead)
				}
			}
			if diff := cmp.Diff(want, passed); diff != "" {
				t.Errorf("sent on (-want +got):\n%s", diff)
			}
		})
	}
}

// Without a way to where it belongs, as on the queue that others send on, a
// message of ours goes to the dead-letter queue as it is.
func TestMovedWithoutAWay(t *testing.T) {
	t.Parallel()
	for _, body := range [][]byte{must(wire.EncodeChunk(aChunk(), "")), aTask()} {
		done, dead, _, last, _ := moving(t, push.QueueEvents, body, worker.Ack(), false)
		if len(done) != 1 || len(dead) != 1 || !bytes.Equal(last, body) {
			t.Errorf("%v, %v: %s", done, dead, last)
		}
	}
}

// What a handler says of a dead letter's message holds: dead again, it is the
// letter that it was; to be tried later, it comes with its letter.
func TestMovedVerdicts(t *testing.T) {
	t.Parallel()
	body := died(push.QueueNotifications, push.CodeUnexpandable, aTask())
	before, err := wire.DecodeDeadLetter(body)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("dead again", func(t *testing.T) {
		t.Parallel()
		_, _, _, last, got := moving(t, push.QueueNotifications, body, worker.Dead(push.CodeUnexpandable, "page 2 is missing"), true)
		after, err := wire.DecodeDeadLetter(last)
		want := before
		want.Detail, want.Receives, want.Software, want.At = "page 2 is missing", 4, "v2", after.At
		if diff := cmp.Diff(want, after); diff != "" || err != nil {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
		if len(got) != 1 || got[0].ID != "first" || got[0].Group != "acme" || !got[0].SentAt.Equal(before.SentAt) || got[0].Letter == nil {
			t.Errorf("the handler got %+v", got)
		}
	})
	t.Run("unreadable all the same", func(t *testing.T) {
		t.Parallel()
		foreign := died(push.QueueNotifications, push.CodeUndecodable, []byte("hello"))
		_, _, _, last, _ := moving(t, push.QueueNotifications, died(push.QueueNotifications, push.CodeUndecodable, foreign), worker.Ack(), true)
		after, err := wire.DecodeDeadLetter(last)
		if err != nil || string(after.Body) != "hello" || after.ID != "first" || after.Code != push.CodeUndecodable || after.Receives != 4 {
			t.Errorf("%+v (%v)", after, err)
		}
	})
	t.Run("later", func(t *testing.T) {
		t.Parallel()
		done, dead, _, _, _ := moving(t, push.QueueNotifications, body, worker.RetryAfter(5*time.Second, nil), true)
		if diff := cmp.Diff([]string{fmt.Sprintf("send:%.60s+5s;", body), "delete:new;"}, done); diff != "" || len(dead) > 0 {
			t.Errorf("dead %v (-want +got):\n%s", dead, diff)
		}
	})
	t.Run("none", func(t *testing.T) {
		t.Parallel()
		done, dead, _, _, _ := moving(t, push.QueueNotifications, body, worker.Leave(), true)
		if len(done)+len(dead) > 0 {
			t.Errorf("done %v, dead %v", done, dead)
		}
	})
}

// Somebody else's message of any size up to the queue's limit is dead-lettered
// with its reason, and takes the others of its batch along.
func TestLargeForeignMessages(t *testing.T) {
	t.Parallel()
	long := bytes.Repeat([]byte("no sense "), worker.MaxBodyBytes/9+1)
	for _, size := range []int{900_000, 900 << 10, worker.MaxBodyBytes} {
		h := worker.HandlerFunc(func(context.Context, worker.Message, <-chan struct{}) worker.Verdict {
			return worker.Dead(push.CodeUndecodable, strings.Repeat("/a: unknown field; ", 10_000))
		})
		run(t, worker.Config{Name: push.QueueEvents, Concurrency: 10}, h, func(r *rig) {
			for i := range 10 {
				r.q.in <- worker.Message{ID: strconv.Itoa(i), Receipt: strconv.Itoa(i), Body: long[:size], Receives: 1, SentAt: time.Now()}
			}
			pause(time.Second)
			deleted := strings.Join(r.q.done(), "")
			for i := range 10 {
				if !strings.Contains(deleted, fmt.Sprintf("%d;", i)) {
					t.Errorf("%d bytes: %d stays on its queue: %s", size, i, deleted)
				}
			}
			d, err := wire.DecodeDeadLetter(r.dead.last)
			if err != nil || len(r.dead.last) > worker.MaxBodyBytes || !bytes.Equal(d.Body, long[:size]) ||
				!strings.HasSuffix(d.Detail, "(190000 bytes in all)") || len(d.Detail) > 5000 {
				t.Errorf("%d bytes: a letter of %d with %d of them, %.100s (%v)", size, len(r.dead.last), len(d.Body), d.Detail, err)
			}
		})
	}
}
