package trace_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/belfry-push/belfry/internal/telemetry"
	"github.com/belfry-push/belfry/internal/trace"
)

// kept is a recorder that keeps everything it is given.
type kept struct {
	sample, spare bool

	mu    sync.Mutex
	spans []trace.Ended
}

func (k *kept) Sample([16]byte, telemetry.TraceParent) bool { return k.sample }

func (k *kept) Spare(trace.Result) bool { return k.spare }

func (k *kept) Record(e *trace.Ended) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.spans = append(k.spans, *e)
}

func (k *kept) names() string {
	var all []string
	for _, e := range k.spans {
		all = append(all, e.Name)
	}
	return strings.Join(all, " ")
}

const caller = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"

// TestNobodySees: without a tracer a traceparent goes through as it is, and nothing breaks.
func TestNobodySees(t *testing.T) {
	t.Parallel()
	var none *trace.Tracer
	s := none.Continue(trace.Server, "a", caller)
	s.Set(trace.Text(trace.KeyCode, "x"))
	s.Began(time.Now())
	s.Fail("x")
	f := s.Few()
	f.Add(trace.Client, "b", time.Now(), time.Second, trace.Failed, "x", func() []trace.Attr { t.Error("asked"); return nil })
	f.End()
	s.Child(trace.Client, "c").End()
	s.End()
	if got := s.TraceParent(caller); got != caller {
		t.Errorf("traceparent %s", got)
	}
	if s.Kept() || s.At().Valid() || none.Begin(trace.Producer, "d", trace.ID("x")) != nil {
		t.Error("there is a span")
	}
}

// TestSampled: a span goes on in its caller's trace, says so to others, and is recorded.
func TestSampled(t *testing.T) {
	t.Parallel()
	k := &kept{sample: true}
	s := trace.New(k, time.Now).Continue(trace.Server, "a", caller)
	c := s.Child(trace.Client, "b")
	c.Mark("gone")
	c.End()
	s.End()
	if k.names() != "b a" {
		t.Fatalf("recorded %q", k.names())
	}
	b, a := k.spans[0], k.spans[1]
	parent, err := telemetry.ParseTraceParent(caller)
	if err != nil {
		t.Fatal(err)
	}
	if a.At.TraceID != parent.TraceID || a.Parent != parent || !a.Remote || !a.At.Sampled() || a.Fault != "" {
		t.Errorf("a is %+v", a)
	}
	if b.Parent != a.At || b.Remote || b.Fault != "gone" {
		t.Errorf("b is %+v below %+v", b, a)
	}
	if s.TraceParent("") != a.At.String() {
		t.Error("others are told another position")
	}
}

// TestFailureIsKept: nothing is recorded of a trace that is not sampled, until something in
// it fails; then that, what is above it, and everything that goes on from there.
func TestFailureIsKept(t *testing.T) {
	t.Parallel()
	for _, spare := range []bool{true, false} {
		k := &kept{spare: spare}
		s := trace.New(k, time.Now).Continue(trace.Server, "a", caller)
		s.Child(trace.Client, "well").End()
		marked := s.Child(trace.Client, "refused")
		marked.Mark("gone")
		marked.End()
		before := s.At()
		mid := s.Child(trace.Internal, "b")
		last := mid.Child(trace.Client, "c")
		last.Fail("down")
		last.End()
		mid.End()
		s.End()
		want := ""
		if spare {
			want = "c b a"
		}
		if k.names() != want || before.Sampled() || s.At().Sampled() != spare {
			t.Errorf("spare %t: recorded %q, flags %d and %d", spare, k.names(), before.Flags, s.At().Flags)
		}
		if spare && (k.spans[2].At.ParentID != before.ParentID || k.spans[0].Fault != "down" || k.spans[1].Fault != "") {
			t.Errorf("recorded %+v", k.spans)
		}
	}
}

// TestUnusableParent begins a trace of its own.
func TestUnusableParent(t *testing.T) {
	t.Parallel()
	k := &kept{sample: true}
	s := trace.New(k, time.Now).Continue(trace.Consumer, "a", "00-zz")
	s.End()
	if e := k.spans[0]; e.Parent.Valid() || e.Remote || !e.At.Valid() {
		t.Errorf("recorded %+v", e)
	}
}

// TestBegin: a trace of a name, with links to what it follows from, each once.
func TestBegin(t *testing.T) {
	t.Parallel()
	k := &kept{sample: true}
	tr := trace.New(k, time.Now)
	for range 2 {
		tr.Begin(trace.Producer, "a", trace.OfChunk("bat_1", 7), caller, "", caller).End()
	}
	a, b := k.spans[0], k.spans[1]
	if a.At.TraceID != b.At.TraceID || a.At.ParentID == b.At.ParentID || a.Parent.Valid() || len(a.Links) != 1 {
		t.Errorf("recorded %+v and %+v", a, b)
	}
	if trace.ID("a", "b") == trace.ID("ab", "") || trace.OfChunk("bat_1", 7) == trace.OfReplay("bat_1", "", 7) {
		t.Error("two names give the same id")
	}
}

// TestFew: of many requests a bounded number is recorded, and the slowest is always there.
func TestFew(t *testing.T) {
	t.Parallel()
	k := &kept{sample: true}
	s := trace.New(k, time.Now).Continue(trace.Consumer, "turn", caller)
	f := s.Few()
	begun, none := time.Now(), func() []trace.Attr { return nil }
	var wait sync.WaitGroup
	for i := range 500 {
		wait.Go(func() {
			took := time.Duration(i+1) * time.Millisecond
			switch {
			case i == 250:
				f.Add(trace.Client, "slowest", begun, time.Hour, trace.Well, "", none)
			case i%2 == 0:
				f.Add(trace.Client, "well", begun, took, trace.Well, "sent", none)
			default:
				f.Add(trace.Client, "failed", begun, took, trace.Failed, "down", none)
			}
		})
	}
	wait.Wait()
	f.End()
	s.End()
	counts := map[string]int{}
	for _, e := range k.spans {
		counts[e.Name]++
		if e.Name == "well" && e.Fault != "" || e.Name == "failed" && e.Fault != "down" {
			t.Errorf("recorded %+v", e)
		}
	}
	if well := counts["well"]; well < 15 || well > 16 || counts["failed"] != 16 || counts["slowest"] != 1 || counts["turn"] != 1 {
		t.Errorf("recorded %v", counts)
	}
	if a := k.spans[len(k.spans)-1].Attrs; len(a) != 1 || a[0].Number != 500 {
		t.Errorf("the turn says %+v", a)
	}
}

// TestFewUnsampled: what goes well is not even described; what fails, is slow or, as far as there
// is room for that, is refused, is kept, with its turn.
func TestFewUnsampled(t *testing.T) {
	t.Parallel()
	described := func() []trace.Attr { return nil }
	for _, spare := range []bool{true, false} {
		for result, want := range map[trace.Result]string{
			trace.Well: "", trace.Slow: "it turn", trace.Refused: "it turn", trace.Failed: "it turn",
		} {
			k := &kept{spare: spare}
			s := trace.New(k, time.Now).Continue(trace.Consumer, "turn", caller)
			f := s.Few()
			f.Add(trace.Client, "well", time.Now(), time.Second, trace.Well, "", func() []trace.Attr { t.Error("described"); return nil })
			if result != trace.Well {
				f.Add(trace.Client, "it", time.Now(), time.Second, result, "why", described)
			}
			f.End()
			s.End()
			if !spare {
				want = ""
			}
			if k.names() != want {
				t.Errorf("of result %d recorded %q, want %q", result, k.names(), want)
			}
			if want != "" && (k.spans[0].Fault == "") != (result == trace.Slow) {
				t.Errorf("of result %d the fault is %q", result, k.spans[0].Fault)
			}
		}
	}
}
