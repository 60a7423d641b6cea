package deliver

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/deliver/brake"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/telemetry/about"
)

// engageWithin bounds the write of a verdict: it is made between answers.
const engageWithin = time.Second

// brakeOf returns the head's brake for a chunk, nil if it has none. A replay has its
// own brake, which stops it when letters fail again; and where there are no more
// recipients than refusals to a verdict, asking them is as cheap as the verdict.
func brakeOf(j *job, after int) *brake.Brake {
	p := &j.n.Progress
	few := !p.Early && p.Pages <= 1 && p.Sources <= int64(after) && len(j.lease.Line.Cells) <= after
	if after <= 0 || j.chunk.Replay != "" || few {
		return nil
	}
	return &j.head.brake
}

// held reports whether a row waits for an operator, by the notification as it is
// known now.
func (j *job) held(row int) bool {
	return j.brake != nil && j.brake.Stopped(&j.head.notification().Progress, j.chunk.Recipients[row].Part())
}

// brakes writes what the brakes of a process find out into their notifications.
type brakes struct {
	brake         int // see Config
	notifications Notifications
	heads         *heads
	outcomes      Outcomes
	metrics       *Metrics
	log           *zap.Logger
}

// answered passes an answer, or the end of a request without one, to the brake.
func (b *brakes) answered(ctx context.Context, j *job, r result) {
	to := &j.chunk.Recipients[r.row]
	if j.brake == nil || r.code == push.CodeOpen || r.unasked {
		j.brake.Leave(to)
		return
	}
	if hold, ok := j.brake.Answered(to, r.code, r.at); ok {
		var verdict push.Holds
		verdict[to.Part()] = hold
		b.engage(ctx, j, verdict)
	}
}

// engage writes verdicts into the notification, where every dispatcher sees them within
// a second. If that fails, this process follows them all the same, and writes them when
// the next of its chunks ends.
func (b *brakes) engage(ctx context.Context, j *job, verdicts push.Holds) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), engageWithin)
	defer cancel()
	generation := j.brake.Generation()
	var fresh push.Holds
	n, err := ledger.Advance(ctx, b.notifications, j.n.ID, func(n push.Notification) (push.Progress, error) {
		p := n.Progress
		fresh = push.Holds{}
		if p.Generation != generation || p.BrakeOff || p.State.Final() { // somebody has acted
			return p, nil
		}
		for _, part := range push.Parts() {
			if v := verdicts[part]; v.Code != push.CodeOpen && !p.Held.StoppedFor(part, v.Code) {
				p.Held[part], fresh[part] = v, v
			}
		}
		return p, nil
	})
	if err == nil {
		err = b.heads.reread(ctx, j.head, n.ID)
	}
	if err != nil {
		b.log.Warn("brake not written; trying again", j.about(), zap.Error(err))
	}
	for _, part := range push.Parts() {
		if h := fresh[part]; err == nil && h.Code != push.CodeOpen {
			b.log.Warn("notification held: it is refused for everybody", about.Notification(&n),
				zap.Stringer("platform", part), zap.Stringer("code", h.Code), zap.Int("refused", h.Refused), zap.Bool("scattered", h.Scattered))
			b.metrics.held(part, h.Code)
			b.outcomes.Held(ctx, n, part, h)
		}
	}
}

// writeVerdicts writes the verdicts that only this process knows, and reports whether
// one of them is still unwritten.
func (b *brakes) writeVerdicts(ctx context.Context, j *job) (unwritten bool) {
	missing := j.brake.Verdicts(&j.head.notification().Progress)
	if !missing.Any() {
		return false
	}
	b.engage(ctx, j, missing)
	missing = j.brake.Verdicts(&j.head.notification().Progress)
	return missing.Any()
}
