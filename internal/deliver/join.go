package deliver

import (
	"context"
	"sync/atomic"

	"github.com/belfry-push/belfry/internal/deliver/isolation"
	"github.com/belfry-push/belfry/internal/deliver/pace"
	"github.com/belfry-push/belfry/internal/worker"
)

// joining waits while another chunk of the process is on trial.
type joining struct{ isolation *isolation.Isolation }

// run implements stage.
func (s *joining) run(ctx context.Context, j *job) (*worker.Verdict, error) {
	if !s.isolation.Begin(ctx, j.draining, j.places.alone) {
		return done(worker.HandBack())
	}
	j.places.joined = s.isolation
	return nil, nil
}

// places are what a chunk takes up while others wait. The zero value takes up nothing.
type places struct {
	retries   *atomic.Int64        // the chunk is counted there as one of nothing but retries
	isolation *isolation.Isolation // the chunk has its place
	alone     bool                 // the chunk keeps all others out of isolation
	joined    *isolation.Isolation // the chunk is counted there as one in hand
	pace      *pace.Pace           // the chunk is counted there
}

// free lets in the next suspected chunk of the process, after a trial all others, and
// the next chunk of nothing but retries.
func (p *places) free() {
	if p.retries != nil {
		p.retries.Add(-1)
		p.retries = nil
	}
	if p.alone {
		p.alone = false
		p.isolation.Open()
	}
	if p.isolation != nil {
		p.isolation.Leave()
		p.isolation = nil
	}
}

// leave gives everything back, at the end of a turn.
func (p *places) leave() {
	p.free()
	if p.joined != nil {
		p.joined.End()
	}
	if p.pace != nil {
		p.pace.End()
	}
}
