package live

import (
	"cmp"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/cli/display"
	"github.com/belfry-push/belfry/internal/visible"
)

// How many rows of what may be many are shown; wide shows all.
const (
	runningRows = 8
	tenantRows  = 5
	otherRows   = 6
)

// screen prints a status. Every part of it is a table or a few lines, with an empty line before it.
type screen struct {
	con  *display.Console
	s    *client.Status
	wide bool
	err  error
}

// Screen prints a status for people: what matters first, in words, and then the rows in which something happens.
func Screen(con *display.Console, s *client.Status, wide bool) error {
	p := &screen{con: con, s: s, wide: wide}
	p.words()
	p.processes()
	p.credentials()
	p.lanes()
	p.queues()
	p.running()
	p.tenants()
	p.replays()
	p.letters()
	p.pauses()
	p.rest()
	return p.err
}

func (p *screen) line(text string) {
	if p.err == nil {
		_, p.err = io.WriteString(p.con.Out, display.Wrap(visible.Field(text), p.con.Width, ""))
	}
}

func (p *screen) gap() {
	if p.err == nil {
		_, p.err = io.WriteString(p.con.Out, "\n")
	}
}

// words say how it is: the headline, then each problem with who is affected and what to do.
func (p *screen) words() {
	p.line(strings.ToUpper(string(p.s.Health)) + ": " + p.s.Headline)
	for i := range p.s.Problems {
		t := &p.s.Problems[i]
		var l display.List
		if i > 0 {
			what := t.What
			if t.Since != nil {
				what += " since " + p.clock(t.Since)
			}
			l.Row("  also", what+": "+t.Why)
		}
		l.Row("  who", t.Affected)
		l.Row("  do", t.Do)
		if p.err == nil {
			p.err = l.Print(p.con)
		}
		if i == 3 && !p.wide && len(p.s.Problems) > 4 {
			p.line(fmt.Sprintf("  and %d other problems; -o wide shows all", len(p.s.Problems)-4))
			break
		}
	}
}

// clock is a time of the day, or the day if that is not today.
func (p *screen) clock(t *time.Time) string {
	if p.s.At.Sub(*t).Abs() < 12*time.Hour {
		return t.UTC().Format("15:04:05 UTC")
	}
	return t.UTC().Format("2006-01-02 15:04 UTC")
}

// Span is a duration as tables show it: 4 s, 12 min, 3 h, 9 d.
func Span(seconds float64) string {
	const minute, hour, day = 60, 3600, 24 * 3600
	switch n := int64(seconds); {
	case n < 2*minute:
		return fmt.Sprintf("%d s", max(0, n))
	case n < 2*hour:
		return fmt.Sprintf("%d min", n/minute)
	case n < 2*day:
		return fmt.Sprintf("%d h", n/hour)
	default:
		return fmt.Sprintf("%d d", n/day)
	}
}

// ago is how long before the status a time was.
func (p *screen) ago(t *time.Time) string {
	if t == nil || t.IsZero() {
		return ""
	}
	return Span(p.s.At.Sub(*t).Seconds())
}

func number(n int64) string { return humanize.Comma(n) }

// some is a number, and nothing for none.
func some(n int64) string {
	if n == 0 {
		return ""
	}
	return number(n)
}

// Rate is how many a second, with a decimal place where one matters.
func Rate(f float64) string {
	if f > 0 && f < 10 {
		return strconv.FormatFloat(f, 'f', 1, 64)
	}
	return number(int64(f + 0.5))
}

// print prints a table under an empty line, unless it has no rows.
func (p *screen) print(t *display.Table, rows int) {
	if rows == 0 || p.err != nil {
		return
	}
	p.gap()
	if p.err == nil {
		p.err = t.Print(p.con, p.wide, "")
	}
}

// shown is how many of n rows are shown.
func (p *screen) shown(n, most int) int {
	if p.wide {
		return n
	}
	return min(n, most)
}

func (p *screen) left(n, shown int, what string) {
	if n > shown {
		p.line(fmt.Sprintf("  and %d other %s; -o wide shows all", n-shown, what))
	}
}

func (p *screen) processes() {
	t := display.NewTable(
		display.Column{Name: "PROCESS"}, display.Column{Name: "ID", Least: 12}, display.Column{Name: "VERSION", Least: 7, Drop: 1},
		display.Column{Name: "STATE", Tone: true}, display.Column{Name: "UP", Right: true}, display.Column{Name: "HEARD", Right: true},
		display.Column{Name: "IN/S", Right: true}, display.Column{Name: "OUT/S", Right: true},
	)
	n := p.shown(len(p.s.Processes), otherRows)
	for i := range n {
		s := &p.s.Processes[i]
		t.Row(s.Kind, p.host(s.ID), s.Version, s.State, p.ago(&s.Started), Span(s.Age), Rate(s.Rates.Accepted), Rate(s.Rates.Ended))
	}
	p.print(t, n)
	p.left(len(p.s.Processes), n, "processes")
}

// host is a process's id, but on a wide screen without the domain of its host.
func (p *screen) host(id string) string {
	if p.wide {
		return id
	}
	return Host(id)
}

// Host is a process's id without the domain of its host, which would take the room of what tells processes apart.
func Host(id string) string {
	host, rest, ok := strings.Cut(id, "/")
	if !ok {
		return id
	}
	host, _, _ = strings.Cut(host, ".")
	return host + "/" + rest
}

func (p *screen) credentials() {
	t := display.NewTable(
		display.Column{Name: "CREDENTIAL", Least: 12}, display.Column{Name: "BREAKER", Tone: true},
		display.Column{Name: "SINCE", Right: true},
		display.Column{Name: "UNTIL"}, display.Column{Name: "CAUSE", Least: 10}, display.Column{Name: "PACE/S", Right: true},
		display.Column{Name: "QUOTA/S", Right: true}, display.Column{Name: "TOKEN", Right: true, Drop: 1},
	)
	n := p.shown(len(p.s.Credentials), otherRows)
	for i := range n {
		c := &p.s.Credentials[i]
		state, until, cause := Stand(c, p.s.At)
		t.Row(c.Label, state, p.ago(Since(c)), until, cause, Rate(c.Pace), Quota(c), p.ago(c.TokenAt))
	}
	p.print(t, n)
	p.left(len(p.s.Credentials), n, "credentials")
}

// Stand is how it stands with a credential at a time: the state of its breaker or what is worse, until when that holds at
// least, and why.
func Stand(c *client.StatusCredential, at time.Time) (state, until, cause string) {
	state, cause = strings.ReplaceAll(c.Breaker, "_", "-"), c.Cause
	switch o := c.Override; {
	case o != nil && c.Refused == "":
		state, cause = "forced "+o.State, "by "+o.By
		if o.Reason != "" {
			cause += ": " + o.Reason
		}
		if o.Until != nil {
			until = o.Until.UTC().Format("15:04:05")
		}
	case c.Refused != "":
		state, cause = "refused", c.Refused
	case c.Until != nil && c.Breaker != "closed":
		until = c.Until.UTC().Format("15:04:05")
	case c.PausedUntil != nil && c.PausedUntil.After(at):
		state, until, cause = "paused", c.PausedUntil.UTC().Format("15:04:05"), "fcm.quota_exceeded"
	case c.Throttled && c.Sick < 0.005:
		cause = "recovers"
	case c.Throttled:
		cause = fmt.Sprintf("%.0f %% fail", 100*c.Sick)
	}
	return state, until, cause
}

// Since is since when a credential stands as [Stand] says.
func Since(c *client.StatusCredential) *time.Time {
	if c.Override != nil && c.Refused == "" {
		return &c.Override.Since
	}
	return c.Since
}

// Quota is what the processes have of it; a ~ says that it is not known for sure.
func Quota(c *client.StatusCredential) string {
	const unbounded = 1e9
	switch {
	case c.Quota <= 0 || c.Quota > unbounded:
		return ""
	case c.Stale:
		return "~" + Rate(c.Quota)
	}
	return Rate(c.Quota)
}

func (p *screen) lanes() {
	t := display.NewTable(
		display.Column{Name: "LANE"}, display.Column{Name: "CHUNKS", Right: true}, display.Column{Name: "PLACES", Right: true},
		display.Column{Name: "WINDOW", Right: true}, display.Column{Name: "DISPATCHERS", Right: true},
	)
	rows := 0
	for i := range p.s.Lanes {
		if l := &p.s.Lanes[i]; p.wide || l.InHand > 0 {
			t.Row(l.Lane, number(l.InHand), strconv.Itoa(l.Places), strconv.Itoa(l.Window), strconv.Itoa(l.Processes))
			rows++
		}
	}
	p.print(t, rows)
}

func (p *screen) queues() {
	t := display.NewTable(
		display.Column{Name: "QUEUE"}, display.Column{Name: "WAITING", Right: true}, display.Column{Name: "IN HAND", Right: true},
		display.Column{Name: "DELAYED", Right: true}, display.Column{Name: "OLDEST", Right: true},
	)
	rows := 0
	for i := range p.s.Queues {
		q := &p.s.Queues[i]
		if !p.wide && q.Visible+q.InFlight+q.Delayed == 0 {
			continue
		}
		oldest := ""
		if q.OldestAge > 0 {
			oldest = Span(q.OldestAge)
		}
		t.Row(q.Name, number(q.Visible), number(q.InFlight), number(q.Delayed), oldest)
		rows++
	}
	p.print(t, rows)
	if len(p.s.Queues) > 0 && rows == 0 {
		p.gap()
		p.line("All queues are empty.")
	}
}

func (p *screen) running() {
	t := display.NewTable(
		display.Column{Name: "RUNNING"}, display.Column{Name: "TENANT", Least: 7}, display.Column{Name: "STATE", Tone: true},
		display.Column{Name: "OPEN", Right: true}, display.Column{Name: "AGE", Right: true}, display.Column{Name: "TITLE", Wide: true},
	)
	n := p.shown(len(p.s.Running), runningRows)
	for i := range n {
		w := &p.s.Running[i]
		open := "?"
		if w.Counted {
			open = number(w.Open)
		}
		t.Row(w.ID, w.Tenant, w.State, open, p.ago(&w.AcceptedAt), w.Title)
		if w.Waiting != "" {
			t.Below("waits: " + w.Waiting)
		}
	}
	p.print(t, n)
	p.left(len(p.s.Running), n, "that are running")
	if p.s.More {
		p.line("  more is running than the server has looked at")
	}
}

func (p *screen) tenants() {
	if len(p.s.Tenants) < 2 && !p.wide {
		return
	}
	t := display.NewTable(
		display.Column{Name: "TENANT", Least: 12}, display.Column{Name: "RUNNING", Right: true}, display.Column{Name: "OPEN", Right: true},
		display.Column{Name: "OLDEST", Right: true}, display.Column{Name: "OVER QUOTA", Right: true},
		display.Column{Name: "PAUSED", Least: 8},
	)
	n := p.shown(len(p.s.Tenants), tenantRows)
	for i := range n {
		s := &p.s.Tenants[i]
		t.Row(s.Name, strconv.Itoa(s.Running), number(s.Open), p.ago(s.Oldest), some(int64(s.Deferred)), s.Paused)
	}
	p.print(t, n)
	p.left(len(p.s.Tenants), n, "tenants")
}

func (p *screen) replays() {
	t := display.NewTable(
		display.Column{Name: "REPLAY"}, display.Column{Name: "STATE", Tone: true}, display.Column{Name: "PHASE"},
		display.Column{Name: "LETTERS", Right: true}, display.Column{Name: "AGE", Right: true}, display.Column{Name: "BY", Least: 8, Drop: 1},
	)
	n := p.shown(len(p.s.Replays), otherRows)
	for i := range n {
		r := &p.s.Replays[i]
		t.Row(r.ID, r.State, r.Phase, number(r.Total), p.ago(&r.CreatedAt), r.By)
		if r.Why != "" {
			t.Below(r.Why)
		}
	}
	p.print(t, n)
	p.left(len(p.s.Replays), n, "replays")
}

func (p *screen) letters() {
	t := display.NewTable(
		display.Column{Name: "DEAD LETTERS", Right: true}, display.Column{Name: "CODE"}, display.Column{Name: "LAST", Right: true},
		display.Column{Name: "WHAT WAS SAID", Least: 12},
	)
	const most = 5
	n := p.shown(len(p.s.Letters.Causes), most)
	for i := range n {
		c := &p.s.Letters.Causes[i]
		t.Row(number(c.Letters), c.Code, p.ago(&c.Last), c.Pattern)
	}
	p.print(t, n)
	if more := len(p.s.Letters.Causes) - n + p.s.Letters.Others; more > 0 {
		p.line(fmt.Sprintf("  %s in all, of %d other causes too: dlq-replayer groups", number(p.s.Letters.Parked), more))
	}
}

func (p *screen) pauses() {
	t := display.NewTable(
		display.Column{Name: "PAUSED", Least: 12}, display.Column{Name: "AGE", Right: true}, display.Column{Name: "BY", Least: 8},
		display.Column{Name: "REASON", Least: 12}, display.Column{Name: "ID", Wide: true},
	)
	n := p.shown(len(p.s.Pauses), otherRows)
	for i := range n {
		s := &p.s.Pauses[i]
		t.Row(s.What, p.ago(&s.Since), s.By, s.Reason, s.ID)
	}
	p.print(t, n)
	p.left(len(p.s.Pauses), n, "pauses")
}

// rest is the store, and what is not known.
func (p *screen) rest() {
	var l display.List
	if s := p.s.Store; s != nil {
		text := fmt.Sprintf("%s, answers in %d ms", s.Backend, int64(s.Seconds*1000))
		if s.Error != "" {
			text = s.Backend + ", does not answer"
		}
		if s.DiskTotal > 0 {
			text += fmt.Sprintf("; %s free of %s", humanize.IBytes(uint64(max(0, s.DiskFree))), humanize.IBytes(uint64(s.DiskTotal)))
		}
		l.Row("store", text)
	}
	for _, m := range p.s.Missing {
		text := cmp.Or(m.Reason, "not read")
		if m.Age > 0 {
			text += ", shown as of " + Span(m.Age) + " ago"
		}
		l.Row("not known: "+m.Part, text)
	}
	if p.s.Store == nil && len(p.s.Missing) == 0 {
		return
	}
	p.gap()
	if p.err == nil {
		p.err = l.Print(p.con)
	}
}
