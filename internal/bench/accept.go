package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// The load that accepting is measured with unless told otherwise: 100,000 notifications a minute, each a request of its
// own.
const (
	acceptRate = 1700
	acceptFor  = 10 * time.Second
)

// acceptKeep is how many messages the simulator remembers: more than any search comes to at one rate.
const acceptKeep = 10_000_000

// acceptOnly measures accepting alone: at one rate, or at many, for the highest one that keeps p99 within a limit. What
// accepts and delivers is a process of its own, or with Separate two, so that the generator of the load only shares the
// machine with it.
func (r *run) acceptOnly(ctx context.Context, sim *child) error {
	api, stop, err := r.server(ctx, sim)
	if err != nil {
		return err
	}
	defer stop()
	r.printMachine()
	l, closeLoad := newLoad("http://"+api, sim.addr)
	defer closeLoad()
	switch {
	case r.cfg.AcceptWithin > 0:
		return r.search(ctx, l)
	case r.cfg.Beside > 0:
		return r.acceptBeside(ctx, api, l)
	}
	return r.accept(ctx, l, r.cfg.AcceptRate, r.cfg.For)
}

// server starts what accepts and delivers.
func (r *run) server(ctx context.Context, sim *child) (addr string, stop func(), err error) {
	self, err := os.Executable()
	if err != nil {
		return "", nil, fmt.Errorf("bench: find this program: %w", err)
	}
	s := &site{run: r, sim: sim, data: filepath.Join(r.dir, "data"), beside: filepath.Dir(self)}
	if r.cfg.Separate {
		if err := s.built(); err != nil {
			return "", nil, err
		}
		ingest, err := s.ingest(ctx)
		if err == nil {
			_, err = s.dispatcher(ctx)
		}
		if err != nil {
			s.abandon()
			return "", nil, err
		}
		return ingest.addr, s.abandon, nil
	}
	up, err := startChild(ctx, self, "listen", "up", "--data", s.data, "--listen", "127.0.0.1:0", noKey, "--fcm-endpoint", sim.addr,
		fmt.Sprintf("--fcm-per-second=%d", r.cfg.FCM.PerSecond))
	if err != nil {
		return "", nil, err
	}
	return up.addr, func() { up.stop() }, nil
}

// accept measures one rate, and fails if not all was accepted and delivered.
func (r *run) accept(ctx context.Context, l *load, rate int, lasts time.Duration) error {
	a, err := l.put(ctx, rate, lasts)
	if err != nil {
		return err
	}
	r.printf("accepting %d single notifications at %d/s, delivered meanwhile; counted from when each was due\n", len(a.accepted), rate)
	r.printArrivals(a)
	return a.fault()
}

func (r *run) printArrivals(a *arrivals) {
	r.printf("  until accepted   %s\n", quantiles(a.accepted))
	r.printf("  until FCM call   %s\n", quantiles(a.called))
	r.printf("  sent late        %s\n", quantiles(a.late))
}

// search finds the highest rate that keeps p99 of accepting within the limit and at which deliveries do not fall behind,
// to 5 %. A rate that does not is tried once more before it is believed: one disturbance of the machine is enough to
// miss it.
func (r *run) search(ctx context.Context, l *load) error {
	limit := r.cfg.AcceptWithin
	r.printf("the highest rate at which p99 until accepted is at most %v and deliveries keep up, %v each\n", limit, r.cfg.For)
	best, err := highest(r.cfg.AcceptRate, func(rate int) (bool, error) {
		for range 2 {
			a, err := l.put(ctx, rate, r.cfg.For)
			if err != nil {
				return false, err
			}
			missed := a.missed(limit, r.cfg.For)
			r.printf("  %6d/s  accepted %s; FCM call p95 %.1f ms%s\n", rate, quantiles(a.accepted), at(a.called, 0.95), missed)
			if missed == "" {
				return true, nil
			}
		}
		return false, nil
	})
	if err != nil {
		return err
	}
	if best == 0 {
		return errors.New("bench: no rate keeps p99 within the limit")
	}
	r.printf("highest rate that holds: %d/s\n", best)
	return nil
}

// missed says why a rate does not hold, if it does not. Deliveries fall behind when some wait for FCM's call for more
// than a tenth of the time that the load lasted: the machine then delivers less than it accepts.
func (a *arrivals) missed(limit, lasted time.Duration) string {
	const share = 10
	switch err := a.fault(); {
	case err != nil:
		return fmt.Sprintf("; missed: %v", err)
	case a.accepted[quantile(len(a.accepted), 0.99)] > limit:
		return "; missed"
	case a.called[quantile(len(a.called), 0.95)] > lasted/share:
		return "; missed: deliveries fall behind"
	}
	return ""
}

// highest returns the highest rate that holds, to 5 %, beginning with one that is a guess; 0 if none does.
func highest(rate int, holds func(int) (bool, error)) (int, error) {
	low, high := 0, 0 // the highest that held, the lowest that did not
	for {
		held, err := holds(rate)
		if err != nil {
			return 0, err
		}
		if held {
			low = rate
		} else {
			high = rate
		}
		switch {
		case high == 0:
			rate *= 2
		case high-low <= max(1, low/20):
			return low, nil
		default:
			rate = (low + high) / 2
		}
	}
}

func quantiles(sorted []time.Duration) string {
	return fmt.Sprintf("p50 %.1f ms, p95 %.1f ms, p99 %.1f ms, max %.1f ms",
		at(sorted, 0.5), at(sorted, 0.95), at(sorted, 0.99), at(sorted, 1))
}
