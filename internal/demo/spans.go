package demo

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/belfry-push/belfry/internal/telemetry"
	"github.com/belfry-push/belfry/internal/trace"
)

// spans keeps every span of the first traces that it hears of, in place of a collector.
type spans struct {
	mu     sync.Mutex
	traces map[[16]byte][]trace.Ended
}

var _ trace.Recorder = (*spans)(nil)

func newSpans() *spans { return &spans{traces: map[[16]byte][]trace.Ended{}} }

// Sample implements trace.Recorder: all are kept.
func (*spans) Sample([16]byte, telemetry.TraceParent) bool { return true }

// Spare implements trace.Recorder.
func (*spans) Spare(trace.Result) bool { return true }

// Record implements trace.Recorder.
func (s *spans) Record(e *trace.Ended) {
	const most = 1000 // traces; one of them is shown, and it is among the first
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.traces[e.At.TraceID]; known || len(s.traces) < most {
		s.traces[e.At.TraceID] = append(s.traces[e.At.TraceID], *e)
	}
}

// tree draws a trace: when each span began after the first, how long it took, and what it was, below the one
// that caused it.
func (s *spans) tree(id string, width int) string {
	var key [16]byte
	if raw, err := hex.DecodeString(id); err == nil {
		copy(key[:], raw)
	}
	s.mu.Lock()
	all := slices.Clone(s.traces[key])
	s.mu.Unlock()
	if len(all) == 0 {
		return ""
	}
	slices.SortStableFunc(all, func(a, b trace.Ended) int { return cmp.Compare(a.Start.UnixNano(), b.Start.UnixNano()) })
	known := map[[8]byte]bool{}
	for i := range all {
		known[all[i].At.ParentID] = true
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%8s  %8s  %s\n", "AFTER", "TOOK", "SPAN")
	var draw func(below [8]byte, depth int)
	draw = func(below [8]byte, depth int) {
		for i := range all {
			e := &all[i]
			parent := e.Parent.ParentID
			if !known[parent] {
				parent = [8]byte{}
			}
			if parent == below {
				line := fmt.Sprintf("%8s  %8s  %s%s", shortTime(e.Start.Sub(all[0].Start)), shortTime(e.End.Sub(e.Start)),
					strings.Repeat("  ", depth), title(e))
				b.WriteString(line[:min(len(line), width)] + "\n")
				draw(e.At.ParentID, depth+1)
			}
		}
	}
	draw([8]byte{}, 0)
	return b.String()
}

// title is what a span is called, with what matters most of it.
func title(e *trace.Ended) string {
	more := map[trace.Key]string{}
	for _, a := range e.Attrs {
		more[a.Key] = a.Text
	}
	switch detail := cmp.Or(e.Fault, more[trace.KeyCode], more[trace.KeyVerdict]); {
	case detail != "":
		return e.Name + ": " + detail
	case e.Kind == trace.Producer && more[trace.KeyEvent] != "":
		return e.Name + ": " + more[trace.KeyEvent]
	}
	return e.Name
}

// shortTime is a duration in milliseconds, or seconds from ten on.
func shortTime(d time.Duration) string {
	const precise = 10 * time.Second
	if d < precise {
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}
