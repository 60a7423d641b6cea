package door

import (
	"context"

	"github.com/belfry-push/belfry/internal/access"
)

// Quotas bounds how many requests callers make. Safe for concurrent use.
type Quotas interface {
	// Admit counts a request. fields are those of an answer to it as they stand when they are asked for, "" for none; it may
	// be nil, and it may be given with an error as well, which is a [*push.OverQuotaError] if the request is over a quota.
	Admit(ctx context.Context, c *access.Caller) (fields func() (policies, limits string), err error)
}

// The fields of draft-ietf-httpapi-ratelimit-headers.
const (
	rateLimitHeader       = "RateLimit"
	rateLimitPolicyHeader = "RateLimit-Policy"
)

// admit counts the request, and has every answer to it say how its caller's quotas stand when the answer begins. Requests
// that are refused count too: a key that may nothing must not be asked with for ever.
func (d *Door) admit(ctx context.Context, x *Exchange) error {
	if d.cfg.Quotas == nil {
		return nil
	}
	fields, err := d.cfg.Quotas.Admit(ctx, &x.Who)
	if fields != nil {
		x.w.begin = func() {
			if policies, limits := fields(); policies != "" {
				x.w.Header().Set(rateLimitPolicyHeader, policies)
				x.w.Header().Set(rateLimitHeader, limits)
			}
		}
	}
	return err
}
