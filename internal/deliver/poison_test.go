package deliver_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/bits"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/internal/worker"
)

// mailbox is a queue that counts receives.
type mailbox struct {
	mu    sync.Mutex
	mails []*mail
}

type mail struct {
	worker.Message
	at     time.Time
	inHand bool
}

func (b *mailbox) Send(_ context.Context, msgs []worker.Outgoing) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, m := range msgs {
		b.mails = append(b.mails, &mail{Message: worker.Message{Body: m.Body}, at: time.Now().Add(m.Delay)})
	}
	return nil
}

type mortalBox struct {
	*mailbox
	p *process
}

func (m mortalBox) Send(ctx context.Context, msgs []worker.Outgoing) error {
	return m.p.call(func() error { return m.mailbox.Send(ctx, msgs) })
}

// take returns a message that is due, and whether any are left at all.
func (b *mailbox) take() (m *mail, left bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, m := range b.mails {
		if !m.inHand && !m.at.After(time.Now()) {
			m.inHand = true
			m.Receives++
			return m, true
		}
	}
	return nil, len(b.mails) > 0
}

func (b *mailbox) back(m *mail, after time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	m.inHand, m.at = false, time.Now().Add(after)
}

func (b *mailbox) remove(m *mail) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range b.mails {
		if b.mails[i] == m {
			b.mails = append(b.mails[:i], b.mails[i+1:]...)
			return
		}
	}
}

// deadly is an FCM that some addresses kill the process at.
type deadly struct {
	mortalFCM
	w *plague
}

func (d deadly) Send(ctx context.Context, body []byte) (string, error) {
	var in struct{ Message struct{ Token string } }
	if err := json.Unmarshal(body, &in); err != nil {
		return "", err
	}
	defer d.w.asks(in.Message.Token, d.p)()
	if d.w.poison[in.Message.Token] {
		d.w.die(d.p)
		return "", errKilled
	}
	return d.mortalFCM.Send(ctx, body)
}

// plague is a batch of some chunks with recipients that kill their process.
type plague struct {
	*rig
	box     *mailbox
	poison  map[string]bool
	outside []kill // from outside, one a process
	deaths  int

	visibility time.Duration // of what a process had in hand when it died

	mu      sync.Mutex
	started time.Time
	flying  map[string]int // requests under way
	begun   int            // requests of the process
	alone   map[string]int // deaths that are evidence
}

func (w *plague) start() *process {
	p := w.rig.start(w.tb, w.deaths, death{})
	p.Close()
	cfg := w.cfg
	cfg.Owner, cfg.Guard = w.owner(), newGuard(w.tb, nil)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.started, w.begun, w.flying = time.Now(), 0, map[string]int{}
	if w.alone == nil {
		w.alone = map[string]int{}
	}
	w.await(p, 0)
	cfg.Notifications, cfg.Lines, cfg.Sender = w.ledgerOf(p), w.ledgerOf(p), deadly{mortalFCM{w.fcm, p}, w}
	cfg.Chunks, cfg.Dead = map[push.Lane]worker.Sink{push.LaneBulk: mortalBox{w.box, p}}, mortalQueue{w.dead, p}
	p.Deliver = w.make(cfg)
	return p
}

// run handles everything, in one process after the other, until nothing is left.
func (w *plague) run() (problem string) {
	const patience = 24 * time.Hour
	p, begun := w.start(), time.Now()
	var hands sync.WaitGroup
	for problem == "" {
		m, left := w.box.take()
		switch {
		case !p.alive():
			if m != nil {
				w.box.back(m, 0)
			}
			hands.Wait()
			p.Close()
			w.deaths++
			p = w.start()
			continue
		case !left:
			hands.Wait()
			p.kill()
			p.Close()
			return ""
		case time.Since(begun) > patience:
			problem = "does not end"
		case m == nil:
			time.Sleep(100 * time.Millisecond)
			continue
		case m.Receives > push.MaxReceives:
			problem = "a message went to the dead-letter queue"
		}
		hands.Go(func() {
			v := look(p.Handle(p.ctx, m.Message, nil))
			switch {
			case !p.alive(), v.word == "leave":
				w.box.back(m, w.visibility)
			case v.word == "retry":
				_ = w.box.Send(w.tb.Context(),
					[]worker.Outgoing{{Body: append([]byte(v.body), m.Body...)[:max(len(v.body), len(m.Body))], Delay: v.after}})
				w.box.remove(m)
			default:
				w.box.remove(m)
			}
		})
	}
	p.kill()
	hands.Wait()
	p.Close()
	return problem
}

// verify returns what is wrong with how it ended.
func (w *plague) verify(chunks []push.Chunk) string {
	parked := map[string]bool{}
	for _, m := range w.dead.msgs {
		d, err := wire.DecodeDeadLetter(m.Body)
		if err != nil || d.Code != push.CodePoison {
			return fmt.Sprintf("letter %+v: %v", d, err)
		}
		u, _, err := wire.DecodeUndelivered(d.Body)
		if err != nil || len(u.Codes) != 1 || u.Codes[0] != push.CodeOpen || !strings.Contains(u.Detail[0], "the worker died ") ||
			!strings.Contains(u.Detail[0], "may have been delivered") {
			return fmt.Sprintf("letter of %+v: %v", u, err)
		}
		parked[u.Chunk.Recipients[0].Address.Value.Reveal()] = true
	}
	for _, c := range chunks {
		l := w.lineOf(c.Ref)
		if l.State != ledger.StateClosed {
			return fmt.Sprintf("%s is %s with %d open", c.Ref, l.State, l.OpenCount())
		}
		for i, cell := range l.Cells {
			value := c.Recipients[i].Address.Value.Reveal()
			switch asked := w.fcm.asked[value]; {
			case cell.Code() == push.CodePoison && w.alone[value] < 3:
				return fmt.Sprintf("%s was convicted after %d deaths alone", value, w.alone[value])
			case w.poison[value] && (cell != ledger.CellOf(push.CodePoison, true) || !parked[value]):
				return fmt.Sprintf("the poison %s ended as %s, parked %v", value, cell.Code(), parked[value])
			case w.poison[value]:
			case cell == ledger.CellOf(push.CodePoison, true) && parked[value] && len(w.outside) > 0: // they came to be aimed at it
			case cell.Code() != push.CodeSent || parked[value]:
				return fmt.Sprintf("%s ended as %s, parked %v", value, cell.Code(), parked[value])
			case asked > 1+len(w.fcm.script[value]) && !cell.PossibleDuplicate():
				return fmt.Sprintf("%s was sent to %d times and is not flagged", value, asked)
			case asked > 1+len(w.fcm.script[value])+w.deaths:
				return fmt.Sprintf("%s was sent to %d times in %d deaths", value, asked, w.deaths)
			}
		}
	}
	// Two deaths may be a deploy, each of the next ones halves the suspects, and
	// three of the last one are its trials.
	most := len(w.poison) * (ledger.SuspectAfter + max(4, bits.Len(uint(len(chunks[0].Index)-1))+2))
	if len(w.outside) == 0 && w.deaths > most {
		return fmt.Sprintf("%d deaths, at most %d are needed", w.deaths, most)
	}
	return ""
}

// TestPoisonIsFound: whichever recipients kill the process, they alone are
// parked, and all others get their message, also those of chunks that happened
// to be in hand beside.
func TestPoisonIsFound(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.OneOf(rapid.IntRange(1, 500), rapid.SampledFrom([]int{1, 2, 3, 500})).Draw(rt, "recipients")
		visibility := time.Duration(rapid.SampledFrom([]int{1, 30}).Draw(rt, "visibility")) * time.Second
		poisons := rapid.SliceOfNDistinct(rapid.IntRange(0, n-1), 1, min(n, 2), rapid.ID[int]).Draw(rt, "poisons")
		window := rapid.SampledFrom([]int{1, 20, 100, 500}).Draw(rt, "window")
		latency := time.Duration(rapid.SampledFrom([]int{0, 30, 700}).Draw(rt, "latency")) * time.Millisecond
		beside := rapid.IntRange(0, 3).Draw(rt, "chunks beside")
		failing := rapid.IntRange(0, 5).Draw(rt, "of which fail at first")
		problem := ""
		synctest.Test(t, func(t *testing.T) {
			r := setup(t, n, func(r *rig) { r.cfg.Window = window })
			r.Close()
			r.fcm.latency = latency
			w := &plague{rig: r, box: &mailbox{}, poison: map[string]bool{}, visibility: visibility}
			for _, i := range poisons {
				w.poison[name(i)] = true
			}
			for i := range failing * n / 5 {
				r.fcm.script[name(i)] = []answer{{code: push.CodeNetRefused}}
			}
			chunks := []push.Chunk{r.chunk}
			for i := range beside {
				chunks = append(chunks, r.another(i+1, 1+n/2))
			}
			for _, c := range chunks {
				_ = w.box.Send(t.Context(), []worker.Outgoing{{Body: r.encode(c)}})
			}
			if problem = w.run(); problem == "" {
				problem = w.verify(chunks)
			}
		})
		if problem != "" {
			rt.Fatal(problem)
		}
	})
}

// TestDeploysAreNoPoison: a chunk that was in hand when its process was killed
// twice is sent, and flagged.
func TestDeploysAreNoPoison(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 300} {
		in(t, n, nil, func(r *rig) {
			for receives := 1; receives <= ledger.SuspectAfter; receives++ {
				p := r.start(r.tb, receives, death{N: 3 + receives}) // with the first requests under way
				r.fcm.latency = time.Second
				p.Handle(p.ctx, worker.Message{Body: r.encode(r.chunk), Receives: receives}, nil)
				p.kill()
				p.Close()
				if l := r.line(); l.State != ledger.StateClaimed || l.Vanished != receives-1 {
					t.Fatalf("after %d deaths: %+v", receives, l)
				}
				time.Sleep(30 * time.Second)
			}
			if v := r.receive(r.chunk, ledger.SuspectAfter+1, nil); v.word != "ack" || r.codes()[push.CodeSent] != n ||
				!r.line().Cells[0].PossibleDuplicate() {
				t.Errorf("%+v: %v", v, r.codes())
			}
		})
	}
}
