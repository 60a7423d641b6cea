package deliver_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/deliver"
	"github.com/belfry-push/belfry/internal/guard"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/ledger/ledgertest"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/internal/worker"
	"github.com/belfry-push/belfry/test/raced"
)

func TestMain(m *testing.M) { raced.Main(m) }

const (
	ntfID = "ntf_01890a5d-ac96-774b-bcce-b302099a8057"
	trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
)

// rig is the room, with a real guard, and the world around it.
type rig struct {
	*deliver.Deliver
	tb     testing.TB
	cfg    deliver.Config
	ledger *ledgertest.Memory
	saves  *ledgertest.Saves // the same, with a say in each save
	store  ledgertest.Around // the same, as the room sees it
	delay  time.Duration     // of every write of a line
	slow   time.Duration     // of every read of the notification
	reads  atomic.Int64      // such reads
	stuck  time.Time         // until when the notification takes no write
	fcm    *fcm
	out    *effects
	queue  *queue
	dead   *queue
	reg    *prometheus.Registry
	chunk  push.Chunk
	turns  int // that finish may take; 0: 100
}

// in runs a test with n recipients, "t000" and so on, in a bubble.
func in(t *testing.T, n int, tune func(r *rig), test func(r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := setup(t, n, tune)
		defer r.Close()
		test(r)
	})
}

func setup(tb testing.TB, n int, tune func(r *rig)) *rig {
	tb.Helper()
	ref := push.ChunkRef{Notification: ntfID}
	r := &rig{
		tb:     tb,
		ledger: &ledgertest.Memory{},
		fcm: &fcm{
			script: map[string][]answer{}, asked: map[string]int{}, accepted: map[string]int{}, at: map[string][]time.Time{},
			bodies: map[string]string{},
		},
		out: &effects{}, queue: &queue{}, dead: &queue{}, reg: prometheus.NewRegistry(),
		chunk: push.Chunk{Ref: ref, Tenant: "acme", Attempt: 1},
	}
	for i := range n {
		r.chunk.Recipients = append(r.chunk.Recipients,
			push.Recipient{Address: push.Address{Kind: push.KindToken, Value: push.Token(name(i))}, Line: int64(i) + 1})
		r.chunk.Index = append(r.chunk.Index, i)
	}
	r.saves = &ledgertest.Saves{Store: r.ledger}
	r.store = ledgertest.Around{Store: r.saves, Before: r.before, Do: r.do}
	r.ledger.PutNotification(push.Notification{
		ID: ntfID, Tenant: "acme", Message: push.Message(`{"notification":{"title":"Hi"}}`), Priority: push.PriorityNormal,
		Guarantee:  push.AtLeastOnce,
		AcceptedAt: time.Now(), Progress: push.Progress{Version: 1, State: push.StateAccepted, Sources: int64(n), Pages: 1},
	})
	r.ledger.PutLine(ledger.NewLine(ledger.Plan{Ref: ref, Tenant: "acme", Sources: n, Last: true, Cells: make([]ledger.Cell, n)}, time.Now()))
	r.cfg = deliver.Config{
		Owner: "p1", Notifications: r.store, Lines: r.store, Sender: r.fcm, Encoder: encoder{}, Outcomes: r.out,
		Chunks: map[push.Lane]worker.Sink{push.LaneBulk: r.queue}, Dead: r.dead, Lane: push.LaneBulk,
		Window: 20, Brake: 20, MaxAttempts: 3, MaxElapsed: time.Hour, Software: "v1", Log: zap.NewNop(),
		Metrics: deliver.NewMetrics(r.reg, outcomes(r.reg)), Now: time.Now, Rand: rand.New(rand.NewPCG(1, 2)), Guard: newGuard(tb, nil),
	}
	if tune != nil {
		tune(r)
	}
	r.Deliver = r.make(r.cfg)
	return r
}

func (r *rig) make(cfg deliver.Config) *deliver.Deliver {
	r.tb.Helper()
	d, err := deliver.New(cfg)
	if err != nil {
		r.tb.Fatal(err)
	}
	return d
}

func newGuard(tb testing.TB, tune func(c *guard.Config)) *guard.Guard {
	tb.Helper()
	cfg := guard.DefaultConfig("p")
	cfg.Ramp, cfg.PerSecond = 0, 1e6                       // as for the simulator
	cfg.OpenAfter.Many, cfg.OpenAfter.Few = 10_000, 10_000 // the breaker stays out unless a test wants it
	if tune != nil {
		tune(&cfg)
	}
	g, err := guard.New(cfg, time.Now, rand.New(rand.NewPCG(3, 4)), zap.NewNop(), nil, nil)
	if err != nil {
		tb.Fatal(err)
	}
	return g
}

func outcomes(reg *prometheus.Registry) *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "outcomes"}, []string{"class", "code"})
	reg.MustRegister(c)
	return c
}

func name(i int) string { return fmt.Sprintf("t%03d", i) }

// all gives every recipient the same script.
func (r *rig) all(answers ...answer) {
	for i := range r.chunk.Recipients {
		r.fcm.script[name(i)] = answers
	}
}

// before holds a call of the ledger up as the test wants.
func (r *rig) before(ctx context.Context, op string) error {
	switch {
	case op == "SaveLine" && !sleep(ctx, r.delay):
		return ctx.Err()
	case op == "Advance" && time.Now().Before(r.stuck):
		return errAway
	}
	return nil
}

// do makes a call of the ledger. A notification is as it was when asked for: the
// answer takes its time.
func (r *rig) do(op string, effect func() error) error {
	err := effect()
	if op == "Notification" {
		r.reads.Add(1)
		time.Sleep(r.slow)
	}
	return err
}

// head returns the notification as it is stored.
func (r *rig) head() push.Notification {
	n, err := r.ledger.Notification(context.Background(), ntfID)
	if err != nil {
		panic(err)
	}
	return n
}

// change changes the stored notification, past all conditions.
func (r *rig) change(f func(n *push.Notification)) { r.ledger.ChangeNotification(ntfID, f) }

// evidence returns what the ledger has of the chunk, marks included.
func (r *rig) evidence() []ledger.Attempt { return r.ledger.AllAttempts()[r.chunk.Ref] }

// attempts returns the evidence about recipients.
func (r *rig) attempts() []ledger.Attempt {
	return slices.DeleteFunc(slices.Clone(r.evidence()), func(a ledger.Attempt) bool { return a.OfChunk() })
}

func (r *rig) line() ledger.Line { return r.lineOf(r.chunk.Ref) }

func (r *rig) lineOf(ref push.ChunkRef) ledger.Line {
	l, _ := r.ledger.Line(context.Background(), ref) // none: the zero line
	return l
}

// codes returns how many cells have each code.
func (r *rig) codes() map[push.Code]int {
	out := map[push.Code]int{}
	for _, c := range r.line().Cells {
		out[c.Code()]++
	}
	return out
}

func (r *rig) setState(s push.State) {
	r.change(func(n *push.Notification) {
		n.Progress.State = s
		n.Progress.Version++
	})
}

// deliver handles a chunk once.
func (r *rig) deliver(c push.Chunk) verdict {
	return r.deliverUntil(context.Background(), c, nil)
}

func (r *rig) deliverUntil(ctx context.Context, c push.Chunk, draining <-chan struct{}) verdict {
	return look(r.Handle(ctx, worker.Message{ID: "m", Body: r.encode(c), Group: "acme"}, draining))
}

func (r *rig) encode(c push.Chunk) []byte {
	body, err := wire.EncodeChunk(&c, trace)
	if err != nil {
		panic(err)
	}
	return body
}

// finish handles the chunk and all that follows from it, waiting as the queue
// would. It returns how many turns it took.
func (r *rig) finish() (turns int) {
	r.tb.Helper()
	_ = r.queue.Send(context.Background(), []worker.Outgoing{{Body: r.encode(r.chunk)}})
	for {
		m, wait, ok := r.queue.due()
		switch {
		case !ok:
			return turns
		case wait > 0:
			time.Sleep(wait)
			continue
		}
		turns++
		if turns > max(r.turns, 100) {
			r.tb.Fatal("does not end")
		}
		switch v := look(r.Handle(context.Background(), worker.Message{Body: m.Body}, nil)); v.word {
		case "ack":
		case "retry":
			body := m.Body
			if v.body != "" {
				body = []byte(v.body)
			}
			_ = r.queue.Send(context.Background(), []worker.Outgoing{{Body: body, Delay: v.after}})
		default:
			r.tb.Fatalf("turn %d: %+v", turns, v)
		}
	}
}

// verdict is what can be told of a worker.Verdict.
type verdict struct {
	word  string
	after time.Duration
	body  string
	code  push.Code
}

func look(v worker.Verdict) verdict {
	s := reflect.ValueOf(v)
	return verdict{
		v.String(), time.Duration(s.FieldByName("after").Int()), string(s.FieldByName("body").Bytes()), push.Code(s.FieldByName("code").Uint()),
	}
}

// gaps returns the waits between the requests for one address.
func (f *fcm) gaps(value string) (gaps []time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, at := range f.at[value][1:] {
		gaps = append(gaps, at.Sub(f.at[value][i]))
	}
	return gaps
}

// letters decodes what was dead-lettered.
func (r *rig) letters() (out []wire.Undelivered) {
	for _, m := range r.dead.msgs {
		d, err := wire.DecodeDeadLetter(m.Body)
		if err != nil {
			r.tb.Fatal(err)
		}
		u, _, err := wire.DecodeUndelivered(d.Body)
		if err != nil || d.Code != push.CodeAttemptsExhausted || d.Queue != push.QueueBulk || d.Software != "v1" {
			r.tb.Fatalf("letter %+v: %v", d, err)
		}
		for _, code := range append(u.Codes, d.Code) {
			if !slices.ContainsFunc(push.LetterCodes(), func(f push.Facts) bool { return f.Code == code }) {
				r.tb.Errorf("a letter has the code %s, by which letters cannot be chosen", code)
			}
		}
		out = append(out, u)
	}
	return out
}

func (r *rig) metric(tb testing.TB, name string) (sum float64) {
	tb.Helper()
	families, err := r.reg.Gather()
	if err != nil {
		tb.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	return sum
}
