// Package trace is how rooms tell what they do as spans of a trace: a request, the work
// on a queue message, a call of FCM. It knows neither OpenTelemetry's SDK nor where spans
// go: a [Recorder] gets those that are worth keeping, when they have ended.
//
// Most spans are never kept. So a span here is a few fields, and costs next to nothing
// until it ends; a Tracer that is nil costs a comparison. Whether a trace is kept is
// decided at its head, and said to all who go on with it by the sampled flag of the
// traceparent. A span that fails is kept all the same, with those above it in this process
// that have not ended, and from then on the flag is set: whoever goes on with the trace
// keeps their part of it too.
//
// No attribute says to whom something goes: no token, user or device, nor a path that
// names one.
package trace

import (
	"crypto/sha256"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/belfry-push/belfry/internal/telemetry"
)

// Kind is what a span is to its neighbours, in OpenTelemetry's words.
type Kind uint8

// The closed set of kinds.
const (
	Internal Kind = iota
	Server        // answers a request
	Client        // makes one
	Producer      // puts a message on a queue
	Consumer      // works on one
)

// Attr says something about a span: a text, or a number if Text is "".
type Attr struct {
	Key    Key
	Text   string
	Number int64
}

// Text is an attribute of a text. One that is empty is left out.
func Text(k Key, v string) Attr { return Attr{Key: k, Text: v} }

// Number is an attribute of a number.
func Number(k Key, v int64) Attr { return Attr{Key: k, Number: v} }

// Ended is a span as it is kept.
type Ended struct {
	Name       string
	Kind       Kind
	At         telemetry.TraceParent   // its own position
	Parent     telemetry.TraceParent   // zero of the first span of a trace
	Remote     bool                    // the parent is, or may be, of another process
	Links      []telemetry.TraceParent // to spans of other traces that it follows from
	Start, End time.Time
	Attrs      []Attr
	Fault      string // what went wrong, of a closed set of words; "" if nothing did
}

// Recorder keeps spans. Safe for concurrent use; no method blocks.
type Recorder interface {
	// Sample decides about the head of a trace in this process; parent is zero if the trace
	// begins here.
	Sample(traceID [16]byte, parent telemetry.TraceParent) bool
	// Spare reports whether a trace that was not sampled may be kept because of something in it
	// that did not go well. It bounds what an outage adds.
	Spare(why Result) bool
	Record(e *Ended)
}

// Tracer begins spans. nil is one that begins none. Safe for concurrent use.
type Tracer struct {
	recorder Recorder
	now      func() time.Time
}

// New returns a tracer whose spans go to recorder, with the times of now.
func New(recorder Recorder, now func() time.Time) *Tracer { return &Tracer{recorder, now} }

// Span is a span under way. nil is one that nobody sees. Its methods are its owner's; only
// Few and Fail are safe for concurrent use.
type Span struct {
	tracer *Tracer
	up     *Span // in this process; nil if there is none
	e      Ended
	kept   atomic.Bool

	mu    sync.Mutex // guards the fault
	fault string
}

// Continue begins a span that goes on where parent, a traceparent, says. An unusable one
// begins a new trace.
func (t *Tracer) Continue(kind Kind, name, parent string) *Span {
	if t == nil {
		return nil
	}
	at, _ := telemetry.ParseTraceParent(parent) // the zero position, if it is none
	return t.ContinueAt(kind, name, at)
}

// ContinueAt is Continue with a position that was read already; zero begins a new trace.
func (t *Tracer) ContinueAt(kind Kind, name string, parent telemetry.TraceParent) *Span {
	if t == nil {
		return nil
	}
	s := t.begin(kind, name, parent)
	s.e.Remote = parent.Valid()
	if t.recorder.Sample(s.e.At.TraceID, parent) {
		s.kept.Store(true)
	}
	return s
}

// Begin begins the first span of a trace of its own, which follows from what the links
// name: traceparents, of which unusable ones are left out. So a batch of a million is no
// trace of a million spans.
func (t *Tracer) Begin(kind Kind, name string, traceID [16]byte, links ...string) *Span {
	if t == nil {
		return nil
	}
	s := t.begin(kind, name, telemetry.TraceParent{})
	s.e.At.TraceID = traceID
	for _, l := range links {
		if at, err := telemetry.ParseTraceParent(l); err == nil && !slices.Contains(s.e.Links, at) {
			s.e.Links = append(s.e.Links, at)
		}
	}
	if t.recorder.Sample(traceID, telemetry.TraceParent{}) {
		s.kept.Store(true)
	}
	return s
}

func (t *Tracer) begin(kind Kind, name string, parent telemetry.TraceParent) *Span {
	return &Span{tracer: t, e: Ended{Name: name, Kind: kind, At: parent.Child(), Parent: parent, Start: t.now()}}
}

// ID returns a trace id that follows from names alone, so that whoever knows the names can
// tell the id, and something that is done twice is one trace.
func ID(names ...string) (id [16]byte) {
	h := sha256.New()
	for _, n := range names {
		h.Write([]byte(n))
		h.Write([]byte{0})
	}
	copy(id[:], h.Sum(nil))
	return id
}

// Child begins a span below s.
func (s *Span) Child(kind Kind, name string) *Span {
	if s == nil {
		return nil
	}
	c := s.tracer.begin(kind, name, s.At())
	c.up = s
	c.kept.Store(s.kept.Load())
	return c
}

// Began sets when the span began, if that was before it was known.
func (s *Span) Began(at time.Time) {
	if s != nil {
		s.e.Start = at
	}
}

// Set says something about the span.
func (s *Span) Set(attrs ...Attr) {
	if s != nil {
		s.e.Attrs = append(s.e.Attrs, attrs...)
	}
}

// Fail says that what the span is about failed, with a word from a closed set, and has the
// span and those above it kept.
func (s *Span) Fail(fault string) {
	if s == nil {
		return
	}
	s.Mark(fault)
	s.keep(Failed)
}

// Mark is Fail for what is nobody's trouble, such as a device that is gone: it keeps nothing.
func (s *Span) Mark(fault string) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = fault
}

func (s *Span) keep(why Result) {
	if s.kept.Load() || !s.tracer.recorder.Spare(why) {
		return
	}
	for ; s != nil; s = s.up {
		s.kept.Store(true)
	}
}

// Kept reports whether the span is kept, as far as is known by now.
func (s *Span) Kept() bool { return s != nil && s.kept.Load() }

// At returns the span's own position, with the flag that says whether it is kept.
func (s *Span) At() telemetry.TraceParent {
	if s == nil {
		return telemetry.TraceParent{}
	}
	at := s.e.At
	at.Flags &^= telemetry.FlagSampled
	if s.kept.Load() {
		at.Flags |= telemetry.FlagSampled
	}
	return at
}

// TraceParent returns the span's own position for whoever goes on with the trace; otherwise
// if nobody sees the span.
func (s *Span) TraceParent(otherwise string) string {
	if s == nil {
		return otherwise
	}
	return s.At().String()
}

// End ends the span. It is not used after that.
func (s *Span) End() {
	if s == nil || !s.kept.Load() {
		return
	}
	s.mu.Lock()
	s.e.Fault = s.fault
	s.mu.Unlock()
	s.e.At, s.e.End = s.At(), s.tracer.now()
	s.tracer.recorder.Record(&s.e)
}
