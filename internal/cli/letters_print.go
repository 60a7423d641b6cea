package cli

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
	"unicode/utf8"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/cli/progress"
	"github.com/belfry-push/belfry/internal/push"
)

// printGroups prints a line a group, and below it what is most likely wrong and
// where to read on.
func printGroups(out io.Writer, g *client.DeadLetterGroups) error {
	if len(g.Items) == 0 {
		_, err := fmt.Fprintln(out, "no dead letters")
		return err
	}
	var lines bytes.Buffer
	err := table(&lines, "FINGERPRINT\tCOUNT\tREPLAYED\tCODE\tSINCE\tUNTIL\tPATTERN", func(w io.Writer) {
		for i := range g.Items {
			one := &g.Items[i]
			const widest = 40
			_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", one.Fingerprint, progress.Group(one.Count), progress.Group(one.ByState["replayed"]),
				cmp.Or(one.LastCode, one.Code), short(one.FirstDeadAt), short(one.LastDeadAt), clip(one.Pattern, widest))
		}
	})
	var b strings.Builder
	at := -1 // the heading comes first
	for row := range strings.Lines(lines.String()) {
		b.WriteString(row)
		if at >= 0 {
			a := &g.Items[at].Advice
			fmt.Fprintf(&b, "    %s\n    %s\n", a.Cause, a.Runbook)
		}
		at++
	}
	if more := g.Total - len(g.Items); more > 0 {
		fmt.Fprintf(&b, "%d smaller groups are not shown: raise --limit\n", more)
	}
	if err == nil {
		_, err = io.WriteString(out, b.String())
	}
	return err
}

func printLetters(out io.Writer, ls []client.DeadLetter) error {
	return table(out, "ID\tSTATE\tCODE\tATTEMPTS\tDEAD\tQUEUE\tNOTIFICATION\tEVIDENCE", func(w io.Writer) {
		for i := range ls {
			l := &ls[i]
			const widest = 60
			_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%s\t%s\t%s\n", l.ID, l.State, cmp.Or(l.LastCode, l.Code), l.Attempts, short(l.DeadAt), l.Queue,
				l.NotificationID, clip(l.Detail, widest))
		}
	})
}

// printLetter tells a letter's story: what it is, what happened to it, what is
// known now, and what to do.
func printLetter(out io.Writer, l *client.DeadLetter) error {
	var b strings.Builder
	err := table(&b, "", func(w io.Writer) {
		row := func(name, format string, args ...any) {
			if text := strings.TrimSpace(fmt.Sprintf(format, args...)); text != "" {
				_, _ = fmt.Fprintf(w, "%s\t%s\n", name, text)
			}
		}
		row("letter", "%s", l.ID)
		row("state", "%s%s", l.State, because(l.Reason))
		row("code", "%s", cmp.Or(l.LastCode, l.Code))
		if l.LastCode != "" {
			row("ended as", "%s after %d attempts", l.Code, l.Attempts)
		}
		row("evidence", "%s", l.Detail)
		row("recipient", "%s", recipientOf(l))
		row("notification", "%s", l.NotificationID)
		row("labels", "%s", labels(l.Labels))
		row("queue", "%s", l.Queue)
		row("tenant", "%s", l.Tenant)
		row("app", "%s", l.App)
		row("trace", "%s", l.TraceParent)
		row("software", "%s", l.Software)
		row("fingerprint", "%s", l.Fingerprint)
	})
	if err != nil {
		return err
	}
	b.WriteString("\ntimeline\n")
	if err := printTimeline(&b, l); err != nil {
		return err
	}
	b.WriteByte('\n')
	err = table(&b, "", func(w io.Writer) {
		row := func(name, text string) {
			if text != "" {
				_, _ = fmt.Fprintf(w, "%s\t%s\n", name, text)
			}
		}
		row("ledger now", l.Ledger)
		row("a replay", strings.TrimSuffix(l.Prediction+": "+l.Why, ": "))
		row("outcome", l.Outcome)
		if a := l.Advice; a != nil {
			row("cause", a.Cause)
			row("check", a.Check)
			row("what to do", a.Replay)
			row("runbook", a.Runbook)
		}
		row("message", string(l.Message))
		row("sent as", string(l.EditedMessage))
	})
	if len(l.Body) > 0 {
		fmt.Fprintf(&b, "body        %q\n", l.Body)
	}
	if err == nil {
		_, err = io.WriteString(out, b.String())
	}
	return err
}

func recipientOf(l *client.DeadLetter) string {
	if l.Kind != "recipient" {
		return ""
	}
	parts := []string{l.AddressKind + " with hash " + l.AddressHash}
	if l.AddressHash == "" {
		parts[0] = "address removed"
	}
	if l.UserID != "" {
		parts = append(parts, "user "+l.UserID)
	}
	if l.DeviceID != "" {
		parts = append(parts, "device "+l.DeviceID)
	}
	if l.Line > 0 {
		parts = append(parts, fmt.Sprintf("line %d of the upload", l.Line))
	}
	return strings.Join(append(parts, fmt.Sprintf("chunk %d, position %d", l.Chunk, l.Index)), ", ")
}

// moment is one line of a letter's timeline.
type moment struct {
	at           time.Time
	what, detail string
}

func printTimeline(out io.Writer, l *client.DeadLetter) error {
	var all []moment
	add := func(at *time.Time, what, detail string) {
		if at != nil && !at.IsZero() {
			all = append(all, moment{*at, what, detail})
		}
	}
	add(l.AcceptedAt, "accepted", "")
	for i := range l.Evidence {
		e := &l.Evidence[i]
		switch {
		case e.Attempt == 0 && e.Code == push.CodeOpen.String():
			add(&e.At, "replay", e.Detail)
		case e.Attempt == 0:
			add(&e.At, "not sent", e.Code+"  "+e.Detail)
		default:
			add(&e.At, fmt.Sprintf("attempt %d", e.Attempt), fmt.Sprintf("%s in %.0f ms  %s", e.Code, e.LatencyMS, e.Detail))
		}
	}
	add(&l.DeadAt, "dead", l.Code)
	add(&l.StoredAt, "drained", "")
	add(l.MovedAt, l.State, strings.TrimSpace(l.ReplayID+because(l.Reason)))
	slices.SortStableFunc(all, func(a, b moment) int { return a.at.Compare(b.at) })
	return table(out, "", func(w io.Writer) {
		for _, m := range all {
			_, _ = fmt.Fprintf(w, "  %s\t%s\t%s\n", m.at.UTC().Format("2006-01-02 15:04:05.000"), m.what, m.detail)
		}
	})
}

func printStats(out io.Writer, s *client.DeadLetterStats) error {
	return table(out, "", func(w io.Writer) {
		group := func(name string, counts map[string]int64) {
			for i, k := range sorted(counts) {
				if i > 0 {
					name = ""
				}
				_, _ = fmt.Fprintf(w, "%s\t%s\t%s\n", name, cmp.Or(k, "(none)"), progress.Group(counts[k]))
			}
		}
		group("state", s.ByState)
		group("code", s.ByCode)
		group("class", s.ByClass)
		group("queue", s.ByQueue)
		group("tenant", s.ByTenant)
		group("app", s.ByApp)
		_, _ = fmt.Fprintf(w, "groups\t\t%d\n", s.Groups)
		_, _ = fmt.Fprintf(w, "dead\t%s to %s\t\n", clock(s.FirstDeadAt), clock(s.LastDeadAt))
		if e := s.Expiry; e != nil {
			_, _ = fmt.Fprintf(w, "age out\twithin %s\t%s\n", days(e.Within), progress.Group(e.Letters))
		}
	})
}

// table prints rows in columns under a heading, which may be empty. No line ends
// in spaces.
func table(out io.Writer, heading string, rows func(w io.Writer)) error {
	var b bytes.Buffer
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	if heading != "" {
		_, _ = fmt.Fprintln(w, heading)
	}
	rows(w)
	if err := w.Flush(); err != nil {
		return err
	}
	for row := range strings.Lines(b.String()) {
		if _, err := io.WriteString(out, strings.TrimRight(row, " \n")+"\n"); err != nil {
			return err
		}
	}
	return nil
}

// sorted returns a count's keys, the most first.
func sorted(m map[string]int64) []string {
	return slices.SortedFunc(maps.Keys(m), func(a, b string) int { return cmp.Or(cmp.Compare(m[b], m[a]), cmp.Compare(a, b)) })
}

// short is a time to the second in few columns.
func short(t time.Time) string { return t.UTC().Format("01-02 15:04:05") }

// days writes whole days as such.
func days(duration string) string {
	d, err := time.ParseDuration(duration)
	const day = 24 * time.Hour
	if err != nil || d < day || d%day != 0 {
		return duration
	}
	return fmt.Sprintf("%d days", d/day)
}

// clip shortens a text for a column.
func clip(s string, widest int) string {
	if utf8.RuneCountInString(s) <= widest {
		return s
	}
	return string([]rune(s)[:widest-1]) + "…"
}

func because(why string) string {
	if why == "" {
		return ""
	}
	return " (" + why + ")"
}

// indented is JSON as people read it.
func indented(raw json.RawMessage) string {
	var b bytes.Buffer
	if json.Indent(&b, raw, "  ", "  ") != nil {
		return string(raw)
	}
	return b.String()
}
