package top

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/dustin/go-humanize"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/cli/display"
	"github.com/belfry-push/belfry/internal/cli/live"
)

// The sections, in the order of their keys.
const (
	overview = iota
	problems
	running
	credentials
	queues
	processes
	tenants
	deadLetters
	replays
	pauses
	sections // how many there are
)

//nolint:gochecknoglobals // read-only table
var names = [sections]string{
	"overview", "problems", "running", "credentials", "queues", "processes", "tenants", "dead letters", "replays", "pauses",
}

// section is one table.
type section struct {
	empty   string // what is said of no rows
	columns []display.Column
	rows    func(m model) []row
	detail  func(m model, key string, p *page) bool // false: that row is gone
}

// row is one of its rows. key tells it from others, from one answer to the next.
type row struct {
	key   string
	cells []cell
	leads int // of the overview: to which section
}

// cell is what stands in a column; number is what it is sorted by if the column is of numbers.
type cell struct {
	text   string
	number float64
}

func text(s string) cell { return cell{text: s} }

func count(n int64) cell { return cell{humanize.Comma(n), float64(n)} }

func rate(f float64) cell { return cell{live.Rate(f), f} }

// all are the sections by number.
//
//nolint:gochecknoglobals,dupl // read-only table
var all = [sections]section{
	overview: {
		columns: []display.Column{
			{Name: "KEY"}, {Name: "WHAT"}, {Name: "HOW MANY", Right: true}, {Name: "STATE", Tone: true}, {Name: "WHAT STANDS OUT", Least: 20},
		},
		rows: overviewRows,
	},
	problems: {
		empty: "There are none: everything works.",
		columns: []display.Column{
			{Name: "HEALTH", Tone: true}, {Name: "SINCE", Right: true}, {Name: "WHAT", Least: 20}, {Name: "WHY", Least: 12},
		},
		rows: problemRows, detail: problemDetail,
	},
	running: {
		empty: "Nothing is running.",
		columns: []display.Column{
			{Name: "RUNNING", Least: 20},
			{Name: "TENANT", Least: 6},
			{Name: "STATE", Tone: true},
			{Name: "OPEN", Right: true},
			{Name: "DONE", Right: true},
			{Name: "OUT/S", Right: true},
			{Name: "AGE", Right: true},
			{Name: "WAITS FOR", Least: 10},
		},
		rows: runningRows, detail: runningDetail,
	},
	credentials: {
		empty: "No process sends with a credential, or this key may not see them.",
		columns: []display.Column{
			{Name: "CREDENTIAL", Least: 12},
			{Name: "BREAKER", Tone: true},
			{Name: "SINCE", Right: true},
			{Name: "UNTIL"},
			{Name: "CAUSE", Least: 8},
			{Name: "PACE/S", Right: true},
			{Name: "QUOTA/S", Right: true},
			{Name: "FLYING", Right: true},
			{Name: "TOKEN", Right: true, Drop: 1},
		},
		rows: credentialRows, detail: credentialDetail,
	},
	queues: {
		empty: "There is no queue, or this key may not see them.",
		columns: []display.Column{
			{Name: "QUEUE", Least: 12},
			{Name: "WAITING", Right: true},
			{Name: "IN HAND", Right: true},
			{Name: "DELAYED", Right: true},
			{Name: "OLDEST", Right: true},
			{Name: "TREND"},
		},
		rows: queueRows, detail: queueDetail,
	},
	processes: {
		empty: "No process runs, or this key may not see them.",
		columns: []display.Column{
			{Name: "PROCESS"},
			{Name: "ID", Least: 12},
			{Name: "VERSION", Least: 7, Drop: 1},
			{Name: "STATE", Tone: true},
			{Name: "UP", Right: true},
			{Name: "HEARD", Right: true},
			{Name: "IN/S", Right: true},
			{Name: "OUT/S", Right: true},
		},
		rows: processRows, detail: processDetail,
	},
	tenants: {
		empty: "No tenant has anything running or paused.",
		columns: []display.Column{
			{Name: "TENANT", Least: 12},
			{Name: "RUNNING", Right: true},
			{Name: "OPEN", Right: true},
			{Name: "OLDEST", Right: true},
			{Name: "OVER QUOTA", Right: true},
			{Name: "PAUSED", Least: 8},
		},
		rows: tenantRows, detail: tenantDetail,
	},
	deadLetters: {
		empty: "There are no dead letters.",
		columns: []display.Column{
			{Name: "LETTERS", Right: true},
			{Name: "CODE"},
			{Name: "LAST", Right: true},
			{Name: "FIRST", Right: true, Drop: 1},
			{Name: "WHAT WAS SAID", Least: 12},
		},
		rows: letterRows, detail: letterDetail,
	},
	replays: {
		empty: "No replay is under way.",
		columns: []display.Column{
			{Name: "REPLAY", Least: 20},
			{Name: "STATE", Tone: true},
			{Name: "PHASE"},
			{Name: "LETTERS", Right: true},
			{Name: "AGE", Right: true},
			{Name: "BY", Least: 6},
			{Name: "WHY", Least: 10},
		},
		rows: replayRows, detail: replayDetail,
	},
	pauses: {
		empty:   "Nothing is paused.",
		columns: []display.Column{{Name: "PAUSED", Least: 12}, {Name: "AGE", Right: true}, {Name: "BY", Least: 8}, {Name: "REASON", Least: 12}},
		rows:    pauseRows, detail: pauseDetail,
	},
}

func problemRows(m model) []row {
	out := make([]row, 0, len(m.status.Problems))
	for i := range m.status.Problems {
		p := &m.status.Problems[i]
		out = append(out, row{key: p.What, cells: []cell{text(string(p.Health)), m.ago(p.Since), text(p.What), text(p.Why)}})
	}
	return out
}

func runningRows(m model) []row {
	out := make([]row, 0, len(m.status.Running))
	for i := range m.status.Running {
		r := &m.status.Running[i]
		open, done := text("?"), text("")
		if r.Counted {
			open = count(r.Open)
			if r.Accepted > 0 {
				share := float64(r.Accepted-r.Open) / float64(r.Accepted) * 100
				done = cell{strconv.Itoa(int(share)) + " %", share}
			}
		}
		pace := text("")
		if f, ok := m.history.pace(r.ID); ok {
			pace = rate(f)
		}
		out = append(out, row{key: r.ID, cells: []cell{
			text(r.ID), text(r.Tenant), text(r.State), open, done, pace, m.ago(&r.AcceptedAt), text(r.Waiting),
		}})
	}
	return out
}

func credentialRows(m model) []row {
	out := make([]row, 0, len(m.status.Credentials))
	for i := range m.status.Credentials {
		c := &m.status.Credentials[i]
		state, until, cause := live.Stand(c, m.status.At)
		out = append(out, row{key: c.Label, cells: []cell{
			text(c.Label), text(state), m.ago(live.Since(c)), text(until), text(cause), rate(c.Pace),
			{live.Quota(c), c.Quota},
			count(int64(c.InFlight)), m.ago(c.TokenAt),
		}})
	}
	return out
}

func queueRows(m model) []row {
	out := make([]row, 0, len(m.status.Queues))
	for _, q := range m.status.Queues {
		oldest := cell{"", q.OldestAge}
		if q.OldestAge > 0 {
			oldest.text = live.Span(q.OldestAge)
		}
		const trend = 20
		out = append(out, row{key: q.Name, cells: []cell{
			text(q.Name), count(q.Visible), count(q.InFlight), count(q.Delayed), oldest, text(sparkline(m.history.depth[q.Name], trend)),
		}})
	}
	return out
}

func processRows(m model) []row {
	out := make([]row, 0, len(m.status.Processes))
	for i := range m.status.Processes {
		p := &m.status.Processes[i]
		out = append(out, row{key: p.ID, cells: []cell{
			text(p.Kind), text(live.Host(p.ID)), text(p.Version), text(p.State), m.ago(&p.Started),
			{live.Span(p.Age), p.Age},
			rate(p.Rates.Accepted), rate(p.Rates.Ended),
		}})
	}
	return out
}

func tenantRows(m model) []row {
	out := make([]row, 0, len(m.status.Tenants))
	for i := range m.status.Tenants {
		t := &m.status.Tenants[i]
		out = append(out, row{key: t.Name, cells: []cell{
			text(t.Name), count(int64(t.Running)), count(t.Open), m.ago(t.Oldest), count(int64(t.Deferred)), text(t.Paused),
		}})
	}
	return out
}

func letterRows(m model) []row {
	out := make([]row, 0, len(m.status.Letters.Causes))
	for i := range m.status.Letters.Causes {
		c := &m.status.Letters.Causes[i]
		out = append(out, row{key: c.Fingerprint, cells: []cell{
			count(c.Letters), text(c.Code), m.ago(&c.Last), m.ago(&c.First), text(c.Pattern),
		}})
	}
	return out
}

func replayRows(m model) []row {
	out := make([]row, 0, len(m.status.Replays))
	for i := range m.status.Replays {
		r := &m.status.Replays[i]
		out = append(out, row{key: r.ID, cells: []cell{
			text(r.ID), text(r.State), text(r.Phase), count(r.Total), m.ago(&r.CreatedAt), text(r.By), text(r.Why),
		}})
	}
	return out
}

func pauseRows(m model) []row {
	out := make([]row, 0, len(m.status.Pauses))
	for i := range m.status.Pauses {
		p := &m.status.Pauses[i]
		out = append(out, row{key: p.ID, cells: []cell{text(p.What), m.ago(&p.Since), text(p.By), text(p.Reason)}})
	}
	return out
}

// overviewRows have a row for each section, with what stands out of it in words.
func overviewRows(m model) []row {
	s := m.status
	var out []row
	add := func(section int, n int64, state, words string) {
		out = append(out, row{key: names[section], leads: section, cells: []cell{
			text(strconv.Itoa(section)), text(names[section]), count(n), text(state), text(words),
		}})
	}
	state := string(client.HealthOK)
	words := ""
	if len(s.Problems) > 0 {
		state, words = string(s.Problems[0].Health), s.Problems[0].What
	}
	add(problems, int64(len(s.Problems)), state, words)
	add(running, int64(len(s.Running)), "", runningWords(s))
	state, words = "", ""
	if len(s.Credentials) > 0 { // the most troubled is the first
		var until, cause string
		state, until, cause = live.Stand(&s.Credentials[0], s.At)
		words = s.Credentials[0].Label
		if until != "" {
			words += " until " + until
		}
		if cause != "" {
			words += ": " + cause
		}
	}
	add(credentials, int64(len(s.Credentials)), state, words)
	depth, words := queueWords(s)
	add(queues, depth, "", words)
	state, words = processWords(s)
	add(processes, int64(len(s.Processes)), state, words)
	state, words = "", ""
	for i := range s.Tenants {
		if t := &s.Tenants[i]; t.Paused != "" {
			state, words = "paused", t.Name+": "+t.Paused
			break
		}
		if i == 0 {
			words = s.Tenants[0].Name + ": " + humanize.Comma(s.Tenants[0].Open) + " open"
		}
	}
	add(tenants, int64(len(s.Tenants)), state, words)
	words = ""
	if len(s.Letters.Causes) > 0 {
		c := s.Letters.Causes[0]
		words = humanize.Comma(c.Letters) + " " + c.Code + ": " + c.Pattern
	}
	add(deadLetters, s.Letters.Parked, "", words)
	state, words = "", ""
	if len(s.Replays) > 0 {
		state, words = s.Replays[0].State, s.Replays[0].Why
	}
	add(replays, int64(len(s.Replays)), state, words)
	state, words = "", ""
	if len(s.Pauses) > 0 {
		state, words = "paused", s.Pauses[0].What+", by "+s.Pauses[0].By+": "+s.Pauses[0].Reason
	}
	add(pauses, int64(len(s.Pauses)), state, words)
	return out
}

func runningWords(s *client.Status) string {
	if len(s.Running) == 0 {
		return ""
	}
	waits := 0
	for i := range s.Running {
		if s.Running[i].Waiting != "" {
			waits++
		}
	}
	words := humanize.Comma(s.Open) + " open"
	if !s.Counted {
		words = "at least " + words
	}
	if waits > 0 {
		words += fmt.Sprintf("; %d wait", waits)
	}
	return words
}

// queueWords are how many messages there are, and the fullest queue.
func queueWords(s *client.Status) (depth int64, words string) {
	var most int64
	for _, q := range s.Queues {
		n := q.Visible + q.InFlight + q.Delayed
		depth += n
		if n > most {
			var parts []string
			for _, p := range []struct {
				n    int64
				what string
			}{{q.Visible, "waiting"}, {q.InFlight, "in hand"}, {q.Delayed, "delayed"}} {
				if p.n > 0 {
					parts = append(parts, humanize.Comma(p.n)+" "+p.what)
				}
			}
			most, words = n, q.Name+": "+strings.Join(parts, ", ")
		}
	}
	return depth, words
}

// processWords are the first process that is not as it should be.
func processWords(s *client.Status) (state, words string) {
	for i := range s.Processes {
		p := &s.Processes[i]
		if p.State != "ok" {
			return p.State, p.Kind + " " + live.Host(p.ID)
		}
		state = "ok"
	}
	return state, ""
}
