package trace

import (
	"sync"
	"time"
)

// fewEach is how many spans a [Few] keeps of those that went well, and of those that did
// not: a chunk makes up to 500 requests, of which most are alike.
const fewEach = 16

// Result is how something ended that a span tells of.
type Result uint8

// The closed set of results.
const (
	Well    Result = iota
	Slow           // it went well, but took so long that it is kept
	Refused        // it was answered, and nobody's trouble: it is kept now and then
	Failed         // somebody should know: it is kept
)

// Few keeps a few of many spans of a kind below another: the first ones, the first that did
// not go well, and the slowest. nil keeps none. Safe for concurrent use.
type Few struct {
	up *Span

	mu        sync.Mutex
	all       int64
	well, bad int
	slowest   *Ended
	told      bool // the slowest is recorded already
}

// Few returns what keeps a few spans below s.
func (s *Span) Few() *Few {
	if s == nil {
		return nil
	}
	return &Few{up: s}
}

// Add tells of something that took its time from start on. describe is called if it is
// worth it, at once.
func (f *Few) Add(kind Kind, name string, start time.Time, took time.Duration, result Result, fault string, describe func() []Attr) {
	if f == nil {
		return
	}
	if result != Well {
		f.up.keep(result)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.all++
	if !f.up.Kept() {
		return
	}
	told := f.take(result)
	slower := f.slowest == nil || took > f.slowest.End.Sub(f.slowest.Start)
	if !told && !slower {
		return
	}
	e := &Ended{Name: name, Kind: kind, Parent: f.up.At(), Start: start, End: start.Add(took), Attrs: describe()}
	e.At = e.Parent.Child()
	if result == Refused || result == Failed {
		e.Fault = fault
	}
	if slower {
		f.slowest, f.told = e, told
	}
	if told {
		f.up.tracer.recorder.Record(e)
	}
}

// take reports whether there is room for one more.
func (f *Few) take(r Result) bool {
	n := &f.bad
	if r == Well {
		n = &f.well
	}
	*n++
	return *n <= fewEach
}

// End records the slowest, if it was not among the others, and says above how many there
// were. Nothing is added after that.
func (f *Few) End() {
	if f == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.slowest != nil && !f.told {
		f.up.tracer.recorder.Record(f.slowest)
	}
	if f.all > 0 {
		f.up.Set(Number(KeyRequests, f.all))
	}
}
