package display

import (
	"strings"

	"github.com/mattn/go-runewidth"
)

// Hanging lays out rows in columns that are as wide as their widest cell, behind an
// indent. The last cell of the longest rows is a text: one that does not fit a width
// goes on below its beginning; with a width of 0 all are one line. A text that would
// get less than twenty columns is not broken.
func Hanging(rows [][]string, width int, indent string) string {
	columns := 0
	for _, row := range rows {
		columns = max(columns, len(row))
	}
	widths := make([]int, columns)
	for _, row := range rows {
		for i, cell := range row[:min(len(row), columns-1)] {
			widths[i] = max(widths[i], runewidth.StringWidth(cell))
		}
	}
	const least = 20
	at := runewidth.StringWidth(indent)
	for _, w := range widths[:max(0, columns-1)] {
		at += w + gap
	}
	if width < at+least {
		width = 0
	}
	var b strings.Builder
	for _, row := range rows {
		var line strings.Builder
		line.WriteString(indent)
		for i, cell := range row {
			if i == columns-1 {
				below := strings.Repeat(" ", at)
				cell = strings.TrimPrefix(Wrap(cell, width, below), below)
				line.WriteString(strings.TrimSuffix(cell, "\n"))
			} else {
				line.WriteString(cell + strings.Repeat(" ", widths[i]-runewidth.StringWidth(cell)+gap))
			}
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	return b.String()
}
