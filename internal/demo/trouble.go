package demo

import (
	"context"
	"fmt"
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
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\n", k.about, progress.Group(fates[i].devices), fates[i])
	}
	healthy := fates[len(kinds)]
	_, _ = fmt.Fprintf(w, "none; but FCM was down for %.0f s\t%s\t%s\n", outage.Seconds(), progress.Group(healthy.devices), healthy)
	return w.Flush()
}

// String returns the codes, the most frequent first.
func (f fate) String() string {
	codes := slices.SortedFunc(maps.Keys(f.codes), func(a, b client.Code) int {
		if d := f.codes[b] - f.codes[a]; d != 0 {
			return int(d)
		}
		return strings.Compare(string(a), string(b))
	})
	parts := make([]string, len(codes))
	for i, code := range codes {
		parts[i] = fmt.Sprintf("%s %s", code, progress.Group(f.codes[code]))
		if code == "sent" && f.retried > 0 {
			parts[i] += fmt.Sprintf(" (%s by a retry)", progress.Group(f.retried))
		}
	}
	return strings.Join(parts, ", ")
}
