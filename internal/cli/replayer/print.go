package replayer

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/cli/display"
	"github.com/belfry-push/belfry/internal/cli/progress"
	"github.com/belfry-push/belfry/internal/visible"
)

// printGroups prints a line a group, and below it what is most likely wrong and
// where to read on.
func printGroups(con *display.Console, wide bool, g *client.DeadLetterGroups) error {
	visible.Fields(g)
	t := display.NewTable(
		display.Column{Name: "FINGERPRINT"}, display.Column{Name: "COUNT", Right: true}, display.Column{Name: "REPLAYED", Right: true, Drop: 2},
		display.Column{Name: "CODE"}, display.Column{Name: "FIRST", Drop: 3}, display.Column{Name: "LAST"},
		display.Column{Name: "SINCE", Wide: true}, display.Column{Name: "UNTIL", Wide: true},
		display.Column{Name: "PATTERN", Least: 12, Drop: 1},
	)
	for i := range g.Items {
		one := &g.Items[i]
		code := cmp.Or(one.LastCode, one.Code)
		t.Row(one.Fingerprint, progress.Group(one.Count), progress.Group(one.ByState["replayed"]), string(code),
			con.Age(&one.FirstDeadAt), con.Age(&one.LastDeadAt), display.Clock(&one.FirstDeadAt), display.Clock(&one.LastDeadAt), one.Pattern)
		t.Below(one.Advice.Cause)
		for _, line := range behind(one.Sources, one.Count) {
			t.Below(line)
		}
		if tenants := sorted(one.Tenants); len(tenants) > 1 {
			t.Below("tenants: " + listed(tenants, one.Tenants))
		}
		t.Below("dlq-replayer advice " + string(code))
	}
	if err := t.Print(con, wide, "no dead letters"); err != nil {
		return err
	}
	if more := g.Total - len(g.Items); more > 0 {
		_, err := fmt.Fprintf(con.Out, "%d smaller groups are not shown: raise --limit\n", more)
		return err
	}
	return nil
}

// behind says in lines which notifications and labels letters are of.
func behind(s *client.DeadLetterSources, all int64) []string {
	if s == nil {
		return nil
	}
	of := ""
	if s.Looked < all {
		of = fmt.Sprintf(", of %s looked at", progress.Group(s.Looked))
	}
	var parts []string
	for _, n := range s.Notifications {
		part := n.ID
		if n.Title != "" {
			part += " " + strconv.Quote(n.Title)
		}
		parts = append(parts, part+" "+progress.Group(n.Letters))
	}
	var lines []string
	add := func(what string, parts []string, more int) {
		if more > 0 {
			parts = append(parts, fmt.Sprintf("%d others", more))
		}
		if len(parts) > 0 {
			lines = append(lines, what+": "+strings.Join(parts, ", ")+of)
		}
	}
	add("notifications", parts, s.MoreNotifications)
	parts = nil
	for _, l := range s.Labels {
		parts = append(parts, l.Name+"="+l.Value+" "+progress.Group(l.Letters))
	}
	add("labels", parts, s.MoreLabels)
	return lines
}

// listed lists the first few names with their counts.
func listed(names []string, counts map[string]int64) string {
	const most = 5
	var parts []string
	for _, name := range names[:min(len(names), most)] {
		parts = append(parts, cmp.Or(name, "(none)")+" "+progress.Group(counts[name]))
	}
	if more := len(names) - most; more > 0 {
		parts = append(parts, fmt.Sprintf("%d others", more))
	}
	return strings.Join(parts, ", ")
}

func printLetters(con *display.Console, wide bool, ls []client.DeadLetter) error {
	t := display.NewTable(
		display.Column{Name: "ID"}, display.Column{Name: "STATE", Tone: true}, display.Column{Name: "CODE"},
		display.Column{Name: "ATTEMPTS", Right: true, Drop: 1}, display.Column{Name: "AGE"}, display.Column{Name: "DEAD", Wide: true},
		display.Column{Name: "QUEUE", Drop: 2}, display.Column{Name: "NOTIFICATION", Drop: 4},
		display.Column{Name: "EVIDENCE", Least: 12, Drop: 3},
	)
	for i := range ls {
		l := &ls[i]
		t.Row(l.ID, string(l.State), string(cmp.Or(l.LastCode, l.Code)), strconv.Itoa(l.Attempts), con.Age(&l.DeadAt), display.Clock(&l.DeadAt),
			l.Queue, l.NotificationID, l.Detail)
	}
	return t.Print(con, wide, "no dead letters")
}

// printLetter tells a letter's story: what it is, what happened to it, what is
// known now, and what to do.
func printLetter(con *display.Console, l *client.DeadLetter) error {
	visible.Fields(l)
	var what display.List
	what.Row("letter", l.ID)
	what.Row("state", string(l.State)+because(l.Reason))
	what.Row("code", string(cmp.Or(l.LastCode, l.Code)))
	if l.LastCode != "" {
		what.Row("ended as", fmt.Sprintf("%s after %d attempts", l.Code, l.Attempts))
	}
	what.Row("evidence", l.Detail)
	what.Row("recipient", recipientOf(l))
	what.Row("notification", l.NotificationID)
	what.Row("labels", display.Labels(l.Labels))
	what.Row("queue", l.Queue)
	what.Row("tenant", l.Tenant)
	what.Row("app", l.App)
	what.Row("trace", l.TraceParent)
	what.Row("software", l.Software)
	what.Row("fingerprint", l.Fingerprint)
	if err := what.Print(con); err != nil {
		return err
	}
	if err := printTimeline(con, l); err != nil {
		return err
	}
	var now display.List
	now.Row("ledger now", string(l.Ledger))
	now.Row("a replay", strings.TrimSuffix(l.Prediction+": "+l.Why, ": "))
	now.Row("outcome", string(l.Outcome))
	deadlines(con, &now, l)
	if a := l.Advice; a != nil {
		now.Row("cause", a.Cause)
		now.Row("check", a.Check)
		now.Row("what to do", a.Replay)
		now.Row("more", "dlq-replayer advice "+string(cmp.Or(l.LastCode, l.Code)))
	}
	now.Row("message", string(l.Message))
	now.Row("sent as", string(l.EditedMessage))
	if len(l.Body) > 0 {
		now.Row("body", strconv.Quote(string(l.Body)))
	}
	return now.Print(con)
}

// deadlines says until when a parked letter may be replayed.
func deadlines(con *display.Console, now *display.List, l *client.DeadLetter) {
	if l.State != client.DeadLetterParked {
		return
	}
	if l.ExpiresAt != nil {
		now.Row("deadline", con.Time(l.ExpiresAt)+", of its notification; a replay after it needs --expire-after")
	}
	if l.KeptUntil != nil {
		now.Row("kept until", con.Time(l.KeptUntil)+"; then retention gives it up, and only an export brings it back")
	} else {
		now.Row("kept until", "somebody discards it: no retention policy is applied here")
	}
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

func printTimeline(con *display.Console, l *client.DeadLetter) error {
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
		case e.Attempt == 0 && e.Code == client.CodeOpen:
			add(&e.At, "replay", e.Detail)
		case e.Attempt == 0:
			add(&e.At, "not sent", string(e.Code)+"  "+e.Detail)
		default:
			add(&e.At, fmt.Sprintf("attempt %d", e.Attempt), fmt.Sprintf("%s in %.0f ms  %s", e.Code, e.LatencyMS, e.Detail))
		}
	}
	add(&l.DeadAt, "dead", string(l.Code))
	add(&l.StoredAt, "drained", "")
	add(l.MovedAt, string(l.State), strings.TrimSpace(l.ReplayID+because(l.Reason)))
	slices.SortStableFunc(all, func(a, b moment) int { return a.at.Compare(b.at) })
	t := display.NewTable(display.Column{}, display.Column{}, display.Column{Drop: 1}, display.Column{Least: 20})
	for _, m := range all {
		t.Row("  "+m.at.UTC().Format("2006-01-02T15:04:05.000Z"), m.what, con.Age(&m.at), m.detail)
	}
	if _, err := fmt.Fprintln(con.Out, "\ntimeline"); err != nil {
		return err
	}
	if err := t.Print(con, false, "  nothing is recorded"); err != nil {
		return err
	}
	_, err := fmt.Fprintln(con.Out)
	return err
}

func printStats(con *display.Console, s *client.DeadLetterStats) error {
	visible.Fields(s)
	t := display.NewTable(display.Column{}, display.Column{Least: 12}, display.Column{Right: true})
	sumRows(t, "state", s.ByState)
	sumRows(t, "code", s.ByCode)
	sumRows(t, "class", s.ByClass)
	sumRows(t, "queue", s.ByQueue)
	sumRows(t, "tenant", s.ByTenant)
	sumRows(t, "app", s.ByApp)
	t.Row("groups", "", strconv.Itoa(s.Groups))
	t.Row("first", con.Time(s.FirstDeadAt))
	t.Row("last", con.Time(s.LastDeadAt))
	if e := s.Expiry; e != nil {
		t.Row("age out", "within "+days(e.Within), progress.Group(e.Letters))
	}
	if len(s.ByState) == 0 {
		_, err := fmt.Fprintln(con.Out, "no dead letters")
		return err
	}
	if err := t.Print(con, false, ""); err != nil {
		return err
	}
	var shown int64
	for _, n := range s.ByCode {
		shown += n
	}
	var b strings.Builder
	for _, line := range behind(s.Sources, shown) {
		b.WriteString(display.Wrap(line, con.Width, ""))
	}
	_, err := fmt.Fprintf(con.Out, "\n%s", b.String())
	return err
}

// sumRows adds sums of one kind, the largest first, with its name before them.
func sumRows[K ~string](t *display.Table, name string, sums map[K]int64) {
	for i, k := range sorted(sums) {
		if i > 0 {
			name = ""
		}
		t.Row(name, string(cmp.Or(k, "(none)")), progress.Group(sums[k]))
	}
}

// sorted returns a count's keys, the most first.
func sorted[K ~string](m map[K]int64) []K {
	return slices.SortedFunc(maps.Keys(m), func(a, b K) int { return cmp.Or(cmp.Compare(m[b], m[a]), cmp.Compare(a, b)) })
}

// days writes whole days as such.
func days(duration string) string {
	d, err := time.ParseDuration(duration)
	const day = 24 * time.Hour
	if err != nil || d < day || d%day != 0 {
		return duration
	}
	return fmt.Sprintf("%d days", d/day)
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
