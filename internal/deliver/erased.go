package deliver

import (
	"context"
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

// nobodyErased is for programs without privacy requests.
type nobodyErased struct{}

// Current implements [Erasures].
func (nobodyErased) Current(context.Context) error { return nil }

// Erased implements [Erasures].
func (nobodyErased) Erased(_ string, r *push.Recipient, _ time.Time) bool { return r.Erased() }

// erased settles the recipients that were erased. It is done when a turn begins, and again
// for each row right before its request (requests.mayStart), because a throttled chunk may
// have minutes between the two.
func (s *sifting) erased(j *job) {
	for row, cell := range j.chunk.Index {
		if s.erasures.Erased(j.n.Tenant, &j.chunk.Recipients[row], j.n.AcceptedAt) {
			j.settle(cell, push.CodeUserErased, s.now(), s.metrics)
		}
	}
}
