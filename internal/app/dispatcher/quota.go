package dispatcher

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/belfry-push/belfry/internal/app"
	"github.com/belfry-push/belfry/internal/guard"
	"github.com/belfry-push/belfry/internal/sharedrate"
)

// keepShare is how long a dispatcher goes on with its last share of a project's quota while the table of the shared buckets
// is away. It may have been cut off alone, and the others divide its part among themselves when its lease is over: FCM's 429
// slows all of them down then.
const keepShare = 24 * time.Hour

// lease is how long what a dispatcher had leased when it died is missing in the bucket: three that die one after the other
// have it all.
const lease = 5 * time.Second

// quotaLimit is the bucket of a project's quota. FCM counts by the minute, from whatever moment: no minute sees more than
// sixty seconds of the quota, so what the bucket holds at once comes off the rate. That is half a second's worth, less than
// which costs many exchanges with the store.
func quotaLimit(perSecond float64, recovery time.Duration) sharedrate.Limit {
	burst := max(1, int64(perSecond/2))
	return sharedrate.Limit{Tokens: max(1, int64(60*perSecond)-burst), Per: time.Minute, Burst: burst, Recover: recovery}
}

// quotas are the shared buckets of the FCM projects that this process sends to; the zero value shares nothing.
type quotas struct{ set *sharedrate.Set }

func newQuotas(ctx context.Context, s *app.Service, o Options) (quotas, error) {
	if !o.SharedQuota {
		return quotas{}, nil
	}
	set, err := sharedrate.New(sharedrate.Config{
		Documents: s.Backend.Store, Process: app.Owner(), Log: s.Log, Lease: lease, Keep: keepShare,
	})
	if err != nil {
		return quotas{}, err
	}
	const grace = 10 * time.Second // to give back what is left
	s.Stack.Background(ctx, "shared FCM quota", grace, set.Run)
	return quotas{set}, s.Like("shared FCM quota", func(context.Context) error {
		if set.Away() {
			return errors.New("the shared buckets cannot be asked: sending at the last known share")
		}
		return nil
	})
}

// share has a guard take its requests from what all processes share. Its credential is a project, or a project and a key:
// FCM counts by project.
func (q quotas) share(cfg *guard.Config) error {
	if q.set == nil {
		return nil
	}
	project, _, _ := strings.Cut(cfg.Credential, "#")
	b, err := q.set.Bucket("fcm:"+project, quotaLimit(cfg.PerSecond, cfg.RecoverIn))
	if err != nil {
		return err
	}
	cfg.Quota = b
	return nil
}
