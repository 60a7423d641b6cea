package metrics

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// hostile are names that would end a label, a line or a series, if somebody wrote them down as they are.
func hostile(i int) string {
	return fmt.Sprintf("x%d\"}\nbelfry_forged_total{a=\"b\"} %d\r\n\\{}", i, i)
}

// TestHostileRequests sends thousands of requests whose ids, paths, methods, senders, labels, keys and headers are all different
// and hostile: the program shows not one series that it might not have shown before, and nothing of the names.
func TestHostileRequests(t *testing.T) {
	t.Parallel()
	sim := commands.Simulator(t, time.Millisecond)
	p, rest := commands.Start(t, `"listen":"`, "ingest", []string{
		"BELFRY_DATA=" + t.TempDir(), "BELFRY_LOG_FORMAT=json", "BELFRY_FCM_ENDPOINT=" + sim.Endpoint, "BELFRY_LISTEN=127.0.0.1:0",
		"BELFRY_API_KEY=k",
	})
	addr, _, _ := strings.Cut(rest, `"`)
	attack := func(from, to int) {
		var all sync.WaitGroup
		next := make(chan int)
		for range 8 {
			all.Go(func() {
				for i := range next {
					for _, one := range attacks(i) {
						one.URL.Host, one.URL.Scheme = addr, "http"
						res, err := http.DefaultClient.Do(one.WithContext(t.Context()))
						if err != nil {
							t.Errorf("%s %q: %v", one.Method, one.URL, err)
							continue
						}
						_ = res.Body.Close()
					}
				}
			})
		}
		for i := from; i < to; i++ {
			next <- i
		}
		close(next)
		all.Wait()
	}
	attack(0, 20) // hang-ups and statuses that net/http chooses have their series now
	before := series(t, addr)
	attack(20, 320)
	after := series(t, addr)
	if grown := after.n - before.n; grown > 0 {
		t.Errorf("%d series became %d", before.n, after.n)
	}
	if strings.Contains(after.text, "forged") {
		t.Error("what somebody called something is in the metrics")
	}
	if after.counted <= before.counted {
		t.Error("the attack was not counted: it did not reach what counts")
	}
	p.Stop(t)
}

// attacks are requests that name things as nobody should.
func attacks(i int) []*http.Request {
	name := hostile(i)
	request := func(method, path, body string) *http.Request {
		r, err := http.NewRequest(method, "http://x/", strings.NewReader(body))
		if err != nil {
			panic(err)
		}
		r.URL.Path = path
		r.Header.Set("Authorization", "Bearer k")
		r.Header.Set("Content-Type", "application/json")
		return r
	}
	quoted := fmt.Sprintf("%q", name)
	send := request(http.MethodPost, "/v1/notifications",
		`{"to":{"tokens":["t"]},"message":{"notification":{"title":"Hi"}},"labels":{"a":`+quoted+`}}`)
	send.Header.Set("Idempotency-Key", fmt.Sprintf("key-%d", i))
	key := request(http.MethodGet, "/v1/notifications", "")
	key.Header.Set("Authorization", fmt.Sprintf("Bearer blf_%d_%d", i, i))
	trace := request(http.MethodGet, "/v1/status", "")
	trace.Header.Set("traceparent", fmt.Sprintf("00-%032x-%016x-01", i+1, i+1))
	trace.Header.Set("User-Agent", fmt.Sprintf("x{%d}", i))
	return []*http.Request{
		request(http.MethodGet, "/v1/notifications/"+name, ""),
		request(http.MethodGet, "/"+name+"/"+name, ""),
		request(fmt.Sprintf("BREW%d", i), "/v1/notifications", ""),
		request(http.MethodGet, "/v1/devices/"+name, ""),
		request(http.MethodPost, "/v1/events",
			`{"specversion":"1.0","id":`+quoted+`,"source":`+quoted+`,"type":"push.notification.requested.v1","data":{}}`),
		send, key, trace,
	}
}

// count is what a page of metrics comes to.
type count struct {
	text    string
	n       int     // series of ours, of a histogram one
	counted float64 // HTTP requests
}

func series(t *testing.T, addr string) count {
	t.Helper()
	c := count{text: string(get(t, "http://"+addr+"/metrics"))}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(c.text))
	if err != nil {
		t.Fatal(err)
	}
	for name, f := range families {
		c.n += len(f.GetMetric())
		if name == "belfry_http_requests_total" {
			for _, m := range f.GetMetric() {
				c.counted += m.GetCounter().GetValue()
			}
		}
	}
	return c
}
