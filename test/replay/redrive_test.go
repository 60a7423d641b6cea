package replay

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/belfry-push/belfry/internal/letters"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/replay"
	"github.com/belfry-push/belfry/internal/replay/predict"
	"github.com/belfry-push/belfry/internal/wire"
)

// What an operator does at SQS's console: every kind of dead letter is moved back
// to its queue, and to others, again and again, before drain comes to see it.
// Nothing becomes another letter than it was, and everybody gets one message.
func TestRedrive(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, h *house) {
		t.Helper()
		pages := h.startRooms()
		redriveRecipients(t, h)
		redriveTask(t, h, pages)
		redriveEvents(t, h)
		redriveChunk(t, h)
		if d := h.drain(); d.Messages != 0 {
			t.Errorf("left over: %+v", d)
		}
		if most := h.fcm.most(); most != 1 {
			t.Errorf("a token was sent to %d times", most)
		}
	})
}

// letterOf is the id that a recipient's letter has.
func letterOf(id push.ID, cell, turn int) push.ID {
	return push.DerivedID(push.PrefixDeadLetter, tenant, fmt.Sprintf("%s#0#%d#%d", id, cell, turn))
}

func redriveRecipients(t *testing.T, h *house) {
	t.Helper()
	id := push.NewID(push.PrefixBatch)
	h.fcm.outage(func(string) bool { return true })
	h.send(id, 20, nil)
	h.counts(id)
	dlq := push.DeadLetterQueue(push.QueueBulk)
	was := h.peek(dlq)
	for _, to := range []string{push.QueueBulk, push.QueueBulk, push.QueueHigh, push.QueueReplay, push.QueueNotifications, push.QueueEvents} {
		h.move(dlq, to)
		dlq = push.DeadLetterQueue(to) // where the one who got it puts it
	}
	if now := h.peek(dlq); !bytes.Equal(now.Body, was.Body) {
		t.Errorf("the letter is another after its travels: %s", now.Body)
	}
	if d := h.drain(); d.Letters != 20 || d.Stored != 20 {
		t.Fatalf("drained: %+v", d)
	}
	for cell := range 20 {
		l, err := h.store.Letter(t.Context(), letterOf(id, cell, 0))
		if err != nil || l.Code != push.CodeAttemptsExhausted || l.Queue != push.QueueBulk || l.Cell != cell ||
			string(l.Recipient.Address.Value) != fmt.Sprintf("%s-%03d", id, cell) {
			t.Errorf("letter of recipient %d: %+v (%v)", cell, l, err)
		}
	}
	h.fcm.outage(nil)
	s := h.replay(predict.SimulateRequest{Filter: push.LetterFilter{Notification: id}}, replay.Options{})
	if s.State != replay.RunCompleted || s.Known != 20 || s.Refailed != 0 {
		t.Errorf("replay: %+v", s)
	}
	if c := h.counts(id); c.ByCode[push.CodeSent] != 20 {
		t.Errorf("after the replay: %v", c.ByClass())
	}
	// A copy of the letter that turns up now says nothing new.
	h.enqueue(push.QueueBulk, was.Body)
	h.peek(push.DeadLetterQueue(push.QueueBulk))
	if d := h.drain(); d.Letters != 20 || d.Stored != 0 {
		t.Errorf("drained once more: %+v", d)
	}
	if _, err := h.room.Simulate(t.Context(), predict.SimulateRequest{All: true}); !errors.Is(err, letters.ErrNothing) {
		t.Errorf("there is something to replay: %v", err)
	}
}

// redriveTask moves the task of a notification that could not be expanded: it is
// tried again, and stays the same letter as long as that fails.
func redriveTask(t *testing.T, h *house, pages *shelf) {
	t.Helper()
	id := push.NewID(push.PrefixBatch)
	n := push.Notification{
		ID: id, Tenant: tenant, Message: push.Message(`{"notification":{"title":"Hi"}}`), Priority: push.PriorityBulk,
		Guarantee:  push.AtLeastOnce,
		AcceptedAt: time.Now().UTC().Truncate(time.Microsecond), TTL: push.MaxTTL,
		Progress: push.Progress{State: push.StateAccepted, Enqueued: true, Sources: 20, Pages: 1},
	}
	if _, _, err := h.store.Create(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	task, err := wire.EncodeTask(wire.Task{Op: wire.OpPlan, Notification: id, Page: wire.AllPages})
	if err != nil {
		t.Fatal(err)
	}
	dlq := push.DeadLetterQueue(push.QueueNotifications)
	h.enqueue(push.QueueNotifications, task)
	first := h.letter(dlq)
	h.move(dlq, push.QueueNotifications)
	h.move(dlq, push.QueueHigh)
	dlq = push.DeadLetterQueue(push.QueueHigh)
	if again := h.letter(dlq); again.ID != first.ID || !again.SentAt.Equal(first.SentAt) || again.Code != push.CodeUnexpandable ||
		!bytes.Equal(again.Body, task) || again.Receives <= first.Receives {
		t.Errorf("dead again: %+v, before %+v", again, first)
	}
	tokens := make([]string, 20)
	for i := range tokens {
		tokens[i] = fmt.Sprintf("%s-%03d", id, i)
	}
	page, err := wire.EncodeUploadPage(&wire.UploadPage{First: 1, Last: 20, Recipients: toTokens(tokens...)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pages.PutPage(t.Context(), id, push.PageUpload, 0, page); err != nil {
		t.Fatal(err)
	}
	h.move(dlq, push.QueueNotifications)
	if c := h.counts(id); c.ByCode[push.CodeSent] != 20 {
		t.Errorf("after the redrive: %v", c.ByClass())
	}
}

// letter waits for a dead letter and leaves it on its queue.
func (h *house) letter(dlq string) push.DeadLetter {
	h.tb.Helper()
	d, err := wire.DecodeDeadLetter(h.peek(dlq).Body)
	if err != nil {
		h.tb.Fatal(err)
	}
	return d
}

func redriveEvents(t *testing.T, h *house) {
	t.Helper()
	event := func(id, body string) []byte {
		return []byte(`{"specversion":"1.0","id":"` + id + `","source":"/shop","type":"push.notification.requested.v1","data":` + body + `}`)
	}
	// One that stays invalid is one letter, however often it is tried.
	bad := event("bad-"+string(push.NewID(push.PrefixEvent)), `{"to":{"tokens":["t"]},"message":{"nonsense":1}}`)
	dlq := push.DeadLetterQueue(push.QueueEvents)
	h.enqueue(push.QueueEvents, bad)
	first := h.letter(dlq)
	for range 3 {
		h.move(dlq, push.QueueEvents)
	}
	if d := h.letter(dlq); d.ID != first.ID || d.Code != push.CodePayloadInvalid || !bytes.Equal(d.Body, bad) {
		t.Errorf("dead again: %+v, before %+v", d, first)
	}
	if d := h.drain(); d.Stored != 1 {
		t.Errorf("drained: %+v", d)
	}
	listed, _, err := h.kept.List(t.Context(), push.LetterFilter{Queue: push.QueueEvents}, "", 10)
	if err != nil || len(listed) != 1 || listed[0].Code != push.CodePayloadInvalid || !bytes.Equal(listed[0].Body, bad) {
		t.Fatalf("letters: %+v (%v)", listed, err)
	}
	if _, err := h.kept.Discard(t.Context(),
		letters.DiscardRequest{Filter: push.LetterFilter{IDs: []push.ID{listed[0].ID}}, Reason: "the producer sent it again"}); err != nil {
		t.Fatal(err)
	}
	// One that an older program could not read, by SNS, is accepted now: once.
	token := "by-event-" + string(push.NewID(push.PrefixEvent))
	good := event(token, `{"to":{"tokens":["`+token+`"]},"message":{"notification":{"title":"Hi"}}}`)
	sns, err := json.Marshal(map[string]string{"Type": "Notification", "TopicArn": "arn:aws:sns:x", "Message": string(good)})
	if err != nil {
		t.Fatal(err)
	}
	body, err := wire.EncodeDeadLetter(
		&push.DeadLetter{Queue: push.QueueEvents, ID: "9", Code: push.CodeUndecodable, Body: sns, SentAt: time.Now(), At: time.Now()},
	)
	if err != nil {
		t.Fatal(err)
	}
	h.enqueue(push.QueueEvents, body)
	h.enqueue(push.QueueHigh, sns) // and as it was, on the wrong queue
	h.fcm.until(t, token)
}

// until waits until FCM has accepted a message for the token.
func (f *fakeFCM) until(t *testing.T, token string) {
	t.Helper()
	for {
		f.mu.Lock()
		n := f.accepted[token]
		f.mu.Unlock()
		if n > 0 {
			return
		}
		pause := time.NewTimer(5 * time.Millisecond)
		select {
		case <-pause.C:
		case <-t.Context().Done():
			t.Fatalf("nothing was sent to %s", token)
		}
	}
}

// redriveChunk moves a chunk that died because its line was away, wrapped once
// more by an older version, and the chunk itself to the wrong queue: the line
// decides, and each recipient gets one message.
func redriveChunk(t *testing.T, h *house) {
	t.Helper()
	id := push.NewID(push.PrefixBatch)
	tokens := make([]string, 20)
	for i := range tokens {
		tokens[i] = fmt.Sprintf("%s-%03d", id, i)
	}
	chunk := push.Chunk{Ref: push.ChunkRef{Notification: id}, Tenant: tenant, Attempt: 1, Recipients: toTokens(tokens...)}
	for i := range tokens {
		chunk.Index = append(chunk.Index, i)
	}
	h.enqueue(push.QueueBulk, h.encode(&chunk))
	dlq := push.DeadLetterQueue(push.QueueBulk)
	if d := h.letter(dlq); d.Code != push.CodeUnexpandable {
		t.Fatalf("without its line: %+v", d)
	}
	m := h.take(dlq)
	h.discard(dlq, m)
	h.plan(id, toTokens(tokens...), nil)
	wrapped, err := wire.EncodeDeadLetter(
		&push.DeadLetter{Queue: push.QueueBulk, ID: "8", Code: push.CodeUndecodable, Body: m.Body, SentAt: time.Now(), At: time.Now()},
	)
	if err != nil {
		t.Fatal(err)
	}
	h.enqueue(push.QueueBulk, wrapped)
	h.enqueue(push.QueueHigh, m.Body)
	h.enqueue(push.QueueNotifications, h.encode(&chunk))
	if c := h.counts(id); c.ByCode[push.CodeSent] != 20 {
		t.Errorf("after the redrive: %v", c.ByClass())
	}
}

// What commit f0383fa stored after a redrive, and what it left on the dead-letter
// queues, comes back whole: 20 recipients of a batch, a task, an event and a chunk,
// once each, whether wrapped once, thrice or both.
func TestDamagedLetters(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, h *house) {
		t.Helper()
		const id = push.ID("bat_01890a5d-ac96-774b-bcce-b302099a8058")
		h.fcm.outage(func(string) bool { return true })
		h.send(id, 20, nil)
		h.counts(id)
		dlq := push.DeadLetterQueue(push.QueueBulk)
		h.discard(dlq, h.take(dlq)) // the file has it
		archive, err := os.ReadFile("testdata/damaged-f0383fa.ndjson")
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // the second time they are there already
			if _, err := h.kept.Import(t.Context(), bytes.NewReader(archive)); err != nil {
				t.Fatal(err)
			}
			whole(t, h, id)
		}
		moved, err := os.ReadFile("../../internal/wire/testdata/redriven-f0383fa.ndjson")
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(moved)) {
			var r struct{ Queue, Body string }
			if err := json.Unmarshal([]byte(line), &r); err != nil {
				t.Fatal(err)
			}
			h.enqueue(push.DeadLetterQueue(r.Queue), []byte(r.Body))
		}
		if d := h.drain(); d.Messages != 16 || d.Left != 0 || d.Stored != 0 {
			t.Errorf("drained what was on the queues: %+v", d)
		}
		whole(t, h, id)
		h.fcm.outage(nil)
		if s := h.replay(predict.SimulateRequest{Filter: push.LetterFilter{Notification: id}}, replay.Options{}); s.Known != 20 ||
			s.Refailed != 0 {
			t.Errorf("replay: %+v", s)
		}
		if c := h.counts(id); c.ByCode[push.CodeSent] != 20 || h.fcm.most() != 1 {
			t.Errorf("in the end: %v, at most %d times", c.ByClass(), h.fcm.most())
		}
	})
}

// whole checks that the letters of the file are there, each once, and nothing
// undecodable waits.
func whole(t *testing.T, h *house, id push.ID) {
	t.Helper()
	byCode := map[push.Code]int{}
	letters, next, err := h.kept.List(context.Background(), push.LetterFilter{States: []push.LetterState{push.LetterParked}}, "", 100)
	if err != nil || next != "" {
		t.Fatalf("list: %v", err)
	}
	seen := map[push.ID]bool{}
	for i := range letters {
		byCode[letters[i].Code]++
		seen[letters[i].ID] = true
	}
	for cell := range 20 {
		if !seen[letterOf(id, cell, 0)] {
			t.Errorf("the letter of recipient %d is missing", cell)
		}
	}
	want := map[push.Code]int{push.CodeAttemptsExhausted: 20, push.CodeUnexpandable: 2, push.CodePayloadInvalid: 1}
	if fmt.Sprint(byCode) != fmt.Sprint(want) {
		t.Errorf("parked letters by code: %v, want %v", byCode, want)
	}
}
