package top

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/dustin/go-humanize"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/cli/display"
	"github.com/belfry-push/belfry/internal/cli/live"
	"github.com/belfry-push/belfry/internal/letters"
	"github.com/belfry-push/belfry/internal/push"
)

// trend is how wide the sparkline of one thing is.
const trend = 40

func problemDetail(m model, key string, p *page) bool {
	t := find(m.status.Problems, func(t *client.Trouble) bool { return t.What == key })
	if t == nil {
		return false
	}
	p.title(t.What)
	p.facts("health", string(t.Health), "since", m.when(t.Since), "who", t.Affected, "why", t.Why, "do", t.Do)
	return true
}

func runningDetail(m model, key string, p *page) bool {
	r := find(m.status.Running, func(r *client.StatusRunning) bool { return r.ID == key })
	if r == nil {
		return false
	}
	p.title(r.ID)
	state := r.State
	if r.Priority != "" {
		state += ", priority " + r.Priority
	}
	p.facts("title", r.Title, "of", "tenant "+r.Tenant+", app "+r.App, "state", state, "accepted", m.when(&r.AcceptedAt))
	p.gap()
	counted := "not counted yet"
	if r.Counted {
		counted = fmt.Sprintf("%s of %s recipients", humanize.Comma(r.Open), humanize.Comma(r.Accepted))
	}
	out, left := "measured after two answers", ""
	if f, ok := m.history.pace(key); ok {
		out = fmt.Sprintf("%s/s over the last %d s", live.Rate(f), int(rateOver.Seconds()))
		switch {
		case r.Waiting != "" && r.Reason != "throttle":
			left = "not known while it waits"
		case f > 0:
			left = live.Span(float64(r.Open) / f)
		default:
			left = "nothing moves"
		}
	}
	var open []float64
	for _, s := range m.history.under[key] {
		open = append(open, float64(s.open))
	}
	waits := r.Waiting
	if waits == "" {
		waits = "nothing"
	}
	p.facts("open", counted, "trend", sparkline(open, trend), "out", out, "done in", left, "waits for", waits, "looked at", m.when(r.Until))
	m.outcomes(key, p)
	p.gap()
	noun := "notification"
	if strings.HasPrefix(key, "bat_") {
		noun = "batch"
	}
	p.command("belfry", "notification", "show", key)
	p.command("belfry", noun, "pause", key)
	return true
}

// outcomes are those of the notification that is drilled into, as far as it was asked for.
func (m model) outcomes(id string, p *page) {
	n := m.notification
	if n == nil || n.ID != id || n.Counts == nil {
		return
	}
	c := n.Counts
	pairs := []string{}
	for _, o := range []struct {
		n    int64
		name string
	}{
		{c.Sent, "sent"},
		{c.Permanent, "permanent"},
		{c.Ambiguous, "ambiguous"},
		{c.Suppressed, "suppressed"},
		{c.Expired, "expired"},
		{c.Cancelled, "cancelled"},
		{c.DeadLettered, "dead lettered"},
	} {
		if o.n > 0 {
			pairs = append(pairs, o.name, humanize.Comma(o.n))
		}
	}
	if len(pairs) > 0 {
		p.gap()
		p.facts(pairs...)
	}
}

func credentialDetail(m model, key string, p *page) bool {
	c := find(m.status.Credentials, func(c *client.StatusCredential) bool { return c.Label == key })
	if c == nil {
		return false
	}
	state, until, cause := live.Stand(c, m.status.At)
	p.title(c.Label + ": " + state)
	story := map[string]string{
		"forced open": "An operator holds the breaker open: nothing is sent; what is due waits and loses no attempt. " +
			"belfry breaker reset ends it.",
		"forced closed": "An operator holds the breaker closed: requests are made whatever FCM answers. belfry breaker reset ends it.",

		"closed":    "FCM answers: everything is let through.",
		"open":      "FCM did not answer well, so nothing is sent; what is due waits and loses no attempt.",
		"half-open": "A few requests find out whether FCM is back; the rest waits for their answers.",
		"refused":   "Google refuses this credential: nothing goes out with it until it is replaced or allowed again.",
		"paused":    "FCM said that the project's quota is used up, and when to come again.",
	}[state]
	pace := live.Rate(c.Pace) + "/s may be made now"
	if q := live.Quota(c); q != "" {
		pace += ", of a quota of " + q + "/s"
	}
	token := ""
	if c.TokenAt != nil {
		token = "fetched " + m.when(c.TokenAt)
		if c.TokenUntil != nil {
			token += ", expires " + m.when(c.TokenUntil)
		}
	}
	apps := strings.Join(c.Apps, ", ")
	if apps == "" {
		apps = "the installation's own"
	}
	sick := ""
	if c.Sick > 0 {
		sick = fmt.Sprintf("%.0f %% of the latest answers", c.Sick*100)
	}
	p.facts("means", story, "since", m.when(live.Since(c)), "until", until, "cause", cause, "failures", sick, "apps", apps,
		"processes", strconv.Itoa(c.Processes))
	p.gap()
	p.facts("pace", pace, "in flight", humanize.Comma(int64(c.InFlight))+" requests",
		"holding", some(c.Holding, "chunks wait for leave to send"), "retries", live.Rate(c.Retries)+" may be made at once", "token", token)
	waiting, open := 0, int64(0)
	for i := range m.status.Running {
		if r := &m.status.Running[i]; waitsFor(r) {
			waiting, open = waiting+1, open+r.Open
		}
	}
	if waiting > 0 {
		p.gap()
		p.words(fmt.Sprintf("%d running, with %s open recipients, wait for this or another credential.", waiting, humanize.Comma(open)))
	}
	m.story(key, p)
	return true
}

// some is a number and what it is of, and nothing for none.
func some(n int64, what string) string {
	if n == 0 {
		return ""
	}
	return humanize.Comma(n) + " " + what
}

// story is what was seen to change of a thing, the latest first.
func (m model) story(about string, p *page) {
	title := false
	for _, c := range slices.Backward(m.history.changes) {
		if c.about != about {
			continue
		}
		if !title {
			p.gap()
			p.title("Seen since belfry top began")
			title = true
		}
		p.facts(c.at.UTC().Format("15:04:05"), c.text)
	}
}

func queueDetail(m model, key string, p *page) bool {
	q := find(m.status.Queues, func(q *client.StatusQueue) bool { return q.Name == key })
	if q == nil {
		return false
	}
	p.title(q.Name)
	oldest := "none waits, or the queue does not tell"
	if q.OldestAge > 0 {
		oldest = live.Span(q.OldestAge) + " old"
	}
	p.facts("waiting", humanize.Comma(q.Visible)+" for a worker", "in hand", humanize.Comma(q.InFlight)+" of a worker",
		"delayed", humanize.Comma(q.Delayed)+" until their time: retries, and what waits for a breaker", "oldest", oldest,
		"trend", sparkline(m.history.depth[key], trend))
	t := display.NewTable(display.Column{Name: "  WORKED BY", Least: 12}, display.Column{Name: "LANE"},
		display.Column{Name: "IN HAND", Right: true}, display.Column{Name: "PLACES", Right: true})
	rows := 0
	for i := range m.status.Processes {
		for _, w := range m.status.Processes[i].Workers {
			if w.Queue == key {
				t.Row("  "+live.Host(m.status.Processes[i].ID), w.Lane, humanize.Comma(w.InHand), strconv.Itoa(w.Places))
				rows++
			}
		}
	}
	if rows > 0 {
		p.gap()
	}
	p.table(t, rows)
	if strings.HasSuffix(key, "-dlq") {
		p.gap()
		p.words("Messages here are dead letters that are not in the store yet:")
		p.command("dlq-replayer", "drain")
	}
	return true
}

func processDetail(m model, key string, p *page) bool {
	s := find(m.status.Processes, func(s *client.StatusProcess) bool { return s.ID == key })
	if s == nil {
		return false
	}
	p.title(s.Kind + " " + s.ID)
	p.facts("state", s.State, "version", s.Version, "started", m.when(&s.Started), "heard from", live.Span(s.Age)+" ago",
		"in", live.Rate(s.Rates.Accepted)+" notifications/s",
		"out", live.Rate(s.Rates.Ended)+" recipients/s, of them "+live.Rate(s.Rates.Sent)+" sent")
	checks := display.NewTable(display.Column{Name: "  CHECK"}, display.Column{Name: "STATE", Tone: true},
		display.Column{Name: "SINCE", Right: true}, display.Column{Name: "AGE", Right: true}, display.Column{Name: "REASON", Least: 16})
	for _, c := range s.Checks {
		checks.Row("  "+c.Name, c.Status, m.ago(&c.Since).text, live.Span(c.Age), c.Reason)
	}
	if len(s.Checks) > 0 {
		p.gap()
	}
	p.table(checks, len(s.Checks))
	workers := display.NewTable(display.Column{Name: "  WORKS ON", Least: 12}, display.Column{Name: "LANE"},
		display.Column{Name: "IN HAND", Right: true}, display.Column{Name: "PLACES", Right: true}, display.Column{Name: "WINDOW", Right: true})
	for _, w := range s.Workers {
		workers.Row("  "+w.Queue, w.Lane, humanize.Comma(w.InHand), strconv.Itoa(w.Places), strconv.Itoa(w.Window))
	}
	if len(s.Workers) > 0 {
		p.gap()
	}
	p.table(workers, len(s.Workers))
	m.story(key, p)
	return true
}

func tenantDetail(m model, key string, p *page) bool {
	t := find(m.status.Tenants, func(t *client.StatusTenant) bool { return t.Name == key })
	if t == nil {
		return false
	}
	p.title(t.Name)
	p.facts("running", strconv.Itoa(t.Running), "open", humanize.Comma(t.Open)+" recipients", "oldest", m.when(t.Oldest),
		"over quota", some(int64(t.Deferred), "wait for room in it"), "paused", t.Paused)
	list := display.NewTable(display.Column{Name: "  RUNNING", Least: 20}, display.Column{Name: "STATE", Tone: true},
		display.Column{Name: "OPEN", Right: true}, display.Column{Name: "WAITS FOR", Least: 12})
	rows := 0
	for i := range m.status.Running {
		if r := &m.status.Running[i]; r.Tenant == key {
			list.Row("  "+r.ID, r.State, humanize.Comma(r.Open), r.Waiting)
			rows++
		}
	}
	if rows > 0 {
		p.gap()
	}
	p.table(list, rows)
	p.gap()
	p.command("belfry", "quota", "--tenant="+key)
	whole := false
	for i := range m.status.Pauses {
		if s := &m.status.Pauses[i]; s.Tenant == key {
			p.command("belfry", "resume", s.ID)
			whole = whole || s.Scope == client.PauseTenant
		}
	}
	if !whole {
		p.command("belfry", "pause", "--tenant="+key)
	}
	return true
}

func letterDetail(m model, key string, p *page) bool {
	c := find(m.status.Letters.Causes, func(c *client.StatusCause) bool { return c.Fingerprint == key })
	if c == nil {
		return false
	}
	code, _ := push.CodeNamed(c.Code)
	a := letters.AdviceFor(code)
	p.title(fmt.Sprintf("%s dead letters: %s", humanize.Comma(c.Letters), c.Code))
	p.facts("said", c.Pattern, "first", m.when(&c.First), "last", m.when(&c.Last))
	p.gap()
	p.facts("cause", a.Cause, "check", a.Check, "replay", a.Replay, "runbook", a.Runbook)
	p.gap()
	p.words("What a replay would come to, then the replay, with a canary first:")
	p.command("dlq-replayer", "simulate", "--fingerprint="+key)
	p.command("dlq-replayer", "replay", "run", "--fingerprint="+key)
	return true
}

func replayDetail(m model, key string, p *page) bool {
	r := find(m.status.Replays, func(r *client.StatusReplay) bool { return r.ID == key })
	if r == nil {
		return false
	}
	p.title(r.ID)
	p.facts("state", r.State, "phase", r.Phase, "why", r.Why, "by", r.By, "tenant", r.Tenant, "letters", humanize.Comma(r.Total),
		"started", m.when(&r.CreatedAt))
	p.gap()
	p.command("dlq-replayer", "replay", "status", key)
	verb := "pause"
	if r.State != "running" {
		verb = "resume"
	}
	p.command("dlq-replayer", "replay", verb, key)
	return true
}

func pauseDetail(m model, key string, p *page) bool {
	s := find(m.status.Pauses, func(s *client.StatusPause) bool { return s.ID == key })
	if s == nil {
		return false
	}
	p.title(s.What + " is paused")
	p.facts("id", s.ID, "tenant", s.Tenant, "app", s.App, "lane", string(s.Lane), "label", s.Label,
		"by", s.By, "reason", s.Reason, "since", m.when(&s.Since))
	p.gap()
	p.command("belfry", "resume", s.ID)
	return true
}
