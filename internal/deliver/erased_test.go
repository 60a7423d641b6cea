package deliver_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

// erasures is a list of who is erased.
type erasures struct {
	mu    sync.Mutex
	users map[string]bool // by user or address
	err   error           // of Current
}

func (e *erasures) Current(context.Context) error { return e.err }

func (e *erasures) Erased(_ string, r *push.Recipient, _ time.Time) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.users[r.UserID] || e.users[r.Address.Value.Reveal()]
}

func (e *erasures) erase(who string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.users[who] = true
}

// TestErasedIsNotSentTo: by address or by user, queued already or in a chunk that is being sent.
func TestErasedIsNotSentTo(t *testing.T) {
	t.Parallel()
	list := &erasures{users: map[string]bool{"t001": true, "alice": true}}
	in(t, 4, func(r *rig) { r.cfg.Erasures = list; r.chunk.Recipients[2].UserID = "alice" }, func(r *rig) {
		r.finish()
		if got := r.codes(); got[push.CodeUserErased] != 2 || got[push.CodeSent] != 2 {
			t.Errorf("codes: %v", got)
		}
		if r.fcm.asked["t001"]+r.fcm.asked["t002"] != 0 || len(r.attempts()) != 2 {
			t.Errorf("asked: %v, %d attempts", r.fcm.asked, len(r.attempts()))
		}
	})
}

// TestErasedInTheMiddle: a throttled chunk takes a while; whoever is erased meanwhile gets nothing.
func TestErasedInTheMiddle(t *testing.T) {
	t.Parallel()
	list := &erasures{users: map[string]bool{}}
	in(t, 100, func(r *rig) { r.cfg.Erasures = list; r.perSecond(10) }, func(r *rig) {
		time.AfterFunc(2050*time.Millisecond, func() { list.erase(name(90)) })
		r.finish()
		if got := r.codes(); got[push.CodeUserErased] != 1 || got[push.CodeSent] != 99 || r.fcm.asked[name(90)] != 0 {
			t.Errorf("codes: %v, asked %d times", got, r.fcm.asked[name(90)])
		}
	})
}

// TestMarkedIsNotSentTo: what bears the mark of an erasure is settled without any list.
func TestMarkedIsNotSentTo(t *testing.T) {
	t.Parallel()
	in(t, 3, func(r *rig) { r.chunk.Recipients[1].Erase("prv_01890a5d-ac96-774b-bcce-b302099a8057") }, func(r *rig) {
		r.finish()
		if got := r.codes(); got[push.CodeUserErased] != 1 || got[push.CodeSent] != 2 {
			t.Errorf("codes: %v", got)
		}
	})
}

// TestNothingIsSentBlindly: without a list that is current a chunk waits.
func TestNothingIsSentBlindly(t *testing.T) {
	t.Parallel()
	list := &erasures{err: errors.New("the documents are away")}
	in(t, 2, func(r *rig) { r.cfg.Erasures = list }, func(r *rig) {
		if v := r.deliver(r.chunk); v.word != "retry" || r.fcm.sends() != 0 {
			t.Errorf("%+v, %d sends", v, r.fcm.sends())
		}
		list.err = nil
		time.Sleep(time.Minute)
		r.finish()
		if got := r.codes(); got[push.CodeSent] != 2 {
			t.Errorf("codes: %v", got)
		}
	})
}
