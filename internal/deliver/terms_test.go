package deliver_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-push/belfry/internal/deliver"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

// terms are of the tenant acme; an err is of the store.
type terms struct {
	ended atomic.Bool
	most  int
	err   error
}

// Terms implements [deliver.Terms].
func (s *terms) Terms(_ context.Context, tenant, _ string) (deliver.Term, error) {
	if tenant != "acme" {
		return deliver.Term{}, errors.New("not asked for")
	}
	return deliver.Term{Ended: s.ended.Load(), MaxAttempts: s.most}, s.err
}

var _ deliver.Terms = (*terms)(nil)

// TestTenantDeleted: what waits for a tenant that is no more ends as cancelled, also what is paused
// and what has no credential; what is under way keeps its result.
func TestTenantDeleted(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		after time.Duration // the tenant is deleted; 0: before
		tune  func(r *rig)
	}{
		"before its turn":  {},
		"during its turn":  {after: 1500 * time.Millisecond},
		"without a key":    {tune: func(r *rig) { r.cfg.Channels = missing{} }},
		"while it waits":   {after: 20 * time.Second, tune: func(r *rig) { r.cfg.Channels = missing{} }},
		"while it retries": {after: 12 * time.Second, tune: func(r *rig) { r.all(answer{code: push.CodeFCMUnavailable, after: time.Hour}) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &terms{}
			in(t, 500, func(r *rig) {
				r.cfg.Terms = s
				if c.tune != nil {
					c.tune(r)
				}
			}, func(r *rig) {
				r.fcm.latency = time.Second
				if c.after == 0 {
					s.ended.Store(true)
				} else {
					time.AfterFunc(c.after, func() { s.ended.Store(true) })
				}
				r.finish()
				codes := r.codes()
				if codes[push.CodeCancelled] == 0 || codes[push.CodeCancelled]+codes[push.CodeSent] != 500 || c.after == 0 && r.fcm.total != 0 {
					t.Errorf("%d requests, outcomes %v", r.fcm.total, codes)
				}
				if r.line().State != ledger.StateClosed || r.head().Progress.State == push.StateCompleted {
					t.Errorf("line is %s, notification %s", r.line().State, r.head().Progress.State)
				}
			})
		})
	}
}

// missing is an app without a credential.
type missing struct{}

// Channel implements [deliver.Channels].
func (missing) Channel(context.Context, string, string) (deliver.Channel, error) {
	return deliver.Channel{}, &deliver.NoCredentialError{Why: "none", Again: 10 * time.Second}
}

// TestMaxAttemptsOfTheTenant: a tenant's own number goes before the process's.
func TestMaxAttemptsOfTheTenant(t *testing.T) {
	t.Parallel()
	for _, most := range []int{1, 2, 5} {
		in(t, 10, func(r *rig) { r.cfg.Terms = &terms{most: most} }, func(r *rig) { // Config has 3
			for i := range 10 {
				for range 20 {
					r.fcm.script[name(i)] = append(r.fcm.script[name(i)], answer{code: push.CodeFCMUnavailable})
				}
			}
			r.finish()
			if diff := cmp.Diff(map[push.Code]int{push.CodeAttemptsExhausted: 10}, r.codes()); diff != "" || r.fcm.total != 10*most {
				t.Errorf("most %d: %d requests (-want +got):\n%s", most, r.fcm.total, diff)
			}
		})
	}
}

// TestTermsAway: nothing is sent, and nothing is lost, while nobody knows what holds.
func TestTermsAway(t *testing.T) {
	t.Parallel()
	s := &terms{err: errors.New("the store is away")}
	in(t, 3, func(r *rig) { r.cfg.Terms = s }, func(r *rig) {
		if v := r.deliver(r.chunk); v.word != "retry" || r.fcm.total != 0 {
			t.Errorf("%+v, %d requests", v, r.fcm.total)
		}
		s.err = nil
		r.finish()
		if diff := cmp.Diff(map[push.Code]int{push.CodeSent: 3}, r.codes()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// TestTenantDeletedWhilePaused: the end of a pause of a tenant that is no more lets nothing out.
func TestTenantDeletedWhilePaused(t *testing.T) {
	t.Parallel()
	s, op := &terms{}, newOperator("acme")
	in(t, 3, func(r *rig) { r.cfg.Terms, r.cfg.Pauses = s, op; op.changed = make(chan struct{}) }, func(r *rig) {
		op.set(true)
		time.AfterFunc(5*time.Second, func() { s.ended.Store(true) })
		time.AfterFunc(15*time.Second, func() { op.set(false) })
		r.finish()
		if diff := cmp.Diff(map[push.Code]int{push.CodeCancelled: 3}, r.codes()); diff != "" || r.fcm.total != 0 {
			t.Errorf("%d requests (-want +got):\n%s", r.fcm.total, diff)
		}
	})
}
