package push

import (
	"fmt"
	"time"
)

// Quota names a bound on what a tenant, an app or a key asks for: the setting that it is set with.
// The set is closed.
type Quota string

// The quotas.
const (
	QuotaRequests      Quota = "requests_per_second"      // of the API
	QuotaKeyRequests   Quota = "key_requests_per_second"  // of the API, with one key
	QuotaNotifications Quota = "notifications_per_minute" // accepted
	QuotaRecipients    Quota = "recipients_per_day"       // accepted, in a UTC day
	QuotaQueued        Quota = "queued_recipients"        // accepted, and without an outcome
)

// Quotas lists every quota.
func Quotas() []Quota {
	return []Quota{QuotaRequests, QuotaKeyRequests, QuotaNotifications, QuotaRecipients, QuotaQueued}
}

// Charge is what something that is accepted counts against the quotas of its app and tenant. A user and a topic are one
// recipient, however many devices they have.
type Charge struct {
	Tenant, App   string
	Notifications int64
	Recipients    int64 // of the day
	Queued        int64 // recipients that wait from now on
}

// Of returns what is charged to a quota.
func (c *Charge) Of(q Quota) int64 {
	switch q {
	case QuotaNotifications:
		return c.Notifications
	case QuotaRecipients:
		return c.Recipients
	case QuotaQueued:
		return c.Queued
	case QuotaRequests, QuotaKeyRequests:
	}
	return 0
}

// OverQuotaError says that a request is more than a quota leaves. Nothing was done.
type OverQuotaError struct {
	Quota  Quota
	Policy string        // its name in RateLimit-Policy
	Of     string        // whose the quota is: tenant acme, app acme/shop, key 1a2b3c…
	Limit  int64         // as it is set
	Wanted int64         // what was asked for, in the quota's unit
	Left   int64         // that there is, as far as is known
	After  time.Duration // when as much may be there if nobody else takes it; 0 if that is not known
	Never  bool          // the quota never has as much at once
}

// Error implements error. It is for the caller: what the quota is, and what helps.
func (e *OverQuotaError) Error() string {
	return fmt.Sprintf("%s of %s is %d: %s", e.Quota, e.Of, e.Limit, e.remedy())
}

func (e *OverQuotaError) remedy() string {
	switch {
	case e.Never:
		return fmt.Sprintf("%d at once is more than it ever has; ask for less at a time, or have the quota raised", e.Wanted)
	case e.After > 0:
		return fmt.Sprintf("%d wanted, %d left; free again in %s. Ask less often, or have the quota raised", e.Wanted, e.Left, ceil(e.After))
	}
	return fmt.Sprintf("%d wanted, %d left; free again when what was accepted has its outcomes. Wait for that, or have the quota raised",
		e.Wanted, e.Left)
}

// ceil rounds a wait up to whole seconds, which is what Retry-After has.
func ceil(d time.Duration) time.Duration { return (d + time.Second - 1).Truncate(time.Second) }

// RetryAfter returns when to come again, in whole seconds from 1; 0 if that does not help.
func (e *OverQuotaError) RetryAfter() time.Duration {
	const unknown = 10 * time.Second
	switch {
	case e.Never:
		return 0
	case e.After <= 0:
		return unknown
	}
	return max(ceil(e.After), time.Second)
}
