package fcmsim_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-push/belfry/internal/fcmsim"
	"github.com/belfry-push/belfry/internal/fcmsim/fcmsimtest"
)

// clock is a clock that stands until it is moved.
type clock struct{ offset atomic.Int64 }

func (c *clock) now() time.Time {
	return time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC).Add(time.Duration(c.offset.Load()))
}

func (c *clock) advance(d time.Duration) { c.offset.Add(int64(d)) }

func TestAdminRefusesBadInput(t *testing.T) {
	t.Parallel()
	sim := fcmsimtest.Start(t, fcmsim.Config{})
	client := fcmsimtest.Client(t)
	for _, tc := range []struct{ path, body, says string }{
		{"outage", `{"statuss":503}`, `unknown field \"statuss\"`},
		{"outage", `{"status":"503"}`, "cannot unmarshal"},
		{"outage", `{"status":503} {}`, "more than one JSON value"},
		{"outage", `{`, "body: unexpected EOF"},
		{"outage", `{}`, "status: required"},
		{"outage", `{"status":418}`, "status: must be 503, 500, 429, 401, 403 or 0 (got 418)"},
		{"outage", `{"status":503,"share":1.5}`, "share: must be 0 to 1 (got 1.5)"},
		{"outage", `{"status":503,"seconds":-1}`, "seconds: must not be negative (got -1)"},
		{"outage", `{"status":503,"seconds":1e300}`, "seconds: must be at most"},
		{"outage", `{"status":503,"retry_after":"soon"}`, "retry_after: must be seconds or an HTTP date"},
		{"outage", `{"status":418,"share":-1}`, "share: must be 0 to 1"},
		{"latency", `{"median_ms":-1}`, "latency median: must be 0 to 10m0s"},
		{"latency", `{"median_ms":1e300}`, "latency median: must be 0 to 10m0s"},
		{"latency", `{"median_ms":1,"sigma":9}`, "latency sigma: must be 0 to 5 (got 9)"},
		{"quota", `{}`, "per_minute: required"},
		{"quota", `{"per_minute":-1}`, "quota per minute: must not be negative (got -1)"},
		{"substitute", `{}`, "status: must be 200 to 599 (got 0)"},
		{"substitute", `{"status":100}`, "status: must be 200 to 599 (got 100)"},
		{"substitute", `{"status":200,"share":2}`, "share: must be 0 to 1 (got 2)"},
		{"substitute", `{"status":200,"seconds":1e300}`, "seconds: must be at most"},
		{"substitute", `{"status":200,"seconds":-1}`, "seconds: must not be negative"},
		{"substitute", `{"status":200,"body":"` + strings.Repeat("x", 70_000) + `"}`, "body: must be at most 65536 bytes"},
		{"refusal", `{"platform":"symbian","as":"topic"}`, "platform: must be ios, web, android or nothing"},
		{"refusal", `{"as":"spite"}`, "as: must be one of field, sender_id, third_party_auth, too_large, topic, unspecified"},
		{"reset", `{"hard":true}`, `unknown field \"hard\"`},
		{"goaway", `1`, "cannot unmarshal"},
	} {
		a := post(t, client, sim.AdminURL()+"/"+tc.path, tc.body)
		if a.status != 400 || !strings.Contains(a.body, tc.says) || !json.Valid([]byte(a.body)) {
			t.Errorf("%s %s: %d %s", tc.path, tc.body, a.status, a.body)
		}
	}
	if a := post(t, client, sim.URL()+sendPath, toToken("t")); a.status != 200 {
		t.Errorf("refused input had an effect: %d", a.status)
	}
}

func TestOutage(t *testing.T) {
	t.Parallel()
	var c clock
	sim := fcmsimtest.Start(t, fcmsim.Config{ListenTLS: "127.0.0.1:0", Now: c.now})
	for name, p := range clients(t, sim) {
		admin := func(body string) {
			if a := post(t, http.DefaultClient, sim.AdminURL()+"/outage", body); a.status != 204 {
				t.Fatalf("%s: %d %s", body, a.status, a.body)
			}
		}
		send := func() (answer, error) { return tryPost(t, p.client, p.url+sendPath, toToken("t")) }
		sim.Reset()
		if a, err := send(); a.status != 200 {
			t.Fatalf("%s: before: %d %v", name, a.status, err)
		}

		admin(`{"status":503,"retry_after":"5","seconds":3}`)
		if a, _ := send(); a.status != 503 || a.header.Get("Retry-After") != "5" {
			t.Errorf("%s: 503: %d %v", name, a.status, a.header)
		}
		admin(`{"status":429,"retry_after":"Wed, 21 Oct 2026 07:28:00 GMT","seconds":3}`)
		if a, _ := send(); a.status != 429 || a.header.Get("Retry-After") != "Wed, 21 Oct 2026 07:28:00 GMT" {
			t.Errorf("%s: 429: %d %v", name, a.status, a.header)
		}
		for _, status := range []int{500, 401, 403} {
			admin(fmt.Sprintf(`{"status":%d,"seconds":3}`, status))
			if a, _ := send(); a.status != status || a.header.Get("Retry-After") != "" {
				t.Errorf("%s: %d: %d %v", name, status, a.status, a.header)
			}
		}
		c.advance(3 * time.Second)
		if a, _ := send(); a.status != 200 {
			t.Errorf("%s: after three seconds: %d", name, a.status)
		}

		admin(`{"status":0}`)
		if a, err := send(); err == nil {
			t.Errorf("%s: answered during an outage with status 0: %d", name, a.status)
		}
		c.advance(time.Hour) // no end was given
		if _, err := send(); err == nil {
			t.Errorf("%s: an outage without end ended", name)
		}
		if a := get(t, http.DefaultClient, sim.AdminURL()+"/stats"); a.status != 200 {
			t.Errorf("%s: the admin side is down: %d", name, a.status)
		}
		admin(`{"share":0}`)
		if a, err := send(); a.status != 200 {
			t.Errorf("%s: switched off: %d %v", name, a.status, err)
		}
		if st := sim.Stats(); st.ByCode["REFUSED"] < 2 || st.ByCode["UNAVAILABLE"] != 1 || st.ByCode["QUOTA_EXCEEDED"] != 1 ||
			st.Accepted != 3 {
			t.Errorf("%s: stats %+v", name, st)
		}
	}
}

func TestOutageHitsAShare(t *testing.T) {
	t.Parallel()
	sim := fcmsimtest.Start(t, fcmsim.Config{Seed: 7})
	client := fcmsimtest.Client(t)
	if err := sim.Outage(fcmsim.Outage{Status: 503, Share: 0.3}); err != nil {
		t.Fatal(err)
	}
	for range 500 {
		post(t, client, sim.URL()+sendPath, toToken("t"))
	}
	// Binomial with mean 150 and standard deviation 10.2; the seed makes it repeat.
	if hit := sim.Stats().ByCode["UNAVAILABLE"]; hit < 110 || hit > 190 {
		t.Errorf("%d of 500 hit", hit)
	}
}

func TestQuota(t *testing.T) {
	t.Parallel()
	var c clock
	sim := fcmsimtest.Start(t, fcmsim.Config{Now: c.now})
	client := fcmsimtest.Client(t)
	if a := post(t, client, sim.AdminURL()+"/quota", `{"per_minute":2}`); a.status != 204 {
		t.Fatal(a.body)
	}
	send := func() answer { return post(t, client, sim.URL()+sendPath, toToken("t")) }
	send()
	c.advance(20 * time.Second)
	if a := post(t, client, sim.URL()+sendPath, toToken("sim-unregistered-x")); a.status != 404 { // client errors use it up
		t.Errorf("second: %d", a.status)
	}
	c.advance(9500 * time.Millisecond)
	a := send()
	if google, code := errorCodes(t, a); a.status != 429 || google != "RESOURCE_EXHAUSTED" || code != "QUOTA_EXCEEDED" {
		t.Errorf("over quota: %d %s", a.status, a.body)
	}
	if got := a.header.Get("Retry-After"); got != "31" { // the minute began 29.5 s ago
		t.Errorf("Retry-After %q", got)
	}
	c.advance(30500 * time.Millisecond)
	if a := send(); a.status != 200 {
		t.Errorf("next minute: %d", a.status)
	}
	post(t, client, sim.AdminURL()+"/quota", `{"per_minute":0}`)
	for range 5 {
		if a := send(); a.status != 200 {
			t.Errorf("no quota: %d", a.status)
		}
	}
}

func TestAdminAcceptedAndStats(t *testing.T) {
	t.Parallel()
	var c clock
	sim := fcmsimtest.Start(t, fcmsim.Config{Now: c.now})
	client := fcmsimtest.Client(t)
	pretty := "{\n  \"message\": {\n    \"token\": \"a<b>\",\n    \"data\": {\"belfry_id\": \"ntf_1\"}\n  }\n}\n"
	name := strings.Split(post(t, client, sim.URL()+sendPath, pretty).body, `"`)[3]
	post(t, client, sim.URL()+sendPath, `{"message":{"topic":"x"}}`)

	a := get(t, client, sim.AdminURL()+"/accepted")
	lines := strings.Split(strings.TrimSuffix(a.body, "\n"), "\n")
	if len(lines) != 2 || a.header.Get("Content-Type") != "application/x-ndjson" {
		t.Fatalf("%v %q", a.header, a.body)
	}
	want := `{"token":"a<b>","name":"` + name + `","belfry_id":"ntf_1","at":"2026-11-21T12:00:00Z",` +
		`"body":{"message":{"token":"a<b>","data":{"belfry_id":"ntf_1"}}}}`
	if diff := cmp.Diff(want, lines[0]); diff != "" {
		t.Error(diff)
	}
	if a := get(t, client, sim.AdminURL()+"/accepted?body=false"); strings.Contains(a.body, `"body"`) {
		t.Errorf("bodies although not asked for: %s", a.body)
	}
	for prefix, want := range map[string]int{"a": 1, "a<b>": 1, "b": 0, "": 2} {
		if a := get(t, client, sim.AdminURL()+"/accepted?token="+url.QueryEscape(prefix)); strings.Count(a.body, "\n") != want {
			t.Errorf("tokens that begin with %q: %s", prefix, a.body)
		}
	}

	var got map[string]any
	if err := json.Unmarshal([]byte(get(t, client, sim.AdminURL()+"/stats").body), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]any{
		"requests": 2.0, "accepted": 2.0, "unique_tokens": 1.0, "duplicates": 0.0, "connections": 1.0, "dropped": 0.0,
		"by_code": map[string]any{"OK": 2.0},
	}, got); diff != "" {
		t.Error(diff)
	}
}

func TestResetReturnsToTheConfiguration(t *testing.T) {
	t.Parallel()
	sim := fcmsimtest.Start(t, fcmsim.Config{QuotaPerMinute: 3})
	client := fcmsimtest.Client(t)
	send := func(token string) answer { return post(t, client, sim.URL()+sendPath, toToken(token)) }
	before := send("sim-quota-1-x").status
	first := send("a").body
	if err := sim.SetQuota(1); err != nil {
		t.Fatal(err)
	}
	if err := sim.Outage(fcmsim.Outage{Status: 503, Share: 1}); err != nil {
		t.Fatal(err)
	}
	if a := post(t, client, sim.AdminURL()+"/reset", ""); a.status != 204 {
		t.Fatal(a.body)
	}
	if st := sim.Stats(); st.Requests != 0 || st.Accepted != 0 || st.Connections != 0 || len(st.ByCode) != 0 {
		t.Errorf("stats %+v", st)
	}
	if again := send("sim-quota-1-x").status; again != before || again != 429 {
		t.Errorf("scripted token: %d, then %d", before, again)
	}
	if a := send("a"); a.status != 200 || a.body == first {
		t.Errorf("a name came back: %s", a.body)
	}
	if a, b := send("a"), send("a"); a.status != 200 || b.status != 429 {
		t.Errorf("configured quota: %d, %d", a.status, b.status)
	}
	if st := sim.Stats(); st.Connections != 1 || st.Duplicates != 1 {
		t.Errorf("stats %+v", st)
	}
}
