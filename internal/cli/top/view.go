package top

import (
	"fmt"
	"slices"
	"strings"

	"github.com/charmbracelet/x/ansi"
	"github.com/mattn/go-runewidth"

	"github.com/belfry-push/belfry/internal/cli/display"
	"github.com/belfry-push/belfry/internal/cli/live"
	"github.com/belfry-push/belfry/internal/visible"
)

// The least that it can be drawn on.
const (
	leastWidth  = 40
	leastHeight = 12
)

// view is the screen: as many lines as it has, none wider than it.
func (m model) view(colour bool) string {
	if m.width < leastWidth || m.height < leastHeight {
		return fmt.Sprintf("belfry top needs %d×%d, this is %d×%d; q ends it", leastWidth, leastHeight, m.width, m.height)
	}
	lines := m.head(colour)
	room := m.height - len(lines) - 1
	body := m.content(colour, room)
	body = append(body[:min(len(body), room)], make([]string, max(0, room-len(body)))...)
	lines = append(append(lines, body...), m.foot(colour))
	for i := range lines {
		lines[i] = ansi.Truncate(lines[i], m.width, "…")
	}
	return strings.Join(lines, "\n")
}

// body is how many lines there are for what is drilled into.
func (m model) body() int { return max(1, m.height-len(m.head(false))-1) }

// head says whom it asks, how old that is, how it is in words, and the rates.
func (m model) head(colour bool) []string {
	p := newPage(m.width, colour)
	p.buf.WriteString(m.firstLine(&p.con) + "\n")
	if m.err != nil {
		said := visible.Field(m.err.Error())
		if m.status == nil {
			said = "No answer yet: " + said
		} else {
			said = fmt.Sprintf("NO ANSWER for %s, and what is below is that old: %s", live.Span(m.now.Sub(m.seen).Seconds()), said)
		}
		p.wrapped(said, "failing", 2)
	}
	if m.status == nil {
		return append(p.lines(), "")
	}
	p.wrapped(strings.ToUpper(string(m.status.Health))+": "+m.status.Headline, string(m.status.Health), 3)
	if len(m.status.Problems) > 0 && m.status.Problems[0].Do != "" {
		p.wrapped("do: "+m.status.Problems[0].Do, "", 2)
	}
	return append(p.lines(), m.rates(&p.con), "")
}

// wrapped is a text in so many lines at most, all of them in the colour of a state.
func (p *page) wrapped(text, state string, most int) {
	lines := strings.Split(strings.TrimSuffix(display.Wrap(visible.Field(text), p.con.Width, ""), "\n"), "\n")
	if len(lines) > most {
		lines = lines[:most]
		lines[most-1] = runewidth.Truncate(lines[most-1]+" …", p.con.Width, "…")
	}
	for _, line := range lines {
		p.buf.WriteString(p.con.Toned(line, state) + "\n")
	}
}

// firstLine is whom it asks on the left, and how old that is on the right.
func (m model) firstLine(con *display.Console) string {
	age := fmt.Sprintf("every %s", m.every)
	if m.status != nil {
		age = live.Span(m.now.Sub(m.seen).Seconds()) + " old, " + age
	}
	state := ""
	switch {
	case m.held:
		age, state = "PAUSED (p goes on), "+age, "paused"
	case m.err != nil && m.asking:
		age, state = age+", asking again", "failing"
	case m.err != nil:
		age, state = fmt.Sprintf("%s, asks again in %s", age, live.Span(m.next.Sub(m.now).Seconds()+1)), "failing"
	}
	name := "belfry top"
	from := runewidth.Truncate(visible.Field(m.from), max(8, m.width-len(name)-len(age)-4), "…")
	blanks := max(2, m.width-len(name)-2-runewidth.StringWidth(from)-len(age))
	return con.Heading(name) + "  " + from + strings.Repeat(" ", blanks) + con.Toned(age, state)
}

// rates are what comes, goes and is open, each with its history.
func (m model) rates(con *display.Console) string {
	type part struct {
		name, value string
		history     []float64
	}
	var parts []part
	if r := m.status.Rates; r != nil {
		parts = append(parts, part{"in", live.Rate(r.Accepted) + "/s", m.history.in}, part{"out", live.Rate(r.Ended) + "/s", m.history.out})
	}
	open := live.Rate(float64(m.status.Open))
	if !m.status.Counted {
		open = "≥" + open
	}
	parts = append(parts, part{"open", open, m.history.open})
	taken := 0
	for _, p := range parts {
		taken += len(p.name) + 1 + runewidth.StringWidth(p.value) + 1 + 2
	}
	each := max(0, min(mostSamples, (m.width-taken+2)/len(parts)))
	var cells []string
	for _, p := range parts {
		spark := sparkline(p.history, each)
		cells = append(cells, con.Heading(p.name)+" "+p.value+" "+spark+strings.Repeat(" ", max(0, each-runewidth.StringWidth(spark))))
	}
	return strings.TrimRight(strings.Join(cells, "  "), " ")
}

// content is what is between head and foot, at most so many lines.
func (m model) content(colour bool, room int) []string {
	switch {
	case m.help:
		return helpLines(m.width, colour)
	case m.status == nil:
		return []string{"Waiting for the first answer of " + visible.Field(m.from) + "."}
	case m.open != "":
		lines := m.detailIn(colour)
		return lines[min(m.deep, max(0, len(lines)-room)):]
	}
	return m.table(colour, room)
}

// detail is what is drilled into, without colours.
func (m model) detail() []string { return m.detailIn(false) }

func (m model) detailIn(colour bool) []string {
	p := newPage(m.width, colour)
	if m.status == nil || !all[m.section].detail(m, m.open, p) {
		p.title(m.open)
		p.words("It is not in the status any more: it is done, or gone. esc goes back to the list.")
	}
	return p.lines()
}

// table is the list of the section, around its cursor.
func (m model) table(colour bool, room int) []string {
	s, l := all[m.section], m.lists[m.section]
	rows := m.rows()
	title := strings.ToUpper(names[m.section][:1]) + names[m.section][1:]
	switch total := len(s.rows(m)); {
	case m.section == overview:
	case l.filter != "" || m.typing:
		title += fmt.Sprintf(", %d of %d with “%s”", len(rows), total, l.filter)
	default:
		title += fmt.Sprintf(", %d", total)
	}
	columns := append([]display.Column{{}}, s.columns...)
	if l.sort >= 0 {
		arrow := "▲"
		if columns[l.sort+1].Right != l.reverse {
			arrow = "▼"
		}
		title += ", by " + strings.ToLower(s.columns[l.sort].Name)
		columns[l.sort+1].Name += arrow
	}
	p := newPage(m.width, colour)
	out := []string{p.con.Heading(title)}
	if len(rows) == 0 {
		if l.filter != "" {
			return append(out, "", "Nothing has that in its row. esc shows all.")
		}
		return append(out, "", s.empty)
	}
	t := display.NewTable(columns...)
	at := m.at(rows)
	for i, r := range rows {
		cells := []string{" "}
		if i == at {
			cells[0] = ">"
		}
		for _, c := range r.cells {
			cells = append(cells, c.text)
		}
		t.Row(cells...)
	}
	p.table(t, len(rows))
	lines := p.lines()
	out = append(out, lines[0])
	lines = lines[1:]
	fits := max(1, room-len(out))
	from := min(max(0, at-fits/2), max(0, len(lines)-fits))
	out = append(out, lines[from:min(len(lines), from+fits)]...)
	if m.section == overview {
		out = append(out, m.latest(colour, room-len(out))...)
	}
	return out
}

// latest are the last changes that were seen, as far as there is room.
func (m model) latest(colour bool, room int) []string {
	const around = 2 // the empty line and the title
	n := min(len(m.history.changes), room-around)
	if n <= 0 {
		return nil
	}
	p := newPage(m.width, colour)
	out := []string{"", p.con.Heading("Changes, the latest first")}
	for _, c := range slices.Backward(m.history.changes[len(m.history.changes)-n:]) {
		text := runewidth.Truncate("  "+c.at.UTC().Format("15:04:05")+"  "+c.text, m.width, "…")
		out = append(out, p.con.Toned(text, c.state))
	}
	return out
}

// foot are the keys that do something now.
func (m model) foot(colour bool) string {
	p := newPage(m.width, colour)
	switch {
	case m.typing:
		return "filter: " + m.lists[m.section].filter + "_   enter keeps it, esc shows all"
	case m.help:
		return "any key goes back"
	}
	keys := []string{"q quit", "? keys", "p pause"}
	if m.held {
		keys[2] = "p go on"
	}
	switch {
	case m.open != "":
		keys = append(keys, "esc back")
		if below := len(m.detail()) - m.deep - m.body(); below > 0 || m.deep > 0 {
			keys = append(keys, fmt.Sprintf("↑↓ scroll: %d more below", max(0, below)))
		}
	case m.section == overview:
		keys = append(keys, "↑↓ choose", "enter open", "1-9 go to")
	default:
		keys = append(keys, "esc back", "↑↓ choose", "enter open", "s sort", "/ filter")
	}
	return p.con.Heading(strings.Join(keys, "  "))
}

// helpLines are all keys.
func helpLines(width int, colour bool) []string {
	p := newPage(width, colour)
	p.title("Keys")
	p.facts(
		"0-9, tab", "go to a section: 0 is the overview, which names the others; tab the next, shift+tab the one before",
		"up, down, k, j", "choose a row, or scroll what is open; pgup, pgdn, home, end and g, G too",
		"enter, right", "open what is chosen: all that is known of it, and what to type",
		"esc, left", "back: to the list, out of the filter, to the overview",
		"s, S", "sort by the next column, after the last as the server has it; the other way around",
		"/", "show only rows with a text; enter keeps it, esc shows all",
		"p, space", "pause the refresh, and go on",
		"r", "ask now",
		"q, ctrl+c", "quit",
	)
	return p.lines()
}
