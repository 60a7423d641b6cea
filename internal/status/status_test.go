package status

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/document/documenttest"
	"github.com/belfry-push/belfry/internal/ledger/ledgertest"
	"github.com/belfry-push/belfry/internal/letters/letterstest"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/worker"
	"github.com/belfry-push/belfry/internal/worker/workertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is an installation on memory drivers, whose clock is the bubble's.
type world struct {
	*testing.T

	docs      documenttest.Around
	down      error // of every call to the documents
	ledger    *ledgertest.Memory
	letters   *letterstest.Memory
	queue     *workertest.Memory
	standings map[string]Running
	slow      time.Duration // of one standing
	pauses    []Pause
	overrides map[string]Override
	replays   []Replay
	disk      *Disk
	room      *Room

	mu sync.Mutex // guards what changes while processes tell of themselves
}

// change changes what processes and the room read.
func (w *world) change(how func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	how()
}

func (w *world) Standing(ctx context.Context, n *push.Notification) (Running, error) {
	w.mu.Lock()
	slow, out := w.slow, w.standings[string(n.ID)]
	w.mu.Unlock()
	if slow > 0 {
		select {
		case <-time.After(slow):
		case <-ctx.Done():
			return Running{}, ctx.Err()
		}
	}
	out.ID, out.Tenant, out.App, out.AcceptedAt, out.Counted = string(n.ID), n.Tenant, n.AppName(), n.AcceptedAt, true
	return out, nil
}

func (w *world) Replays(context.Context) ([]Replay, error) { return w.replays, nil }

func (w *world) Pauses(context.Context) ([]Pause, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.pauses, nil
}

func (w *world) Overrides(context.Context) (map[string]Override, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.overrides, nil
}

func build(t *testing.T) *world {
	t.Helper()
	w := &world{
		T: t, ledger: &ledgertest.Memory{}, letters: &letterstest.Memory{}, queue: &workertest.Memory{}, standings: map[string]Running{},
	}
	w.docs = documenttest.Around{Store: &documenttest.Memory{}, Do: func(_ string, effect func() error) error {
		w.mu.Lock()
		down := w.down
		w.mu.Unlock()
		if down != nil {
			return down
		}
		return effect()
	}}
	w.room = New(Config{
		Docs: w.docs, Ledger: w.ledger, Standings: w, Causes: w.letters, Replays: w, Pauses: w, Overrides: w,
		Queues: map[string]worker.Gauge{push.QueueBulk: w.queue}, Order: []string{push.QueueBulk}, Backend: "embedded",
		Disk: func() (d *Disk) { w.change(func() { d = w.disk }); return d }, Now: time.Now,
	})
	t.Cleanup(w.room.Close)
	return w
}

// run starts a process of a kind, and returns what stops it, by a crash or in order.
func (w *world) run(id, kind string, fill func(p *Process)) (crash, stop func()) {
	w.Helper()
	b := NewBeats(BeatConfig{Docs: w.docs, Log: zap.NewNop(), Now: time.Now, ID: id, Version: "v1"})
	b.Show(func(_ context.Context, p *Process) {
		p.State = "ok"
		if kind != KindIngest {
			p.Workers = []Worker{{Queue: push.QueueBulk, Lane: "bulk", InHand: 2, Places: 26, Window: 50}}
		}
		if fill != nil {
			w.change(func() { fill(p) })
		}
	})
	ctx, cancel := context.WithCancel(w.Context())
	ended := make(chan struct{})
	go func() { b.Run(ctx); close(ended) }()
	b.As(kind)
	synctest.Wait()
	end := func() { cancel(); <-ended }
	w.Cleanup(end)
	crash = func() {
		w.change(func() { w.down = errors.New("killed") })
		end()
		w.change(func() { w.down = nil })
	}
	return crash, end
}

// send accepts a notification that waits for what is given.
func (w *world) send(id, tenant string, how Running) {
	w.Helper()
	n := push.Notification{
		ID: push.ID(id), Tenant: tenant, Message: push.Message(`{"notification":{"title":"Hi"}}`), Priority: push.PriorityBulk,
		AcceptedAt: time.Now().UTC(), TTL: time.Hour,
		Progress: push.Progress{Version: 1, State: push.StateSending, Enqueued: true, Sources: how.Open, Pages: 1},
	}
	if _, _, err := w.ledger.Create(w.Context(), n); err != nil {
		w.Fatal(err)
	}
	how.State = string(push.StateSending)
	w.change(func() { w.standings[id] = how })
}

// look asks a while after the last reading.
func (w *world) look(tenant string) Status {
	w.Helper()
	time.Sleep(2 * time.Second)
	return w.room.Look(w.Context(), tenant)
}

// says fails unless the status is of that health, and its headline has the texts.
func (w *world) says(s *Status, health Health, texts ...string) {
	w.Helper()
	if s.Health != health {
		w.Errorf("%s, want %s: %s", s.Health, health, s.Headline)
	}
	for _, text := range texts {
		if !strings.Contains(s.Headline, text) {
			w.Errorf("headline %q does not say %q", s.Headline, text)
		}
	}
}

func id(n int) string { return fmt.Sprintf("ntf_01890a5d-ac96-774b-bcce-b302099a%04d", n) }

func TestHealthy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := build(t)
		total := int64(0)
		w.run("a", KindIngest, func(p *Process) { p.Totals.Accepted = total; total += 50 })
		w.run("b", KindDispatcher, func(p *Process) { p.Credentials = []Credential{{Label: "shop", Breaker: "closed", Pace: 100}} })
		w.run("c", KindDispatcher, func(p *Process) {
			p.Credentials = []Credential{{Label: "shop", Breaker: "closed", Pace: 50, Apps: []string{"acme/shop"}}}
		})
		s := w.look("")
		w.says(&s, OK, "Everything works: 3 processes, nothing is under way")
		time.Sleep(10 * time.Second)
		w.send(id(1), "acme", Running{Open: 1200})
		w.send(id(2), "other", Running{Open: 0}) // its head is late
		if err := w.queue.Send(t.Context(), []worker.Outgoing{{Body: []byte("x")}, {Body: []byte("y"), Delay: time.Minute}}); err != nil {
			t.Fatal(err)
		}
		s = w.look("")
		w.says(&s, OK, "1 notification with 1,200 open recipients under way")
		if len(s.Running) != 1 || s.Running[0].ID != id(1) || !s.Counted || s.Open != 1200 || s.More {
			t.Errorf("running %+v", s.Running)
		}
		if len(s.Credentials) != 1 || s.Credentials[0].Processes != 2 || s.Credentials[0].Pace != 150 || len(s.Credentials[0].Apps) != 1 {
			t.Errorf("credentials %+v", s.Credentials)
		}
		if len(s.Lanes) != 1 || s.Lanes[0] != (Lane{Lane: "bulk", InHand: 4, Places: 52, Window: 50, Processes: 2}) {
			t.Errorf("lanes %+v", s.Lanes)
		}
		if s.Rates.Accepted != 10 {
			t.Errorf("%v a second accepted, want 10", s.Rates.Accepted)
		}
		if q := s.Queues[0]; q.Visible != 1 || q.Delayed != 1 {
			t.Errorf("queue %+v", q)
		}
		if len(s.Missing) != 0 || s.Store.Error != "" {
			t.Errorf("missing %+v", s.Missing)
		}
	})
}

// A breaker that is open is told with who waits for it, since when and until when; all credentials at once are a failure.
func TestBreakers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := build(t)
		since := time.Now()
		creds := []Credential{{Label: "shop", Breaker: "open", Since: since, Until: since.Add(time.Minute), Cause: "fcm.unavailable"}}
		w.run("a", KindAllInOne, func(p *Process) { p.Credentials = creds })
		w.send(id(1), "acme", Running{Open: 3, Reason: reasonBreaker, Waiting: "breaker open"})
		w.send(id(2), "zoo", Running{Open: 4, Reason: reasonBreaker})
		s := w.look("")
		w.says(&s, Failing, "FCM does not answer for shop since 00:00:00 UTC", "until 00:01:00 UTC (fcm.unavailable)")
		if got := s.Problems[0].Affected; got != "2 notifications with 7 open recipients of tenants acme, zoo" {
			t.Errorf("affected: %s", got)
		}
		w.change(func() { creds = append(slices.Clone(creds), Credential{Label: "other", Breaker: "closed"}) })
		time.Sleep(5 * time.Second)
		s = w.look("")
		w.says(&s, Degraded, "FCM does not answer for shop")
		// a tenant sees its own, and nothing of the others
		s = w.look("acme")
		w.says(&s, Degraded, "Sending is held back", "breaker open")
		if len(s.Running) != 1 || s.Running[0].Tenant != "acme" || len(s.Processes)+len(s.Queues)+len(s.Credentials)+len(s.Lanes) > 0 {
			t.Errorf("a tenant sees %+v", s)
		}
		for _, c := range []struct {
			credential Credential
			want       string
		}{
			{Credential{Label: "p", Breaker: "half_open"}, "half-open"},
			{Credential{Label: "p", Breaker: "closed", Refused: "bad key"}, "Google refuses the credential p"},
			{Credential{Label: "p", Breaker: "closed", PausedUntil: time.Now().Add(time.Hour)}, "FCM's quota for p"},
			{Credential{Label: "p", Breaker: "closed", Throttled: true, Sick: 0.8}, "80 % of the latest failed"},
			{Credential{Label: "p", Breaker: "closed", Throttled: true}, "FCM has failed most requests of p"},
			{Credential{Label: "p", Breaker: "closed", Stale: true}, "shared quota of p"},
		} {
			w.change(func() { creds = []Credential{c.credential, {Label: "other", Breaker: "closed"}} })
			time.Sleep(5 * time.Second)
			s = w.look("")
			w.says(&s, Degraded, c.want)
		}
	})
}

// The headline, the credential and what waits for it say the same of a breaker, whoever was told what when: one process finds out
// whether FCM is back while another still waits, a note of it is younger than a beat, or its time has just passed.
func TestABreakerHasOneState(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := build(t)
		until := time.Now().Add(time.Minute)
		open := Credential{Label: "shop", Breaker: breakerOpen, Until: until, Cause: "fcm.unavailable"}
		half := Credential{Label: "shop", Breaker: breakerHalfOpen, Cause: "fcm.internal"}
		w.run("a", KindDispatcher, func(p *Process) { p.Credentials = []Credential{half} })
		w.run("b", KindDispatcher, func(p *Process) { p.Credentials = []Credential{open} })
		const noted = "breaker half-open: a few requests find out whether FCM is back"
		w.send(id(1), "acme", Running{Open: 3, Reason: reasonBreaker, Waiting: noted, Credential: "shop"})
		w.send(id(2), "acme", Running{Open: 3, Reason: reasonBreaker, Waiting: noted, Credential: "other"})
		w.send(id(3), "acme", Running{Open: 3, Reason: reasonQuota, Waiting: "FCM's quota", Credential: "shop"})
		agrees := func(headline, breaker, waits string, until time.Time) {
			t.Helper()
			s := w.look("")
			c, why := s.Credentials[0], ""
			for _, p := range s.Problems {
				if strings.HasPrefix(p.What, "FCM does not answer for shop") {
					why = p.Why
				}
			}
			if why != headline || c.Breaker != breaker || !c.Until.Equal(until) {
				t.Errorf("the headline says %q, the credential is %s until %v", why, c.Breaker, c.Until)
			}
			if got := s.Running[0]; got.Waiting != waits || !got.Until.Equal(until) {
				t.Errorf("what waits says %q until %v, want %q", got.Waiting, got.Until, waits)
			}
			if s.Running[1].Waiting != noted || s.Running[2].Waiting != "FCM's quota" {
				t.Errorf("what waits for others says %q and %q", s.Running[1].Waiting, s.Running[2].Waiting)
			}
			if s = w.look("acme"); s.Running[2].Waiting != noted { // newest first; who sees no credentials keeps what was noted
				t.Errorf("the tenant is told %q", s.Running[2].Waiting)
			}
		}
		time.Sleep(5 * time.Second)
		agrees("the breaker is open until 00:01:00 UTC (fcm.unavailable)", breakerOpen,
			"breaker open until 00:01:00 UTC (fcm.unavailable)", until)
		time.Sleep(time.Minute)
		agrees("the breaker is half-open (fcm.unavailable)", breakerHalfOpen, noted+" (fcm.unavailable)", time.Time{})
	})
}

// What an operator holds is told with who asked for it, until when and why, also of a credential that nobody sends with now;
// a tenant does not see it.
func TestOverrides(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := build(t)
		creds := []Credential{{Label: "shop", Breaker: "open"}, {Label: "other", Breaker: "closed"}}
		w.run("a", KindAllInOne, func(p *Process) { p.Credentials = creds })
		w.send(id(1), "acme", Running{Open: 3, Reason: reasonBreaker, Waiting: "breaker opened by ada"})
		hold := func(label, state string) {
			o := Override{State: state, By: "ada", Reason: "incident 42", Since: time.Now(), Until: time.Now().Add(time.Hour)}
			w.change(func() { w.overrides = map[string]Override{label: o} })
			time.Sleep(5 * time.Second)
		}
		hold("shop", "open")
		s := w.look("")
		w.says(&s, Degraded, "The breaker of shop is forced open since 00:00:00 UTC", "ada asked for it until 01:00:00 UTC, because: incident 42")
		if got := s.Problems[0]; len(s.Problems) != 1 || !strings.Contains(got.Affected, "3 open recipients") ||
			!strings.Contains(got.Do, "reset 'shop'") {
			t.Errorf("%+v", s.Problems)
		}
		hold("other", "closed") // and shop has opened by itself
		s = w.look("")
		w.says(&s, Degraded, "FCM does not answer for shop")
		if len(s.Problems) != 2 || !strings.Contains(s.Problems[1].What, "other is forced closed") ||
			s.Credentials[1].Override == nil || s.Credentials[0].Override != nil {
			t.Errorf("%+v, %+v", s.Problems, s.Credentials)
		}
		hold("gone", "open")
		s = w.look("")
		if len(s.Credentials) != 3 || s.Credentials[0].Label != "gone" || s.Credentials[0].Processes != 0 {
			t.Errorf("%+v", s.Credentials)
		}
		if s = w.look("acme"); len(s.Credentials) != 0 {
			t.Errorf("a tenant sees %+v", s.Credentials)
		}
	})
}

// A process that dies is missed after three beats, and forgotten after a quarter of an hour; one that ends well is not
// missed.
func TestSilence(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := build(t)
		w.run("door", KindIngest, nil)
		crash, _ := w.run("one", KindDispatcher, nil)
		_, stop := w.run("two", KindDispatcher, nil)
		w.send(id(1), "acme", Running{Open: 3})
		crash()
		time.Sleep(10 * time.Second)
		s := w.look("")
		w.says(&s, OK)
		time.Sleep(10 * time.Second)
		s = w.look("")
		w.says(&s, Degraded, "dispatcher one is silent", "not heard from for")
		stop()
		s = w.look("")
		w.says(&s, Failing, "Nothing is sent", "no dispatcher has been heard from", "the last was one")
		if len(s.Processes) != 2 || !strings.Contains(s.Problems[0].Affected, "3 open recipients") {
			t.Errorf("%+v, %+v", s.Processes, s.Problems)
		}
		time.Sleep(17 * time.Minute)
		s = w.look("")
		w.says(&s, Failing, "no dispatcher runs")
		if len(s.Processes) != 1 {
			t.Errorf("not forgotten: %+v", s.Processes)
		}
	})
}

// While the store is away the status says so at once, with what was known before.
func TestStoreAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := build(t)
		w.run("a", KindAllInOne, nil)
		s := w.look("")
		w.says(&s, OK)
		w.change(func() { w.down = errors.New("disk on fire") })
		time.Sleep(time.Minute)
		begun := time.Now()
		s = w.look("")
		w.says(&s, Failing, "The store does not answer", "disk on fire")
		if len(s.Processes) != 1 || s.Missing[0].Part != "processes" || s.Missing[0].Age < time.Minute || time.Since(begun) > 3*time.Second {
			t.Errorf("%+v after %v", s.Missing, time.Since(begun))
		}
		w.change(func() { w.down = nil })
		s = w.look("")
		w.says(&s, OK)
	})
}

// Sums that take long do not hold the answer up: what is running is told at once, without its numbers, and those come when
// they are known; then they are kept while they are summed again.
func TestSlowSums(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := build(t)
		w.run("a", KindAllInOne, nil)
		w.send(id(1), "acme", Running{Open: 10_000_000})
		w.change(func() { w.slow = 2 * time.Second })
		time.Sleep(time.Second)
		begun := time.Now()
		s := w.room.Look(t.Context(), "")
		if took := time.Since(begun); took > budget {
			t.Errorf("it took %v", took)
		}
		if len(s.Running) != 1 || s.Running[0].Counted || s.Counted || s.Running[0].Title != "Hi" {
			t.Errorf("before they are known: %+v", s.Running)
		}
		time.Sleep(3 * time.Second)
		if s = w.look(""); s.Open != 10_000_000 || !s.Counted {
			t.Errorf("then: %+v", s.Running)
		}
		w.change(func() { w.slow = time.Hour })
		time.Sleep(time.Minute)
		w.room.Look(t.Context(), "")
		if s = w.look(""); s.Open != 10_000_000 {
			t.Errorf("while they are summed again: %+v", s.Running)
		}
	})
}

func TestOtherTroubles(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := build(t)
		var checks []Check
		w.run("a", KindAllInOne, func(p *Process) { p.Checks = checks })
		w.send(id(1), "acme", Running{Open: 1, Reason: reasonBrake, Waiting: "held by the brake"})
		s := w.look("")
		w.says(&s, Degraded, "held by the brake")
		if !strings.Contains(s.Problems[0].Do, id(1)) {
			t.Error(s.Problems[0].Do)
		}
		w.change(func() {
			w.standings[id(1)] = Running{Open: 1, Reason: reasonCredential, Waiting: "its app's credential: there is none"}
		})
		s = w.look("")
		w.says(&s, Degraded, "An app has no usable credential", "there is none")
		w.change(func() { w.standings[id(1)] = Running{Open: 1, Reason: reasonDeferred, Waiting: "its quota"} })
		s = w.look("")
		w.says(&s, OK)
		if len(s.Tenants) != 1 || s.Tenants[0].Deferred != 1 {
			t.Errorf("%+v", s.Tenants)
		}
		w.change(func() {
			w.pauses = []Pause{{ID: "pse_1", What: "tenant zoo", Tenant: "zoo", By: "ops", Reason: "asked", Since: time.Now()}}
		})
		s = w.look("")
		w.says(&s, Degraded, "Tenant zoo is paused since", "ops asked for it, because: asked")
		if own := w.look("acme"); len(own.Pauses) != 0 {
			t.Errorf("acme sees the pause of another: %+v", own.Pauses)
		}
		w.change(func() { w.pauses = nil })
		w.change(func() { checks = []Check{{Name: "pages", Status: "degraded", Reason: "bucket away"}} })
		time.Sleep(5 * time.Second)
		s = w.look("")
		w.says(&s, Degraded, "Check pages of belfry a fails", "bucket away")
		w.change(func() { checks = nil })
		time.Sleep(5 * time.Second)
		w.change(func() { w.disk = &Disk{Free: 600 << 20, Total: 100 << 30} })
		s = w.look("")
		w.says(&s, Failing, "disk is nearly full", "600 MiB free of 100 GiB")
		w.change(func() { w.disk = &Disk{Free: 5 << 30, Total: 100 << 30} })
		s = w.look("")
		w.says(&s, Degraded, "disk is nearly full")
	})
}

// Dead letters are counted by cause, over tenants; a tenant has its own.
func TestLetters(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := build(t)
		var ls []push.Letter
		for i := range 30 {
			cause, tenant := fmt.Sprintf("cause-%d", i%10), "acme"
			if i%2 == 1 {
				tenant = "zoo"
			}
			at := time.Now().UTC().Add(time.Duration(i) * time.Second)
			ls = append(ls, push.Letter{
				ID: push.ID(fmt.Sprintf("dlt_01890a5d-ac96-774b-bcce-b302099a%04d", i)), Kind: push.LetterMessage, State: push.LetterParked,
				Tenant: tenant, Queue: push.QueueBulk, Fingerprint: cause, DeadAt: at, StoredAt: at, Version: 1,
			})
		}
		if n, err := w.letters.PutLetters(t.Context(), ls); err != nil || n != len(ls) {
			t.Fatal(n, err)
		}
		s := w.look("")
		if l := s.Letters; l.Parked != 30 || len(l.Causes) != causesMost || l.Others != 2 || l.Causes[0].Letters != 3 {
			t.Errorf("%+v", l)
		}
		if l := w.look("zoo").Letters; l.Parked != 15 || len(l.Causes) != 5 {
			t.Errorf("zoo's: %+v", l)
		}
	})
}

// A pause of a part says who waits for it, and nobody else.
func TestWhoWaitsForAPause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := build(t)
		w.run("a", KindAllInOne, nil)
		spring := Running{Open: 7, Labels: map[string]string{"campaign": "spring"}, Lane: push.LaneBulk, App: "shop"}
		w.send(id(8), "acme", spring)
		w.send(id(9), "acme", Running{Open: 100, Lane: push.LaneHigh})
		for _, c := range []struct {
			pause Pause
			want  string
		}{
			{Pause{Tenant: "acme", Label: "campaign=spring"}, "1 notification with 7 open"},
			{Pause{Tenant: "acme", Label: "campaign"}, "1 notification with 7 open"},
			{Pause{Tenant: "acme", Label: "campaign=autumn"}, "nothing waits"},
			{Pause{Tenant: "zoo", Label: "campaign=spring"}, "nothing waits"},
			{Pause{Lane: push.LaneBulk}, "1 notification with 7 open"},
			{Pause{Tenant: "acme", App: "blog"}, "nothing waits"},
			{Pause{Tenant: "acme", Lane: push.LaneReplay}, "nothing waits"},
			{Pause{Tenant: "acme"}, "2 notifications with 107 open"},
			{Pause{}, "2 notifications with 107 open"},
		} {
			c.pause.ID, c.pause.What, c.pause.By, c.pause.Since = "pse_2", "some of it", "ops", time.Now()
			w.change(func() { w.pauses = []Pause{c.pause} })
			time.Sleep(5 * time.Second)
			s := w.look("")
			if got := s.Problems[0].Affected; !strings.HasPrefix(got, c.want) || s.Problems[0].What != "Some of it is paused" {
				t.Errorf("%+v: %+v", c.pause, s.Problems[0])
			}
		}
		w.change(func() {
			w.pauses = []Pause{{What: "lane bulk of tenant acme", Tenant: "acme", Lane: push.LaneBulk}, {What: "tenant acme", Tenant: "acme"}}
		})
		time.Sleep(5 * time.Second)
		if s := w.look(""); s.Tenants[0].Paused != "tenant acme" {
			t.Errorf("the widest is told: %+v", s.Tenants)
		}
	})
}
