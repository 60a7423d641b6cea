package doctor

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go/middleware"
)

// How far this machine's clock may be off.
const (
	// maxSkew is where AWS starts to refuse signatures
	// (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html).
	maxSkew = 5 * time.Minute
	// badSkew is more than synchronised clocks differ by, and enough to expire
	// notifications early and to make the times in reports contradict each other.
	badSkew = 5 * time.Second
)

// skewWatch remembers by how much the clock of AWS, as of the Date header of its
// answers, is ahead of this machine's.
type skewWatch struct {
	mu    sync.Mutex
	skews []time.Duration
}

// over returns cfg with the watch on every call.
func (w *skewWatch) over(cfg aws.Config) aws.Config {
	cfg = cfg.Copy()
	cfg.APIOptions = append(slices.Clone(cfg.APIOptions), func(stack *middleware.Stack) error {
		// First in, last out: what is inside has read the answer by then.
		return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("BelfryClockSkew", w.handle), middleware.Before)
	})
	return cfg
}

func (w *skewWatch) handle(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (
	middleware.InitializeOutput, middleware.Metadata, error,
) {
	out, metadata, err := next.HandleInitialize(ctx, in)
	if skew, known := awsmiddleware.GetAttemptSkew(metadata); known {
		w.mu.Lock()
		w.skews = append(w.skews, skew)
		w.mu.Unlock()
	}
	return out, metadata, err
}

// result judges the median: the header has whole seconds, and a slow answer
// looks like a slow clock.
func (w *skewWatch) result() Result {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.skews) == 0 {
		return skipped(nameClock, "no answer from AWS to compare it with")
	}
	slices.Sort(w.skews)
	return judgeSkew(w.skews[len(w.skews)/2])
}

func judgeSkew(skew time.Duration) Result {
	off := skew.Abs().Round(time.Second)
	detail := fmt.Sprintf("%v off AWS's", off)
	const remedy = "synchronise the clock of this machine (chrony, systemd-timesyncd, or the host's of a container)"
	switch {
	case off >= maxSkew:
		return failed(nameClock, detail+"; AWS refuses calls at 5 minutes", remedy)
	case off >= badSkew:
		return warning(nameClock, detail, remedy)
	default:
		return ok(nameClock, detail)
	}
}
