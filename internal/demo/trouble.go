package demo

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/cli/progress"
)

// counts prints how the batch stands.
func (s *show) counts(title string, c *client.Counts) error {
	s.say("\n%s\n", title)
	return progress.PrintCounts(s.out, *c)
}

// fate is what became of the devices of one kind.
type fate struct {
	devices int64
	codes   map[client.Code]int64
	retried int64 // sent, but not at the first attempt
}

// trouble prints what was mixed in and how it ended, by kind.
func (s *show) trouble(ctx context.Context, c *recipients, id string) error {
	kinds := mix()
	fates := make([]fate, len(kinds)+1) // the last is the healthy devices
	for i := range fates {
		fates[i].codes = map[client.Code]int64{}
	}
	for d, err := range s.api.Report(ctx, id, client.DeliveryFilter{}) {
		if err != nil {
			return fmt.Errorf("read the report: %w", err)
		}
		if d.Line < 1 || d.Line > int64(len(c.kinds)) {
			return fmt.Errorf("the report has line %d of %d", d.Line, len(c.kinds))
		}
		at := c.kinds[d.Line-1]
		if at < 0 {
			at = len(kinds)
		}
		f := &fates[at]
		f.devices++
		f.codes[d.Code]++
		if d.Code == "sent" && len(d.Attempts) > 1 {
			f.retried++
		}
	}
	s.say("\nThe trouble that was mixed in:\n")
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "TROUBLE\tDEVICES\tENDED AS")
	for i, k := range kinds {
		fates[i].print(w, k.about)
	}
	healthy := fates[len(kinds)]
	healthy.print(w, fmt.Sprintf("none; but FCM was down for %.0f s", outage.Seconds()))
	return w.Flush()
}

// print writes a row, and one more for each further code: terminals have 80 columns.
func (f *fate) print(w io.Writer, about string) {
	codes := slices.SortedFunc(maps.Keys(f.codes), func(a, b client.Code) int {
		if d := f.codes[b] - f.codes[a]; d != 0 {
			return int(d)
		}
		return strings.Compare(string(a), string(b))
	})
	devices := progress.Group(f.devices)
	for _, code := range codes {
		end := fmt.Sprintf("%s %s", code, progress.Group(f.codes[code]))
		if code == "sent" && f.retried > 0 {
			end += fmt.Sprintf(" (%s by a retry)", progress.Group(f.retried))
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\n", about, devices, end)
		about, devices = "", ""
	}
}
