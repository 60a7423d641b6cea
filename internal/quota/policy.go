package quota

import (
	"cmp"
	"time"

	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/sharedrate"
)

const day = 24 * time.Hour

// policy is one quota of one tenant, app or key.
type policy struct {
	quota  push.Quota
	label  string // in the fields of answers
	of     string // whose it is, for people
	name   string // of its bucket
	tenant string
	app    string // "": the tenant's
	limit  int64
	window time.Duration // 0: it has none
	ends   time.Time     // of the window; zero: it is refilled all the time
	rate   sharedrate.Limit
	bucket *sharedrate.Bucket
}

// policiesOf lists the quotas that somebody passes: of the tenant; of the app, if it has its own; of the key. One that
// is not set, which is 0, is none.
func policiesOf(w who, whole, app *access.Effective, midnight time.Time) []*policy {
	var all []*policy
	add := func(q push.Quota, of, app, name, label string, limit *int64) {
		if *limit > 0 {
			p := newPolicy(q, of, name, label, *limit, midnight)
			p.tenant, p.app = w.tenant, app
			all = append(all, p)
		}
	}
	tenant := "tenant " + w.tenant
	if w.key != "" {
		add(push.QuotaKeyRequests, w.key, "", w.tenant+"/"+w.key, string(push.QuotaKeyRequests), app.KeyRequestsPerSecond)
	}
	for _, q := range []push.Quota{push.QuotaRequests, push.QuotaNotifications, push.QuotaRecipients, push.QuotaQueued} {
		if app.From[string(q)] == access.FromApp {
			own := cmp.Or(w.app, access.DefaultName)
			name := w.tenant + "/" + own
			add(q, "app "+name, own, name, "app_"+string(q), valueOf(app, q))
		}
		add(q, tenant, "", w.tenant, string(q), valueOf(whole, q))
	}
	return all
}

func valueOf(e *access.Effective, q push.Quota) *int64 {
	switch q {
	case push.QuotaRequests:
		return e.RequestsPerSecond
	case push.QuotaKeyRequests:
		return e.KeyRequestsPerSecond
	case push.QuotaNotifications:
		return e.NotificationsPerMinute
	case push.QuotaRecipients:
		return e.RecipientsPerDay
	case push.QuotaQueued:
		return e.QueuedRecipients
	}
	return new(int64)
}

func newPolicy(q push.Quota, of, name, label string, limit int64, midnight time.Time) *policy {
	p := &policy{quota: q, label: label, of: of, limit: limit, rate: sharedrate.Limit{Burst: limit}}
	switch q {
	case push.QuotaRequests, push.QuotaKeyRequests:
		p.name, p.window = "second/"+name, time.Second
	case push.QuotaNotifications:
		p.name, p.window = "minute/"+name, time.Minute
	case push.QuotaRecipients:
		p.name, p.window, p.ends = "day/"+name, day, midnight
		p.rate.Period = midnight.Add(-day).Format(time.DateOnly)
		return p
	case push.QuotaQueued:
		p.name = "queued/" + name
		return p
	}
	p.rate.Tokens, p.rate.Per = limit, p.window
	return p
}

// unit is what the quota counts, as the fields of answers name it.
func (p *policy) unit() string {
	switch p.quota {
	case push.QuotaNotifications:
		return "notifications"
	case push.QuotaRecipients, push.QuotaQueued:
		return "recipients"
	case push.QuotaRequests, push.QuotaKeyRequests:
	}
	return "requests"
}

// full returns when all of the quota is there again, if nobody takes any; 0 if that is not known.
func (p *policy) full(left int64, now time.Time) time.Duration {
	switch {
	case !p.ends.IsZero():
		return max(0, p.ends.Sub(now))
	case p.window == 0:
		return 0
	}
	return time.Duration(float64(p.limit-left) / float64(p.limit) * float64(p.window))
}

// takes returns how long the quota needs for n more; sharedrate.Never if it has no rate.
func (p *policy) takes(n int64) time.Duration {
	if p.rate.Tokens == 0 {
		return sharedrate.Never
	}
	return time.Duration(float64(n) / float64(p.limit) * float64(p.window))
}

// over is the error for n more than the quota has.
func (p *policy) over(n int64, a sharedrate.Answer, now time.Time) *push.OverQuotaError {
	e := &push.OverQuotaError{Quota: p.quota, Policy: p.label, Of: p.of, Limit: p.limit, Wanted: n, Left: a.Remaining, Never: n > p.limit}
	switch {
	case !p.ends.IsZero():
		e.After = max(p.ends.Sub(now), time.Second)
	case p.window > 0 && a.RetryAfter < sharedrate.Never:
		e.After = a.RetryAfter
	}
	return e
}
