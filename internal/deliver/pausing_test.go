package deliver_test

import (
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/belfry-push/belfry/internal/deliver"
	"github.com/belfry-push/belfry/internal/guard"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/test/raced"
)

// operator is an operator's pauses, which are known everywhere at once.
type operator struct {
	mu      sync.Mutex
	tenant  string    // "" is everything
	lane    push.Lane // "" is every lane
	label   string    // a name with any value; "" is everything
	on      bool
	changed chan struct{}
}

func newOperator(tenant string) *operator {
	return &operator{tenant: tenant, changed: make(chan struct{})}
}

// Paused implements [deliver.Pauses].
func (s *operator) Paused(lane push.Lane, n *push.Notification) (paused, all bool, changed <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, labelled := n.Labels[s.label]
	paused = s.on && (s.tenant == "" || s.tenant == n.Tenant) && (s.lane == "" || s.lane == lane) && (s.label == "" || labelled)
	return paused, paused && s.tenant == "", s.changed
}

func (s *operator) set(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.on = on
	close(s.changed)
	s.changed = make(chan struct{})
}

var _ deliver.Pauses = (*operator)(nil)

// While an operator has paused the tenant or everything, no request begins on any lane of any process, however they are
// held up; when that is lifted, what waits goes on within a second, with the attempts that it had; nobody is given up.
func TestNothingStartsWhileAnOperatorPauses(t *testing.T) {
	t.Parallel()
	for seed := range uint64(raced.Rounds(raced.Rounds(40))) {
		rnd := rand.New(rand.NewPCG(seed, 9))
		in(t, 500, nil, func(r *rig) {
			op := newOperator([]string{"", "acme"}[rnd.IntN(2)])
			r.cfg.Pauses = op
			r.fcm.latency = []time.Duration{0, 50 * time.Millisecond, 800 * time.Millisecond}[rnd.IntN(3)]
			r.slow = []time.Duration{0, 20 * time.Millisecond, 300 * time.Millisecond}[rnd.IntN(3)]
			r.change(func(n *push.Notification) { n.PerSecond, n.Progress.Pages = []int{0, 0, 150}[rnd.IntN(3)], 2 })
			g := newGuard(r.tb, func(c *guard.Config) { c.PerSecond = []float64{1e6, 120, 20}[rnd.IntN(3)] })
			lanes := []lane{
				r.lane(push.LaneBulk, g, r.chunk), r.lane(push.LaneHigh, g, r.another(1, 300)),
				r.lane(push.LaneBulk, newGuard(r.tb, nil), r.another(2, 300)),
			}
			var all sync.WaitGroup
			begin := time.Now()
			for _, l := range lanes {
				all.Go(func() { l.run(r.tb, begin.Add(2*time.Hour)) })
			}
			time.Sleep(time.Duration(rnd.Int64N(int64(6 * time.Second))))
			op.set(true)
			paused := time.Now()
			before := len(r.fcm.starts())
			time.Sleep(time.Hour + 3*time.Millisecond)
			op.set(false)
			lifted := time.Now()
			all.Wait()
			for _, l := range lanes {
				l.Close()
			}
			time.Sleep(time.Second) // a reading of the notification may be under way
			starts, first := r.fcm.starts(), time.Time{}
			for _, at := range starts {
				if at.After(paused) && at.Before(lifted) {
					r.tb.Fatalf("seed %d: a request began %v after the pause", seed, at.Sub(paused))
				}
				if !at.Before(lifted) && (first.IsZero() || at.Before(first)) {
					first = at
				}
			}
			if len(starts) > before && first.Sub(lifted) > time.Second {
				r.tb.Errorf("seed %d: sending went on %v after the pause", seed, first.Sub(lifted))
			}
			for ref, l := range r.ledger.AllLines() {
				if l.State != ledger.StateClosed {
					r.tb.Errorf("seed %d: line %s is %s with %d open", seed, ref, l.State, l.OpenCount())
				}
				for _, cell := range l.Cells {
					if cell.Code() != push.CodeSent {
						r.tb.Fatalf("seed %d: %s in line %s", seed, cell.Code(), ref)
					}
				}
			}
		})
	}
}

// What reaches the end of its life during a pause ends as expired.
func TestExpiresWhilePaused(t *testing.T) {
	t.Parallel()
	in(t, 50, nil, func(r *rig) {
		op := newOperator("acme")
		op.set(true)
		r.cfg.Pauses = op
		r.change(func(n *push.Notification) { n.ExpiresAt = time.Now().Add(time.Minute) })
		l := r.lane(push.LaneBulk, newGuard(r.tb, nil), r.chunk)
		begin := time.Now()
		l.run(r.tb, begin.Add(time.Hour))
		l.Close()
		if took := time.Since(begin); took < time.Minute || took > time.Minute+2*time.Second {
			t.Errorf("it was settled after %v", took)
		}
		for _, line := range r.ledger.AllLines() {
			if got := line.Cells[0].Code(); line.State != ledger.StateClosed || got != push.CodeExpired {
				t.Errorf("%s, %s", line.State, got)
			}
		}
		if n := len(r.fcm.starts()); n > 0 {
			t.Errorf("%d requests", n)
		}
	})
}

// fates counts how many recipients of a kind were sent to once, and how many requests were made for them.
func (s *dispatcher) fates(kind string) (sent, requests int) {
	s.fcm.mu.Lock()
	defer s.fcm.mu.Unlock()
	for value, n := range s.fcm.asked {
		if strings.HasPrefix(value, kind+"-") {
			requests += n
			if s.fcm.accepted[value] == 1 {
				sent++
			}
		}
	}
	return sent, requests
}

// A pause of a label holds nobody else of the lane back, however much has the label; when it is lifted, all of that is sent
// within seconds, once and at its first attempt. What expires meanwhile ends as expired.
func TestPausedLabel(t *testing.T) {
	t.Parallel()
	const spring, brief = push.ID("ntf_01890a5d-ac96-774b-bcce-00000000000a"), push.ID("ntf_01890a5d-ac96-774b-bcce-00000000000b")
	in(t, 1, nil, func(r *rig) {
		op := newOperator("acme")
		op.label = "campaign"
		op.set(true)
		r.cfg.Pauses = op
		for _, id := range []push.ID{spring, brief} {
			n := r.head()
			n.ID, n.Labels, n.Progress.Version = id, map[string]string{"campaign": "spring"}, 1
			if id == brief {
				n.ExpiresAt = time.Now().Add(15 * time.Second)
			}
			r.ledger.PutNotification(n)
		}
		begin := time.Now()
		s := r.dispatcher(newGuard(r.tb, nil), map[push.Lane]int{push.LaneBulk: 6}, begin.Add(time.Minute))
		of := func(id push.ID) func(c *push.Chunk) {
			return func(c *push.Chunk) {
				c.Ref.Notification = id
				r.ledger.PutLine(ledger.NewLine(ledger.Plan{Ref: c.Ref, Tenant: c.Tenant, Sources: 5, Cells: make([]ledger.Cell, 5)}, time.Now()))
			}
		}
		for range 60 {
			s.put(push.LaneBulk, 5, "spring", of(spring))
		}
		s.put(push.LaneBulk, 5, "brief", of(brief))
		for range 10 {
			s.put(push.LaneBulk, 5, "other", nil)
		}
		time.Sleep(5 * time.Second)
		if sent, requests := s.fates("other"); sent != 50 || requests != 50 {
			t.Errorf("%d of 50 others were sent to with %d requests", sent, requests)
		}
		time.Sleep(25 * time.Second)
		if _, requests := s.fates("spring"); requests > 0 {
			t.Errorf("%d requests for what is paused", requests)
		}
		op.set(false)
		time.Sleep(11 * time.Second)
		if sent, requests := s.fates("spring"); sent != 300 || requests != 300 {
			t.Errorf("%d of 300 were sent to after the pause, with %d requests", sent, requests)
		}
		s.places.Wait()
		s.lanes[push.LaneBulk].Close()
		if _, requests := s.fates("brief"); requests > 0 {
			t.Errorf("%d requests for what expired", requests)
		}
		for ref, l := range r.ledger.AllLines() {
			want := push.CodeSent
			if ref.Notification == brief {
				want = push.CodeExpired
			}
			if ref.Notification != ntfID && (l.State != ledger.StateClosed || l.Cells[0].Code() != want) {
				t.Errorf("line %s is %s, %s", ref, l.State, l.Cells[0].Code())
			}
		}
		if n := len(r.dead.msgs); n > 0 {
			t.Errorf("%d dead letters", n)
		}
	})
}

// A pause of a lane stops that lane alone.
func TestPausedLane(t *testing.T) {
	t.Parallel()
	in(t, 1, nil, func(r *rig) {
		op := newOperator("")
		op.lane = push.LaneBulk
		op.set(true)
		r.cfg.Pauses = op
		s := r.dispatcher(newGuard(r.tb, nil), map[push.Lane]int{push.LaneBulk: 3, push.LaneHigh: 3}, time.Now().Add(time.Minute))
		for range 10 {
			s.put(push.LaneBulk, 5, "bulk", nil)
			s.put(push.LaneHigh, 5, "high", nil)
		}
		time.Sleep(20 * time.Second)
		if sent, _ := s.fates("high"); sent != 50 {
			t.Errorf("%d of 50 of the other lane were sent to", sent)
		}
		if _, requests := s.fates("bulk"); requests > 0 {
			t.Errorf("%d requests on the lane", requests)
		}
		op.set(false)
		time.Sleep(2 * time.Second)
		if sent, requests := s.fates("bulk"); sent != 50 || requests != 50 {
			t.Errorf("%d of 50 were sent to after the pause, with %d requests", sent, requests)
		}
		s.places.Wait()
		for _, l := range s.lanes {
			l.Close()
		}
	})
}
