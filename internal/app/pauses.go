package app

import (
	"context"
	"fmt"
	"time"

	"github.com/belfry-push/belfry/internal/pause"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/report"
	"github.com/belfry-push/belfry/internal/status"
)

// Pauses are the operators' pauses as the rooms of a process ask for them.
type Pauses struct{ *pause.Pauses }

var _ report.Pauses = Pauses{}

// Pauses reads the pauses when it is first called, and has them read again all the time. All programs of a process share
// them, so that none learns late what another of them did. A process that cannot read them does not start: it would send
// what is paused. It is called while the process starts, from one goroutine.
func (s *Service) Pauses(ctx context.Context) (Pauses, error) {
	if s.pauses != nil {
		return Pauses{s.pauses}, nil
	}
	p := pause.New(s.Backend.Store, s.Now, s.Log)
	if err := p.Read(ctx); err != nil {
		return Pauses{}, fmt.Errorf("read the pauses: %w", err)
	}
	s.pauses = p
	p.Show(s.Reg)
	s.Show(func(_ context.Context, self *status.Process) { self.Pauses = pausesOf(p.Known()) })
	s.Stack.Background(ctx, "pauses", time.Second, p.Run)
	return Pauses{p}, nil
}

// Stopped implements report.Pauses.
func (p Pauses) Stopped(n *push.Notification) *report.Waiting {
	one := p.Of(n.Lane(), n)
	if one == nil {
		return nil
	}
	return &report.Waiting{Reason: report.WaitSuspended, Note: one.Text()}
}
