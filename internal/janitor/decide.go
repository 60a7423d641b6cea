package janitor

import (
	"maps"
	"slices"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
)

// asks are the tasks for fanout that a notification needs, and what they are about.
type asks struct {
	tasks    []wire.Task
	finished bool // it needs nothing any more

	chunks     int // chunks without a message
	recipients int // recipients of those chunks
	unplanned  int // pages that are not planned
	expire     bool
	release    bool
	check      bool
}

func (a *asks) none() bool { return len(a.tasks) == 0 }

func (a *asks) add(v *view, op wire.Op, page int) *wire.Task {
	a.tasks = append(a.tasks, wire.Task{Op: op, Notification: v.n.ID, Page: page, TraceParent: v.n.TraceParent})
	return &a.tasks[len(a.tasks)-1]
}

// decide returns the tasks that a notification needs, by what its lines say. still says
// that nothing of it has moved for so long that its task is lost.
func (r *round) decide(v *view, still bool) asks {
	var a asks
	p := &v.n.Progress
	done := v.open == 0 && v.planned >= p.Pages && !p.Early
	switch {
	case p.State == push.StateDeadLettered && v.over && v.open == 0:
		a.finished = true
		return a
	case p.State == push.StateDeadLettered:
		a.recall(v, v.over)
		return a
	case done:
		if quietFor(v.now, v.last) >= r.checked {
			a.check = true
			a.add(v, wire.OpCheck, wire.AllPages)
		}
		return a
	case v.over:
		a.expire = true
		a.recall(v, true)
		a.unplan(v, wire.OpRecall)
		if p.Early && a.none() {
			a.check = true // all that came has its outcome; nothing more can come
			a.add(v, wire.OpCheck, wire.AllPages)
			return a
		}
	case p.State == push.StatePaused:
		return a
	case p.State == push.StateCancelled:
		a.recall(v, false)
		if still {
			a.unplan(v, wire.OpCancel)
		}
	default:
		a.recall(v, false)
		switch {
		case !still:
		case v.n.PerSecond > 0 && (v.waiting || v.planned < p.Pages), p.Early && v.planned < p.Pages:
			a.release = true
			a.add(v, wire.OpPlan, wire.AllPages)
		default:
			a.unplan(v, wire.OpPlan)
		}
	}
	if !a.none() && (p.Pages > 1 || v.lines > 1) {
		a.add(v, wire.OpCheck, wire.AllPages) // the task that looked for the end is lost as well
	}
	return a
}

// recall asks for the pages that have stray lines.
func (a *asks) recall(v *view, expire bool) {
	a.expire = expire
	for _, at := range slices.Sorted(maps.Keys(v.pages)) {
		p := v.pages[at]
		if len(p.chunks) == 0 {
			continue
		}
		t := a.add(v, wire.OpRecall, at)
		t.Chunks, t.Epochs = p.chunks, p.epochs
		a.chunks += len(p.chunks)
		a.recipients += p.recipients
	}
}

// unplan asks for the pages that are not planned to their end.
func (a *asks) unplan(v *view, op wire.Op) {
	for at := range v.n.Progress.Pages {
		p := v.pages[at]
		if p != nil && p.planned {
			continue
		}
		a.unplanned++
		if op != wire.OpRecall || p == nil || len(p.chunks) == 0 { // otherwise the page is recalled already
			a.add(v, op, at)
		}
	}
}
