package dispatcher

import (
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/document/documenttest"
	"github.com/belfry-push/belfry/internal/guard"
	"github.com/belfry-push/belfry/internal/sharedrate"
)

// No minute sees more of a project than its quota, and a minute at the full pace sees nearly all of it.
func TestQuotaLimit(t *testing.T) {
	t.Parallel()
	for _, perSecond := range []float64{1, 2, 8, 200, 10_000, 1_000_000} {
		l := quotaLimit(perSecond, 2*time.Minute)
		if err := l.Validate(); err != nil {
			t.Errorf("%v: %v", perSecond, err)
		}
		if minute := 60 * int64(perSecond); l.Per != time.Minute || l.Burst+l.Tokens != minute || l.Tokens < minute*98/100 {
			t.Errorf("%v a second: %+v", perSecond, l)
		}
	}
}

// Keys of one project share its bucket, since FCM counts by project; others have one of their own, and who shares nothing
// has none.
func TestQuotaIsTheProjects(t *testing.T) {
	t.Parallel()
	set, err := sharedrate.New(sharedrate.Config{Documents: &documenttest.Memory{}, Process: "p", Log: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	of := func(q quotas, credential string) guard.Quota {
		cfg := guard.DefaultConfig(credential)
		if err := q.share(&cfg); err != nil {
			t.Fatal(err)
		}
		return cfg.Quota
	}
	q := quotas{set}
	own := of(q, "shop")
	if own == nil || of(q, "shop#12345678") != own || of(q, "shop#abcdef01") != own || of(q, "shop-2") == own {
		t.Error("a bucket is not the project's")
	}
	if of(quotas{}, "shop") != nil {
		t.Error("who shares nothing has a bucket")
	}
}
