package app

import (
	"context"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"go.uber.org/zap"
)

// A supervisor such as systemd, which starts a service with NOTIFY_SOCKET in its environment, is told when the service takes work,
// when it begins to stop, and every so often that it lives. Without that variable nothing is told.

// tell tells the supervisor one thing.
func (s *Service) tell(state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		s.Log.Warn("the supervisor cannot be told", zap.String("state", state), zap.Error(err))
	}
}

// beatSupervisor tells it that the service lives, twice in the time that it waits for that, until the returned stop is called:
// also while the service drains, which may take longer. A service whose checks of health do not return tells nothing, whatever
// they would say: a restart does not mend what a service depends on.
func (s *Service) beatSupervisor(ctx context.Context) (stop func()) {
	within, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		s.Log.Warn("the supervisor cannot be told", zap.String("state", daemon.SdNotifyWatchdog), zap.Error(err))
	}
	if err != nil || within == 0 {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		const twice = 2
		tick := time.NewTicker(within / twice)
		defer tick.Stop()
		for {
			s.Health.Ready(ctx)
			s.tell(daemon.SdNotifyWatchdog)
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	}()
	return func() {
		cancel()
		<-ended
	}
}
