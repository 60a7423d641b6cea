package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"reflect"
	"testing"
	"testing/synctest"
	"time"
)

func TestRateLimits(t *testing.T) {
	t.Parallel()
	h := http.Header{}
	h.Add("RateLimit-Policy", `"requests_per_second";q=50;w=1`)
	h.Add("RateLimit-Policy", `"queued_recipients";q=9;qu="recipients", junk;q=x`)
	h.Set("RateLimit", `"requests_per_second";r=49;t=1,  "queued_recipients";r=4`)
	want := []RateLimit{
		{Policy: "requests_per_second", Quota: 50, Window: time.Second, Left: 49, Whole: time.Second},
		{Policy: "queued_recipients", Quota: 9, Left: 4},
		{Policy: "junk"},
	}
	if got := RateLimits(h); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
	if got := RateLimits(http.Header{}); got != nil {
		t.Errorf("%+v", got)
	}
}

// overQuota is a server that refuses the first of two calls, in-process.
type overQuota struct {
	calls int
	after string
}

func (s *overQuota) RoundTrip(*http.Request) (*http.Response, error) {
	s.calls++
	w := httptest.NewRecorder()
	w.Header().Set("RateLimit", `"requests_per_second";r=0;t=1`)
	if s.calls > 1 {
		_ = json.NewEncoder(w).Encode(QuotaList{Items: []Quota{{Quota: QuotaRequests, Limit: 1}}})
		return w.Result(), nil
	}
	w.Header().Set("Content-Type", "application/problem+json")
	if s.after != "" {
		w.Header().Set("Retry-After", s.after)
	}
	w.WriteHeader(http.StatusTooManyRequests)
	_ = json.NewEncoder(w).Encode(Problem{Code: "quota_exceeded", Status: http.StatusTooManyRequests, Quota: QuotaRequests})
	return w.Result(), nil
}

// The client waits as long as a quota says, gives up on what never fits, and tells how quotas stand.
func TestOverQuota(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &overQuota{after: "7"}
		var told []RateLimit
		c, err := New("http://belfry", "", WithHTTPClient(&http.Client{Transport: s}), WithRateLimits(func(l []RateLimit) { told = l }))
		if err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		all, err := c.Quotas(context.Background(), QuotaFilter{})
		if took := time.Since(begun); err != nil || len(all) != 1 || s.calls != 2 || took < 7*time.Second || took > 8*time.Second {
			t.Errorf("%v, %d calls in %v", err, s.calls, took)
		}
		if len(told) != 1 || told[0].Policy != "requests_per_second" {
			t.Errorf("told %+v", told)
		}
		s.calls, s.after = 0, ""
		if _, err := c.Quotas(context.Background(), QuotaFilter{}); !IsProblem(err, "quota_exceeded") || s.calls != 1 {
			t.Errorf("%v, %d calls", err, s.calls)
		}
	})
}
