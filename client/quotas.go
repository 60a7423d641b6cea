package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// QuotaName names a quota: the setting that it is set with.
type QuotaName string

// The quotas.
const (
	QuotaRequests      QuotaName = "requests_per_second"
	QuotaKeyRequests   QuotaName = "key_requests_per_second"
	QuotaNotifications QuotaName = "notifications_per_minute"
	QuotaRecipients    QuotaName = "recipients_per_day"
	QuotaQueued        QuotaName = "queued_recipients"
)

// QuotaNames lists every quota.
func QuotaNames() []QuotaName {
	return []QuotaName{QuotaRequests, QuotaKeyRequests, QuotaNotifications, QuotaRecipients, QuotaQueued}
}

// Quota is a quota, and how it stands in all processes together.
type Quota struct {
	Quota   QuotaName  `json:"quota" doc:"the setting that it is set with"`
	Tenant  string     `json:"tenant" doc:"whose it is"`
	App     string     `json:"app,omitempty" doc:"of the app alone; absent: for all of the tenant's together"`
	Key     string     `json:"key,omitempty" doc:"of the key alone, by its name"`
	Policy  string     `json:"policy" doc:"its name in RateLimit-Policy"`
	Limit   int64      `json:"limit" doc:"how much it is"`
	Used    int64      `json:"used" doc:"how much of it is used at present; what servers hold ready for requests to come counts"`
	Left    int64      `json:"left" doc:"how much there is"`
	Unit    string     `json:"unit" doc:"what it counts"`
	Window  int64      `json:"window_seconds,omitempty" doc:"in how many seconds so much may be used; absent: at once"`
	WholeAt *time.Time `json:"whole_at,omitempty" doc:"when all of it is there again if nobody uses any; absent if that is not known"`
	Over    string     `json:"over" enum:"refuse,defer" doc:"what happens beyond it: refuse (429), or defer: it is accepted and starts when there is room"`
}

// QuotaList is the quotas that a caller may see.
type QuotaList struct {
	Items []Quota `json:"items" doc:"those that are set: of the key, the app and the tenant"`
}

// QuotaFilter says whose quotas are meant.
type QuotaFilter struct {
	Tenant string // "": the caller's own
	App    string // "": the one that the key is limited to, else the default one
}

// Quotas returns the quotas of a tenant and an app, and of the caller's key, and how they stand.
func (c *Client) Quotas(ctx context.Context, f QuotaFilter) ([]Quota, error) {
	q := url.Values{}
	if f.Tenant != "" {
		q.Set("tenant", f.Tenant)
	}
	if f.App != "" {
		q.Set("app", f.App)
	}
	var l QuotaList
	err := c.do(ctx, get("/v1/quotas", q), &l)
	return l.Items, err
}

// RateLimit is how a quota stands as an answer says it, in the fields of draft-ietf-httpapi-ratelimit-headers-10.
type RateLimit struct {
	Policy string        // its name
	Quota  int64         // how much it is; 0 if the answer does not say
	Window time.Duration // 0 if the answer does not say
	Left   int64
	Whole  time.Duration // in how long all of it is there again; 0 if that is not known
}

// RateLimits reads the fields RateLimit-Policy and RateLimit of an answer. What is none of theirs is left out.
func RateLimits(h http.Header) []RateLimit {
	var all []RateLimit
	at := map[string]int{}
	read := func(field string, set func(r *RateLimit, name string, v int64)) {
		for item := range strings.SplitSeq(strings.Join(h.Values(field), ","), ",") {
			name, params, _ := strings.Cut(strings.TrimSpace(item), ";")
			if name = strings.Trim(name, `"`); name == "" {
				continue
			}
			if _, known := at[name]; !known {
				at[name] = len(all)
				all = append(all, RateLimit{Policy: name})
			}
			for p := range strings.SplitSeq(params, ";") {
				k, text, _ := strings.Cut(strings.TrimSpace(p), "=")
				if v, err := strconv.ParseInt(text, 10, 64); err == nil {
					set(&all[at[name]], k, v)
				}
			}
		}
	}
	read("RateLimit-Policy", func(r *RateLimit, name string, v int64) {
		switch name {
		case "q":
			r.Quota = v
		case "w":
			r.Window = time.Duration(v) * time.Second
		}
	})
	read("RateLimit", func(r *RateLimit, name string, v int64) {
		switch name {
		case "r":
			r.Left = v
		case "t":
			r.Whole = time.Duration(v) * time.Second
		}
	})
	return all
}
