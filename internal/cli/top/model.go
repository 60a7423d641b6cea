package top

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/visible"
)

// How long a failing server is left alone: each time twice as long, from the usual time to the most.
const mostPause = 10 * time.Second

// model is everything that is on the screen, and why. It is a value: update returns the next one and changes nothing of the
// one before.
type model struct {
	from  string        // whom it asks, in words
	every time.Duration // how often

	now           time.Time // of the last message
	width, height int

	status   *client.Status // the last that came; nil before the first
	seen     time.Time      // when
	err      error          // why no newer one came; nil if it did
	failures int            // in a row
	next     time.Time      // when it asks again
	asking   bool
	held     bool // the refresh is paused

	section int    // that is shown
	open    string // key of the row that is drilled into, "" for the list
	deep    int    // lines that are scrolled away there
	lists   [sections]list
	typing  bool // a filter
	help    bool

	notification *client.Notification // that is drilled into, as far as it is known
	history      history
}

// list is how a section's rows are shown.
type list struct {
	sort    int // column that it is sorted by; -1: as the server has them
	reverse bool
	filter  string
	chosen  string // key of the row that the cursor is on; the first if there is none of it
}

// newModel returns the model before the first answer.
func newModel(from string, every time.Duration, now time.Time) model {
	m := model{from: from, every: every, now: now, width: 80, height: 24}
	for i := range m.lists {
		m.lists[i].sort = -1
	}
	return m
}

// What is done after an update.
type action int

const (
	nothing action = iota
	ask            // the server, and about the notification that is drilled into
	quit
)

// Messages, beside those of keys.
type (
	tick   time.Time
	size   struct{ width, height int }
	typed  string // text that is pasted
	answer struct {
		at           time.Time
		status       *client.Status
		notification *client.Notification // nil: not asked for, or not to be had
		err          error
	}
)

// update returns the model after a message, and what is to be done. key is a keystroke by name or the text that it types.
func (m model) update(msg any) (model, action) {
	switch msg := msg.(type) {
	case tick:
		m.now = time.Time(msg)
		if !m.asking && !m.held && !m.now.Before(m.next) {
			return m.ask()
		}
	case size:
		m.width, m.height = msg.width, msg.height
	case answer:
		return m.answered(msg), nothing
	case typed:
		if m.typing {
			m.lists[m.section].filter += visible.Field(string(msg))
		}
	case key:
		return m.press(string(msg))
	}
	return m, nothing
}

func (m model) ask() (model, action) {
	if m.asking {
		return m, nothing
	}
	m.asking = true
	return m, ask
}

// answered takes in what the server said, or that it did not.
func (m model) answered(a answer) model {
	m.now, m.asking = a.at, false
	if a.err != nil {
		m.err = a.err
		pause := min(m.every<<min(m.failures, 10), max(mostPause, m.every))
		m.failures++
		m.next = a.at.Add(pause)
		m.history = m.history.gap()
		return m
	}
	m.next = a.at.Add(m.every)
	m.err, m.failures, m.seen = nil, 0, a.at
	visible.Fields(a.status)
	m.history = m.history.add(m.status, a.status)
	m.status = a.status
	if a.notification != nil {
		visible.Fields(a.notification)
		m.notification = a.notification
	}
	return m
}

// wants is the notification that is drilled into, "" for none.
func (m model) wants() string {
	if m.section == running {
		return m.open
	}
	return ""
}

// rows are those of the section that is shown, filtered and sorted.
func (m model) rows() []row {
	if m.status == nil {
		return nil
	}
	l := m.lists[m.section]
	rows := all[m.section].rows(m)
	if l.filter != "" {
		want := strings.ToLower(l.filter)
		rows = slices.DeleteFunc(rows, func(r row) bool {
			return !slices.ContainsFunc(r.cells, func(c cell) bool { return strings.Contains(strings.ToLower(c.text), want) })
		})
	}
	if l.sort >= 0 {
		byNumber := all[m.section].columns[l.sort].Right
		slices.SortStableFunc(rows, func(a, b row) int {
			order := strings.Compare(a.cells[l.sort].text, b.cells[l.sort].text)
			if byNumber {
				order = cmp.Compare(b.cells[l.sort].number, a.cells[l.sort].number) // what is most matters most
			}
			if l.reverse {
				return -order
			}
			return order
		})
	}
	return rows
}

// at is the place of the cursor among rows. A row that is gone leaves it on the first.
func (m model) at(rows []row) int {
	return max(0, slices.IndexFunc(rows, func(r row) bool { return r.key == m.lists[m.section].chosen }))
}
