package tail

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// position says how far somebody has read: for each source the number of the last event. Every Hub understands it, so
// whoever reads on may ask another process.
type position map[string]int64

const numberBase = 36

// mostPosition bounds a position that a client sends: some thousand sources.
const mostPosition = 16 << 10

// String writes it as ids of events carry it.
func (p position) String() string {
	var b strings.Builder
	for i, source := range slices.Sorted(maps.Keys(p)) {
		if i > 0 {
			b.WriteByte('~')
		}
		b.WriteString(source)
		b.WriteByte('.')
		b.WriteString(strconv.FormatInt(p[source], numberBase))
	}
	return b.String()
}

// parsePosition reads a position; what no Hub wrote is no position.
func parsePosition(text string) (position, bool) {
	if text == "" || len(text) > mostPosition {
		return nil, false
	}
	p := position{}
	for one := range strings.SplitSeq(text, "~") {
		source, number, ok := strings.Cut(one, ".")
		n, err := strconv.ParseInt(number, numberBase, 64)
		if !ok || source == "" || strings.Trim(source, "0123456789abcdefghijklmnopqrstuvwxyz") != "" || err != nil || n < 0 {
			return nil, false
		}
		p[source] = n
	}
	return p, true
}
