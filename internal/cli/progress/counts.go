package progress

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/push"
)

// row is one line of the table of outcomes.
type row struct {
	class, code string
	count       int64
}

// PrintCounts prints how the deliveries of a notification ended: a line per
// class and code, the most frequent first within a class, and below it the sum
// that must hold at every moment, accepted = every class added up.
func PrintCounts(w io.Writer, c client.Counts) error {
	var b strings.Builder
	tw := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	rows := rowsOf(c)
	width := len("COUNT")
	for _, r := range rows {
		width = max(width, len(Group(r.count)))
	}
	_, _ = fmt.Fprintf(tw, "CLASS\tCODE\t%*s\t%7s\n", width, "COUNT", "SHARE")
	for _, r := range rows {
		_, _ = fmt.Fprintf(tw, "%s\t%s\t%*s\t%7s\n", r.class, r.code, width, Group(r.count), share(r.count, c.Accepted))
	}
	_ = tw.Flush()
	b.WriteString("\n" + conservation(c) + "\n")
	if c.PossibleDuplicates > 0 {
		fmt.Fprintf(&b, "possible duplicates %s: tried again after an answer that left open whether the message was taken\n",
			Group(c.PossibleDuplicates))
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("print the table of outcomes: %w", err)
	}
	return nil
}

// classes lists the terms of the sum, in the order of the taxonomy. Retryable
// is none: such a delivery is open.
func classes(c client.Counts) []row {
	var out []row
	for _, class := range push.Classes() {
		var n int64
		switch class {
		case push.ClassSent:
			n = c.Sent
		case push.ClassPermanent:
			n = c.Permanent
		case push.ClassAmbiguous:
			n = c.Ambiguous
		case push.ClassSuppressed:
			n = c.Suppressed
		case push.ClassExpired:
			n = c.Expired
		case push.ClassCancelled:
			n = c.Cancelled
		case push.ClassDeadLettered:
			n = c.DeadLettered
		case push.ClassOpen, push.ClassRetryable:
			continue
		}
		if n != 0 {
			out = append(out, row{class: class.String(), count: n})
		}
	}
	if c.Open != 0 {
		out = append(out, row{class: push.ClassOpen.String(), count: c.Open})
	}
	return out
}

// rowsOf splits each class into its codes. What a server newer than this
// program counts under codes unknown here stays a row of its class.
func rowsOf(c client.Counts) []row {
	byClass := map[string][]row{}
	for name, n := range c.ByCode {
		if code, ok := push.CodeNamed(string(name)); ok && n != 0 {
			class := code.Class().String()
			byClass[class] = append(byClass[class], row{class, string(name), n})
		}
	}
	var out []row
	for _, total := range classes(c) {
		codes := byClass[total.class]
		slices.SortFunc(codes, func(a, b row) int {
			return cmp.Or(cmp.Compare(b.count, a.count), cmp.Compare(a.code, b.code))
		})
		out = append(out, codes...)
		rest := total.count
		for _, r := range codes {
			rest -= r.count
		}
		if rest != 0 {
			out = append(out, row{class: total.class, count: rest})
		}
	}
	return out
}

// conservation writes the sum out, and says so if it does not hold.
func conservation(c client.Counts) string {
	var sum int64
	var terms []string
	for _, r := range classes(c) {
		sum += r.count
		terms = append(terms, r.class+" "+Group(r.count))
	}
	if len(terms) == 0 {
		terms = []string{"0"}
	}
	s := fmt.Sprintf("accepted %s = %s", Group(c.Accepted), strings.Join(terms, " + "))
	if sum != c.Accepted {
		s += fmt.Sprintf("\nTHE COUNTS DO NOT ADD UP: they sum to %s. Please report this.", Group(sum))
	}
	return s
}

func share(n, of int64) string {
	if of == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f%%", 100*float64(n)/float64(of))
}

// Group writes a number with its thousands apart: 1,234,567.
func Group(n int64) string {
	s := strconv.FormatInt(n, 10)
	first := 0
	if n < 0 {
		first = 1
	}
	for i := len(s) - 3; i > first; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
