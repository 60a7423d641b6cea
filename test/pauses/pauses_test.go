package pauses

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/test/programs"
)

// round is a set of pauses that stand at the same time.
type round struct {
	name   string
	pauses []standing
	goesOn []func(name string) *work // what none of them stops
	ingest bool                      // is killed too
}

// standing is a pause, and what it stops.
type standing struct {
	flags []string // of belfry pause and belfry resume
	what  string   // in words
	stops []func(name string) *work
}

// of are makers of work.
func of(tenant, campaign string, high bool) func(name string) *work {
	return func(name string) *work {
		lane := "bulk"
		if high {
			lane = "high"
		}
		w := &work{
			name: strings.Join([]string{name, tenant, campaign, lane}, "-"), tenant: tenant, campaign: campaign, high: high, recipients: 100,
		}
		return w
	}
}

func rounds() []round {
	const bulk, high = false, true
	return []round{
		{
			name: "narrow",
			pauses: []standing{
				{[]string{"--tenant", "zoo"}, "tenant zoo", []func(string) *work{of("zoo", "spring", bulk), of("zoo", "autumn", high)}},
				{
					[]string{"--tenant", "acme", "--label", "campaign=spring"},
					"label campaign=spring of tenant acme",
					[]func(string) *work{of("acme", "spring", bulk), of("acme", "spring", high)},
				},
			},
			goesOn: []func(string) *work{of("acme", "autumn", bulk), of("acme", "autumn", high)},
		},
		{
			name: "lane",
			pauses: []standing{
				{[]string{"--lane", "bulk"}, "lane bulk", []func(string) *work{of("zoo", "spring", bulk), of("acme", "autumn", bulk)}},
			},
			goesOn: []func(string) *work{of("zoo", "spring", high), of("acme", "autumn", high)},
		},
		{
			name: "everything", ingest: true,
			pauses: []standing{
				{[]string{"--everything"}, "everything", []func(string) *work{of("zoo", "spring", bulk), of("acme", "autumn", high)}},
			},
		},
	}
}

// TestPauses pauses a tenant and a label, then a lane, then everything, in the middle of their work: it stops within a second and
// says what it waits for, other work is sent to its end, and so it stays when the dispatcher is killed and another one starts. Each
// pause that is lifted lets go what it alone stopped, and at the end everybody has got the message once.
func TestPauses(t *testing.T) {
	t.Parallel()
	onBoth(t, func(h *house) {
		for _, r := range rounds() {
			h.play(&r)
		}
	})
}

func (h *house) play(r *round) {
	h.t.Helper()
	// A chunk of each is being sent when it is paused.
	const recipients, begun = 450, 30
	stopped := make([][]*work, len(r.pauses))
	for k, p := range r.pauses {
		w := p.stops[0](r.name + "-begun")
		w.recipients = recipients
		stopped[k] = append(stopped[k], h.send(w))
	}
	under := slices.Concat(stopped...)
	programs.WaitForMoment(h.t, look, "some of it to be sent", func() bool {
		return !slices.ContainsFunc(slices.Collect(maps.Values(h.got(under...))), func(n int) bool { return n < begun })
	})
	for _, p := range r.pauses {
		out := h.must(append([]string{"pause", "--reason", "wrong price in " + r.name}, p.flags...)...)
		if !strings.Contains(out, p.what) || !strings.Contains(out, "wrong price in "+r.name) {
			h.t.Errorf("belfry pause says %s", out)
		}
	}
	second := time.NewTimer(time.Second) // that a pause may take
	<-second.C
	frozen := h.got(under...)
	for name, n := range frozen {
		if n >= recipients {
			h.t.Fatalf("%s was over before it was paused", name)
		}
	}
	for k, p := range r.pauses {
		for _, one := range p.stops {
			w := h.send(one(r.name + "-later"))
			stopped[k], frozen[w.name] = append(stopped[k], w), 0
		}
	}
	h.others(r, "-before")
	h.waits(r, stopped)

	h.dispatcher.Kill()
	back := time.NewTimer(12 * time.Second) // queues hand out again what it had in hand, and the next has looked at it
	defer back.Stop()
	if r.ingest {
		h.ingest.Kill()
		h.accept()
	}
	h.dispatch()
	h.others(r, "-after")
	<-back.C
	h.waits(r, stopped)
	if got := h.got(slices.Concat(stopped...)...); !maps.Equal(got, frozen) {
		h.t.Errorf("%s: paused, and FCM got %v, then %v", r.name, frozen, got)
	}
	for k, p := range r.pauses {
		if out := h.must(append([]string{"resume"}, p.flags...)...); !strings.Contains(out, p.what+" goes on; it was paused since ") {
			h.t.Errorf("belfry resume says %s", out)
		}
		h.done(stopped[k]...)
		rest := slices.Concat(stopped[k+1:]...)
		for name, n := range h.got(rest...) {
			if n != frozen[name] {
				h.t.Errorf("%s: %s was lifted, and FCM got %d of %s, which has %d", r.name, p.what, n, name, frozen[name])
			}
		}
	}
	if out := h.must("pause"); !strings.Contains(out, "nothing is paused") {
		h.t.Errorf("at the end: %s", out)
	}
	if s := h.sim.Stats(h.t); s.Duplicates != 0 {
		h.t.Errorf("%d messages were sent twice", s.Duplicates)
	}
}

// others has sent what no pause stops, to its end.
func (h *house) others(r *round, when string) {
	h.t.Helper()
	var some []*work
	for _, one := range r.goesOn {
		some = append(some, h.send(one(r.name+when)))
	}
	h.done(some...)
}

// waits holds the status, as the server and the command show it, against what is paused.
func (h *house) waits(r *round, stopped [][]*work) {
	h.t.Helper()
	var s client.Status
	var wrong []string
	begun := time.Now()
	programs.WaitForMoment(h.t, look, "the status", func() bool {
		var err error
		if s, err = h.client("").Status(h.t.Context()); err != nil {
			h.t.Fatal(err)
		}
		wrong = untold(&s, r, stopped)
		return len(wrong) == 0 || time.Since(begun) > time.Minute
	})
	for _, one := range wrong {
		h.t.Errorf("%s: the status: %s", r.name, one)
	}
	h.known(r)
	out, code := h.belfry("status", "-o", "wide") // killed processes are problems too, and are told first
	if code != 6 {
		h.t.Errorf("belfry status ends with %d, not 6", code)
	}
	screen := strings.Join(strings.Fields(out), " ") // lines are broken anywhere
	for _, p := range r.pauses {
		for _, want := range []string{"waits: " + p.what + " is paused since ", "because: wrong price in " + r.name, "belfry resume pse_"} {
			if !strings.Contains(screen, want) {
				h.t.Errorf("belfry status does not say %q:\n%s", want, out)
			}
		}
	}
}

// known holds what the dispatcher says of itself against what is paused.
func (h *house) known(r *round) {
	h.t.Helper()
	req, err := http.NewRequestWithContext(h.t.Context(), http.MethodGet, h.probes+"/statusz", http.NoBody)
	if err != nil {
		h.t.Fatal(err)
	}
	req.Close = true
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	defer res.Body.Close()
	var self client.ProcessStatus
	if err := json.NewDecoder(res.Body).Decode(&self); err != nil {
		h.t.Fatal(err)
	}
	if len(self.Pauses) != len(r.pauses) {
		h.t.Errorf("the dispatcher knows of %+v", self.Pauses)
		return
	}
	for k, p := range self.Pauses {
		if p.What != r.pauses[k].what || !strings.HasPrefix(p.By, "key:") || p.Reason != "wrong price in "+r.name || p.Since.IsZero() {
			h.t.Errorf("the dispatcher knows of %+v", p)
		}
	}
}

// untold is what a status should say of pauses and does not.
func untold(s *client.Status, r *round, stopped [][]*work) (wrong []string) {
	if s.Health != client.HealthDegraded || len(s.Pauses) != len(r.pauses) {
		wrong = append(wrong, fmt.Sprintf("%s, pauses %+v", s.Health, s.Pauses))
	}
	running := map[string]client.StatusRunning{}
	for _, w := range s.Running {
		running[w.ID] = w
	}
	ours, why := 0, "wrong price in "+r.name
	for k, p := range r.pauses {
		what, open := p.what+" is paused", int64(0)
		for _, w := range stopped[k] {
			ours++
			one := running[w.id]
			open += one.Open
			says := strings.HasPrefix(one.Waiting, what) && strings.Contains(one.Waiting, why)
			if one.Reason != string(client.WaitSuspended) || !says {
				wrong = append(wrong, fmt.Sprintf("%s: %+v", w.name, one))
			}
		}
		affected := fmt.Sprintf("%d notifications with %s", len(stopped[k]), openRecipients(open))
		if !slices.ContainsFunc(s.Problems, func(t client.Trouble) bool {
			return strings.EqualFold(t.What, what) && t.Affected == affected && strings.Contains(t.Why, "because: "+why) && t.Since != nil
		}) {
			wrong = append(wrong, fmt.Sprintf("no problem %q that affects %s in %+v", what, affected, s.Problems))
		}
	}
	if len(s.Running) != ours {
		wrong = append(wrong, fmt.Sprintf("%d are running, not %d", len(s.Running), ours))
	}
	return wrong
}

// openRecipients counts as the status does.
func openRecipients(n int64) string {
	if n >= 1000 {
		return fmt.Sprintf("%d,%03d open recipients", n/1000, n%1000)
	}
	return fmt.Sprintf("%d open recipients", n)
}
