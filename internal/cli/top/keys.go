package top

import (
	"unicode"
	"unicode/utf8"

	"github.com/belfry-push/belfry/internal/visible"
)

// key is a keystroke: its name (enter, ctrl+c) or the text that it types.
type key string

// mostFilter is how long a filter may get; more does not fit a line.
const mostFilter = 40

// press returns the model after a key.
func (m model) press(k string) (model, action) {
	switch {
	case k == "ctrl+c":
		return m, quit
	case m.typing:
		return m.typeFilter(k), nothing
	case m.help: // any key closes the help
		m.help = false
		return m, nothing
	}
	switch k {
	case "q":
		return m, quit
	case "?":
		m.help = true
	case "p", "space", " ":
		m.held = !m.held
		if !m.held {
			return m.ask()
		}
	case "r":
		return m.ask()
	case "esc", "left", "h", "backspace":
		return m.back(), nothing
	case "enter", "right", "l":
		return m.enter()
	case "tab":
		return m.goTo((m.section + 1) % sections), nothing
	case "shift+tab":
		return m.goTo((m.section + sections - 1) % sections), nothing
	case "/":
		if m.open == "" && m.section != overview {
			m.typing = true
		}
	case "s", "S":
		m = m.resort(k == "S")
	default:
		if len(k) == 1 && k[0] >= '0' && int(k[0]-'0') < sections {
			return m.goTo(int(k[0] - '0')), nothing
		}
		return m.move(k), nothing
	}
	return m, nothing
}

// typeFilter is press while a filter is typed.
func (m model) typeFilter(k string) model {
	l := &m.lists[m.section]
	switch k {
	case "enter":
		m.typing = false
	case "esc":
		m.typing, l.filter = false, ""
	case "backspace":
		_, n := utf8.DecodeLastRuneInString(l.filter)
		l.filter = l.filter[:len(l.filter)-n]
	case "space":
		l.filter += " "
	default:
		if r, n := utf8.DecodeRuneInString(k); n == len(k) && unicode.IsPrint(r) && len(l.filter) < mostFilter {
			l.filter += visible.Field(k)
		}
	}
	return m
}

// back leaves what is drilled into, then a filter, then the section.
func (m model) back() model {
	switch l := &m.lists[m.section]; {
	case m.open != "":
		m.open, m.notification = "", nil
	case l.filter != "":
		l.filter = ""
	default:
		return m.goTo(overview)
	}
	return m
}

// enter drills into the row under the cursor: of the overview, into that section.
func (m model) enter() (model, action) {
	rows := m.rows()
	if m.open != "" || len(rows) == 0 {
		return m, nothing
	}
	r := rows[m.at(rows)]
	if m.section == overview {
		return m.goTo(r.leads), nothing
	}
	m.lists[m.section].chosen = r.key
	m.open, m.deep = r.key, 0
	if m.section == running && !m.held {
		return m.ask() // more is known of a notification than the status has
	}
	return m, nothing
}

func (m model) goTo(section int) model {
	m.section, m.open, m.deep, m.notification = section, "", 0, nil
	return m
}

// resort sorts by the next column, after the last as the server has them; or the other way around.
func (m model) resort(around bool) model {
	if m.open != "" || m.section == overview {
		return m
	}
	l := &m.lists[m.section]
	if around {
		l.reverse = !l.reverse && l.sort >= 0
		return m
	}
	l.reverse = false
	if l.sort++; l.sort == len(all[m.section].columns) {
		l.sort = -1
	}
	return m
}

// move moves the cursor, or scrolls what is drilled into.
func (m model) move(k string) model {
	page := max(1, m.body()-2)
	by, ok := map[string]int{
		"up": -1, "k": -1, "down": 1, "j": 1, "pgup": -page, "pgdown": page, "home": -1 << 20, "g": -1 << 20, "end": 1 << 20, "G": 1 << 20,
	}[k]
	if !ok {
		return m
	}
	if m.open != "" {
		m.deep = min(max(0, m.deep+by), max(0, len(m.detail())-m.body()))
		return m
	}
	rows := m.rows()
	if len(rows) == 0 {
		return m
	}
	m.lists[m.section].chosen = rows[min(max(0, m.at(rows)+by), len(rows)-1)].key
	return m
}
