package deliver_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/internal/worker"
)

var (
	errAway   = errors.New("it is away")
	errKilled = errors.New("the process was killed")
)

// sleep waits, and reports whether ctx had that patience.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// answer is what the fake FCM does with one request.
type answer struct {
	code   push.Code // CodeSent, or what the sender reports
	after  time.Duration
	accept bool          // takes the message although the sender reports code
	takes  time.Duration // instead of fcm.latency
}

// fcm answers every address by its script, then with success.
type fcm struct {
	mu       sync.Mutex
	script   map[string][]answer
	latency  time.Duration
	asked    map[string]int
	accepted map[string]int
	at       map[string][]time.Time
	bodies   map[string]string
	flying   int
	most     int
	total    int
	onSend   func(value string)
	outage   func(value string) push.Code // CodeOpen: as by the script
	hangs    time.Duration                // how long those take whose name begins with "hangs"
}

func (f *fcm) Send(ctx context.Context, body []byte) (string, error) {
	value, a := f.begin(body)
	ok := sleep(ctx, max(a.takes, f.latency))
	f.mu.Lock()
	defer f.mu.Unlock()
	f.flying--
	if !ok {
		return "", ctx.Err()
	}
	if a.code == push.CodeSent || a.accept {
		f.accepted[value]++
	}
	if a.code == push.CodeSent {
		return "projects/p/messages/m-" + value, nil
	}
	return "", &push.Error{Code: a.code, RetryAfter: a.after, Detail: "detail of " + a.code.String()}
}

// sends returns how many requests were begun.
func (f *fcm) sends() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.total
}

func (f *fcm) begin(body []byte) (string, answer) {
	var in struct{ Message struct{ Token, Topic string } }
	if err := json.Unmarshal(body, &in); err != nil {
		panic(err)
	}
	value := in.Message.Token + in.Message.Topic
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.onSend != nil {
		f.onSend(value)
	}
	f.flying++
	f.most = max(f.most, f.flying)
	f.total++
	f.asked[value]++
	f.at[value] = append(f.at[value], time.Now())
	f.bodies[value] = string(body)
	if f.outage != nil {
		if code := f.outage(value); code != push.CodeOpen {
			if strings.HasPrefix(value, "hangs") {
				return value, answer{code: code, takes: f.hangs}
			}
			return value, answer{code: code}
		}
	}
	if n := f.asked[value]; n <= len(f.script[value]) {
		return value, f.script[value][n-1]
	}
	return value, answer{code: push.CodeSent}
}

// encoder passes messages through.
type encoder struct{ err error }

func (e encoder) Encode(m push.Message) (push.Message, error) { return m, e.err }

// effects is what outcome is told.
type effects struct {
	mu        sync.Mutex
	settled   []ledger.Line
	notes     []push.DeviceNote
	completed []ledger.Counts
	held      []push.Part
}

func (e *effects) Held(_ context.Context, _ push.Notification, part push.Part, _ push.Hold) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.held = append(e.held, part)
}

func (e *effects) Settled(_ context.Context, _ *push.Notification, l *ledger.Line, notes []push.DeviceNote) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.settled, e.notes = append(e.settled, *l), append(e.notes, notes...)
}

func (e *effects) Completed(_ context.Context, _ push.Notification, c ledger.Counts) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.completed = append(e.completed, c)
}

// queue keeps what is sent to it, and when it becomes visible.
type queue struct {
	mu   sync.Mutex
	msgs []delayed
	fail error
}

type delayed struct {
	worker.Outgoing
	at time.Time
}

func (q *queue) Send(_ context.Context, msgs []worker.Outgoing) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.fail != nil {
		return q.fail
	}
	for _, m := range msgs {
		q.msgs = append(q.msgs, delayed{m, time.Now().Add(m.Delay)})
	}
	return nil
}

// due takes the next visible message; with none, it returns how long the first
// one takes, or false if there is none at all.
func (q *queue) due() (m delayed, wait time.Duration, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.msgs) == 0 {
		return m, 0, false
	}
	slices.SortStableFunc(q.msgs, func(a, b delayed) int { return a.at.Compare(b.at) })
	if wait := time.Until(q.msgs[0].at); wait > 0 {
		return m, wait, true
	}
	m, q.msgs = q.msgs[0], q.msgs[1:]
	return m, 0, true
}

// chunks decodes what waits.
func (q *queue) chunks() (out []push.Chunk) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, m := range q.msgs {
		c, _, err := wire.DecodeChunk(m.Body)
		if err != nil {
			panic(err)
		}
		out = append(out, c)
	}
	return out
}
