package replay

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/adapter/fcm"
	"github.com/belfry-push/belfry/internal/deliver"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/test/programs"
)

// causes are the codes that an attempt can end with, in vain, and be tried again:
// of them recipients die.
func causes() []push.Code {
	var out []push.Code
	for _, f := range push.Codes() {
		if !f.Terminal && !f.Unreached {
			out = append(out, f.Code)
		}
	}
	return out
}

const (
	chunkSize   = 100 // recipients of a notification
	chunkLosses = 80  // of them die
	// fated is how many recipients in a thousand fail again when they are
	// replayed: half of them for another time, half for good.
	fated = 10
)

// losses is a data directory full of dead letters, as an outage leaves it.
type losses struct {
	*house

	tokens   map[push.ID][]string
	letters  int
	messages int // of them, letters of whole messages
	dead     map[string]bool
	stopped  []push.ID // cancelled or expired since
}

// seed makes n dead letters the way they come about: deliver sends, through the
// real sender to the simulator, and a fault between them answers for FCM. Every
// cause of death is there, and of each ambiguous one half has arrived. What the
// queues' own redrive and the other rooms would have put on the dead-letter
// queues is put there.
func seed(t *testing.T, sim programs.Simulator, n int) *losses {
	t.Helper()
	l := &losses{house: open(t), tokens: map[push.ID][]string{}, dead: map[string]bool{}}
	_, stop := l.startFaulty(sim)
	const perKind = 25
	var ids []push.ID
	for n-l.letters > 4*perKind {
		ids = append(ids, l.notification(min(chunkLosses, n-l.letters-4*perKind), len(ids)))
	}
	for _, id := range ids {
		l.counts(id)
	}
	stop()
	for i := 0; l.letters < n; i++ {
		l.message(i)
	}
	for _, id := range ids[len(ids)-3:] {
		l.cancel(id)
	}
	return l
}

// startFaulty serves the lanes with the real sender behind a fault, until stop
// is called.
func (h *house) startFaulty(sim programs.Simulator) (f *faulty, stop func()) {
	h.tb.Helper()
	sender, err := fcm.New(h.tb.Context(), fcm.Config{Endpoint: sim.Endpoint, Project: "project"}, zap.NewNop(),
		fcm.NewMetrics(prometheus.NewRegistry()))
	if err != nil {
		h.tb.Fatal(err)
	}
	encoder, err := fcm.NewEncoder(h.tb.Context())
	if err != nil {
		h.tb.Fatal(err)
	}
	f = &faulty{Sender: sender}
	stopDeliver := h.startDeliver(f, encoder)
	return f, func() {
		stopDeliver()
		if err := sender.Close(context.WithoutCancel(h.tb.Context())); err != nil {
			h.tb.Error(err)
		}
	}
}

// notification sends to dying recipients and some healthy ones in between.
func (l *losses) notification(dying, turn int) push.ID {
	id := push.NewID(push.PrefixNotification)
	codes := causes()
	tokens := make([]string, chunkSize)
	for i := range tokens {
		prefix := "healthy"
		if i%(chunkSize/(chunkSize-chunkLosses)) != 0 && dying > 0 {
			code := codes[l.letters%len(codes)]
			prefix = "dies-" + code.String()
			switch l.letters % (2000 / fated) {
			case 0:
				prefix = "sim-unavailable-1-" + prefix
			case 1:
				prefix = "sim-unregistered-" + prefix
			}
			dying--
			l.letters++
		}
		tokens[i] = fmt.Sprintf("%s-%04d-%03d", prefix, turn, i)
		l.dead[tokens[i]] = prefix != "healthy"
	}
	l.tokens[id] = tokens
	chunk := l.plan(id, toTokens(tokens...), nil)
	l.enqueue(push.QueueBulk, l.encode(&chunk))
	return id
}

// message puts a letter of a whole message on a dead-letter queue.
func (l *losses) message(i int) {
	l.tb.Helper()
	letter := push.DeadLetter{Queue: push.QueueEvents, Receives: 1, SentAt: time.Now(), At: time.Now(), Software: "v1"}
	switch i % 4 {
	case 0: // a chunk that the queue's redrive gave up: its bytes, nothing else
		id := push.NewID(push.PrefixNotification)
		l.tokens[id] = []string{fmt.Sprintf("poison-%04d", i)}
		chunk := l.plan(id, toTokens(l.tokens[id]...), nil)
		l.enqueue(push.DeadLetterQueue(push.QueueBulk), l.encode(&chunk))
		l.letters, l.messages = l.letters+1, l.messages+1
		return
	case 1:
		letter.Code, letter.Detail, letter.Body = push.CodeUndecodable, "not JSON", fmt.Appendf(nil, "what is this %d", i)
	case 2:
		letter.Code, letter.Detail = push.CodePayloadInvalid, "/message: required"
		letter.Body = fmt.Appendf(nil, `{"specversion":"1.0","id":"%d","source":"test","type":"push.notification.requested.v1","data":{}}`, i)
	case 3:
		letter.Queue, letter.Code, letter.Detail = push.QueueNotifications, push.CodeUnexpandable, "page 0 is missing"
		letter.Body = l.unexpandable(fmt.Sprintf("unexpanded-%04d", i))
	}
	body, err := wire.EncodeDeadLetter(&letter)
	if err != nil {
		l.tb.Fatal(err)
	}
	l.enqueue(push.DeadLetterQueue(letter.Queue), body)
	l.letters, l.messages = l.letters+1, l.messages+1
}

// unexpandable records a notification that fanout has given up, and returns its
// task.
func (l *losses) unexpandable(token string) []byte {
	l.tb.Helper()
	id := push.NewID(push.PrefixNotification)
	l.tokens[id] = []string{token}
	_, _, err := l.store.Create(l.tb.Context(), push.Notification{
		ID: id, Tenant: tenant, Message: push.Message(`{"notification":{"title":"Hi"}}`),
		Target:   push.Target{Tokens: []push.Token{push.Token(token)}},
		Priority: push.PriorityBulk, Guarantee: push.AtLeastOnce, AcceptedAt: time.Now().UTC(),
		Progress: push.Progress{State: push.StateDeadLettered, CompletedAt: time.Now().UTC(), Enqueued: true, Sources: 1, Pages: 1},
	})
	if err != nil {
		l.tb.Fatal(err)
	}
	body, err := wire.EncodeTask(wire.Task{Op: wire.OpPlan, Notification: id, Page: wire.AllPages})
	if err != nil {
		l.tb.Fatal(err)
	}
	return body
}

// cancel makes a notification one that its caller has cancelled.
func (l *losses) cancel(id push.ID) {
	l.tb.Helper()
	_, err := ledger.Advance(l.tb.Context(), l.store, id, func(n push.Notification) (push.Progress, error) {
		n.Progress.State = push.StateCancelled
		return n.Progress, nil
	})
	if err != nil {
		l.tb.Fatal(err)
	}
	l.stopped = append(l.stopped, id)
}

// faulty answers for FCM when a token says of what it dies, until it is mended.
// Of those that may have arrived, every second has.
type faulty struct {
	deliver.Sender

	mended atomic.Bool
}

func (f *faulty) Send(ctx context.Context, body []byte) (string, error) {
	_, token, _ := strings.Cut(string(body), `"token":"`)
	token, _, _ = strings.Cut(token, `"`)
	_, fate, dies := strings.Cut(token, "dies-")
	if !dies || f.mended.Load() {
		return f.Sender.Send(ctx, body)
	}
	name, _, _ := strings.Cut(fate, "-")
	code, known := push.CodeNamed(name)
	if !known {
		return "", fmt.Errorf("token %q: no such code", token)
	}
	if code.MaybeDelivered() && strings.HasPrefix(token, "dies-") && token[len(token)-1]%2 == 0 {
		if _, err := f.Sender.Send(ctx, body); err != nil {
			return "", err
		}
	}
	return "", &push.Error{Code: code, Detail: "as its token says"}
}
