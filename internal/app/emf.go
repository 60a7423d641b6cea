package app

import (
	"context"
	"io"
	"os/signal"
	"syscall"
	"time"

	"github.com/belfry-push/belfry/internal/adapter/emf"
	"github.com/belfry-push/belfry/internal/config"
	"github.com/belfry-push/belfry/internal/status"
)

// WriteEMF has the metrics that AWS' alarms and autoscaling need written to out every minute, if the settings ask for it. kind is
// the program's, as of [Service.As].
func (s *Service) WriteEMF(ctx context.Context, c config.CloudWatch, store config.Store, kind string, out io.Writer) {
	if !c.EMF || out == nil {
		return
	}
	// A log driver that has gone is no reason to die: the write fails instead, and the log says so.
	signal.Ignore(syscall.SIGPIPE)
	w := emf.New(emf.Config{
		Registry: s.Reg, Log: s.Log, Now: s.Now, Installation: store.AWS.Prefix, Program: kind, Task: Owner(), Places: s.places(),
	})
	const grace = 5 * time.Second // the last lines, for which the queues are asked
	s.Stack.Background(ctx, "metrics for CloudWatch", grace, func(ctx context.Context) { w.Run(ctx, out) })
}

// places returns what says, for each queue that this process works, how many messages all processes together have in hand at
// once, by what they said of themselves last. This one counts before it has said anything.
func (s *Service) places() func(ctx context.Context) map[string]int {
	last := map[string]int{}
	return func(ctx context.Context) map[string]int {
		const patience = 2 * time.Second
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		self := s.beats.Self(ctx)
		all, err := status.Places(ctx, s.Backend.Store, self.ID, s.Now())
		for _, w := range self.Workers {
			switch {
			case err == nil:
				last[w.Queue] = all[w.Queue] + w.Places
			case last[w.Queue] == 0:
				last[w.Queue] = w.Places
			}
		}
		return last
	}
}
