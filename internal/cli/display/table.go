package display

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/mattn/go-runewidth"

	"github.com/belfry-push/belfry/internal/visible"
)

// Column is a column of a [Table].
type Column struct {
	Name string

	// Right aligns it to the right, as numbers are.
	Right bool
	// Wide shows it with -o wide only.
	Wide bool
	// Least is down to how many columns of the terminal its texts may be cut; 0 is
	// not at all, as of an id that somebody must copy.
	Least int
	// Drop says in which order columns are left out when cutting is not enough: 1
	// is the first to go, 0 stays.
	Drop int
	// Tone colours its texts by what they mean: states, classes, verdicts.
	Tone bool
}

// Table is rows under a heading. On a terminal it is made to fit: first the
// columns that may be cut are cut, the last first and none below its least width;
// then columns are dropped, in their order. What is dropped is named on standard
// error, and -o wide shows all. Elsewhere than on a terminal nothing is cut.
type Table struct {
	columns []Column
	rows    []tableRow
}

type tableRow struct {
	cells []string
	below []string // lines under the row
}

// gap stands between two columns.
const gap = 2

// NewTable returns a table without rows.
func NewTable(columns ...Column) *Table { return &Table{columns: columns} }

// Row adds a row, with a cell for every column.
func (t *Table) Row(cells ...string) {
	row := tableRow{cells: make([]string, len(t.columns))}
	copy(row.cells, cells)
	for i := range row.cells {
		row.cells[i] = visible.Field(row.cells[i])
	}
	t.rows = append(t.rows, row)
}

// Below adds a line under the last row. It is wrapped, never cut.
func (t *Table) Below(text string) {
	last := &t.rows[len(t.rows)-1]
	last.below = append(last.below, visible.Field(text))
}

// Print prints the table, with empty in the place of a table without rows. wide
// shows every column in full.
func (t *Table) Print(c *Console, wide bool, empty string) error {
	if len(t.rows) == 0 {
		_, err := fmt.Fprintln(c.Out, empty)
		return err
	}
	width := c.Width
	if wide {
		width = 0
	}
	shown, widths, dropped := t.layout(width, wide)
	var b strings.Builder
	names := make([]string, len(t.columns))
	for i := range t.columns {
		names[i] = t.columns[i].Name
	}
	if strings.Join(names, "") != "" {
		t.line(&b, names, shown, widths, func(int, string) tone { return heading }, c.Colour)
	}
	for _, row := range t.rows {
		t.line(&b, row.cells, shown, widths, func(column int, text string) tone {
			if t.columns[column].Tone {
				return toneOf(text)
			}
			return plain
		}, c.Colour)
		for _, text := range row.below {
			b.WriteString(Wrap(text, c.Width, "    "))
		}
	}
	if _, err := io.WriteString(raw(c.Out), b.String()); err != nil {
		return err
	}
	if len(dropped) > 0 {
		_, _ = io.WriteString(c.Err, Wrap("not shown for want of room: "+strings.Join(dropped, ", ")+"; -o wide shows all", c.Width, ""))
	}
	return nil
}

// line writes one line; it does not end in blanks.
func (t *Table) line(b *strings.Builder, cells []string, shown, widths []int, toneAt func(column int, text string) tone, colour bool) {
	var line strings.Builder
	blanks := 0
	for _, i := range shown {
		text := cells[i]
		painted := text
		if runewidth.StringWidth(text) > widths[i] {
			text = runewidth.Truncate(text, widths[i], "…")
			painted = text
		}
		if colour {
			painted = paint(text, toneAt(i, cells[i]))
		}
		pad := widths[i] - runewidth.StringWidth(text)
		if t.columns[i].Right {
			blanks, pad = blanks+pad, 0
		}
		if text != "" {
			line.WriteString(strings.Repeat(" ", blanks) + painted)
			blanks = 0
		}
		blanks += pad + gap
	}
	b.WriteString(line.String() + "\n")
}

// layout decides which columns are shown and how wide each is.
func (t *Table) layout(width int, wide bool) (shown, widths []int, dropped []string) {
	widths = make([]int, len(t.columns))
	for i := range t.columns {
		widths[i] = runewidth.StringWidth(t.columns[i].Name)
		for _, row := range t.rows {
			widths[i] = max(widths[i], runewidth.StringWidth(row.cells[i]))
		}
		if wide || !t.columns[i].Wide {
			shown = append(shown, i)
		}
	}
	if width <= 0 {
		return shown, widths, nil
	}
	full := slices.Clone(widths)
	for {
		copy(widths, full)
		over := -width - gap
		for _, i := range shown {
			over += widths[i] + gap
		}
		for _, i := range slices.Backward(shown) {
			least := t.columns[i].Least
			if over > 0 && least > 0 && widths[i] > least {
				cut := min(over, widths[i]-least)
				widths[i], over = widths[i]-cut, over-cut
			}
		}
		next := t.nextDropped(shown)
		if over <= 0 || next < 0 {
			return shown, widths, dropped
		}
		dropped = append(dropped, t.columns[shown[next]].Name)
		shown = slices.Delete(shown, next, next+1)
	}
}

// nextDropped is the place in shown of the column that goes first, -1 for none.
func (t *Table) nextDropped(shown []int) int {
	next := -1
	for at, i := range shown {
		if d := t.columns[i].Drop; d > 0 && (next < 0 || d < t.columns[shown[next]].Drop) {
			next = at
		}
	}
	return next
}

// Wrap breaks a text at blanks into lines that fit a width, each behind the
// indent; with a width of 0 it is one line.
func Wrap(text string, width int, indent string) string {
	var b strings.Builder
	line := indent
	for word := range strings.FieldsSeq(text) {
		if len(line) > len(indent) {
			if width > 0 && runewidth.StringWidth(line)+1+runewidth.StringWidth(word) > width {
				b.WriteString(line + "\n")
				line = indent
			} else {
				line += " "
			}
		}
		line += word
	}
	b.WriteString(line + "\n")
	return b.String()
}

// List prints what is known of one thing: names and texts in two columns. A text
// that does not fit a terminal goes on below, behind the names.
type List struct{ rows [][2]string }

// Row adds a line, unless the text is empty.
func (l *List) Row(name, text string) {
	if text != "" {
		l.rows = append(l.rows, [2]string{visible.Field(name), visible.Field(text)})
	}
}

// Print prints the list.
func (l *List) Print(c *Console) error {
	names := 0
	for _, row := range l.rows {
		names = max(names, runewidth.StringWidth(row[0]))
	}
	indent := strings.Repeat(" ", names+gap)
	var b strings.Builder
	for _, row := range l.rows {
		text := row[1]
		if c.Width > 0 && names+gap+runewidth.StringWidth(text) > c.Width {
			text = strings.TrimPrefix(strings.TrimSuffix(Wrap(text, c.Width, indent), "\n"), indent)
		}
		name := row[0] + strings.Repeat(" ", names+gap-runewidth.StringWidth(row[0]))
		if c.Colour {
			name = paint(row[0], heading) + name[len(row[0]):]
			if t := toneOf(text); t != plain {
				text = paint(text, t)
			}
		}
		b.WriteString(name + text + "\n")
	}
	_, err := io.WriteString(raw(c.Out), b.String())
	return err
}
