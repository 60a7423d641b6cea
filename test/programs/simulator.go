package programs

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Simulator is a running FCM simulator.
type Simulator struct {
	Endpoint string // base URL up to /v1, as BELFRY_FCM_ENDPOINT wants it
}

// Simulator starts an FCM simulator with a median latency.
func (p *Programs) Simulator(tb testing.TB, latency time.Duration) Simulator {
	tb.Helper()
	_, rest := p.Start(tb, `"endpoint":"`, "belfry", nil, "sim", "--sim-listen", "127.0.0.1:0", "--sim-latency", latency.String(),
		"--sim-keep", "10000000", // all of them
		"--log-format", "json")
	endpoint, _, _ := strings.Cut(rest, `"`)
	return Simulator{Endpoint: endpoint}
}

// Stats are what the simulator has counted.
type Stats struct {
	Requests, Accepted, Duplicates uint64
	ByCode                         map[string]int `json:"by_code"` // HANG: never answered
}

// Stats returns the counts so far.
func (s Simulator) Stats(tb testing.TB) Stats {
	tb.Helper()
	var out Stats
	s.call(tb, "/_sim/stats", func(dec *json.Decoder) {
		if err := dec.Decode(&out); err != nil {
			tb.Fatal(err)
		}
	})
	return out
}

// Accepted returns how often a message to each token was accepted.
func (s Simulator) Accepted(tb testing.TB) map[string]int {
	tb.Helper()
	times := map[string]int{}
	s.call(tb, "/_sim/accepted?body=false", func(dec *json.Decoder) {
		for {
			var row struct{ Token string }
			if err := dec.Decode(&row); errors.Is(err, io.EOF) {
				return
			} else if err != nil {
				tb.Fatal(err)
			}
			times[row.Token]++
		}
	})
	return times
}

// Titles returns the title of the last message to each token that was accepted.
func (s Simulator) Titles(tb testing.TB) map[string]string {
	tb.Helper()
	titles := map[string]string{}
	s.call(tb, "/_sim/accepted", func(dec *json.Decoder) {
		for {
			var row struct {
				Token string
				Body  struct {
					Message struct{ Notification struct{ Title string } }
				}
			}
			if err := dec.Decode(&row); errors.Is(err, io.EOF) {
				return
			} else if err != nil {
				tb.Fatal(err)
			}
			titles[row.Token] = row.Body.Message.Notification.Title
		}
	})
	return titles
}

func (s Simulator) call(tb testing.TB, path string, read func(*json.Decoder)) {
	tb.Helper()
	req, err := http.NewRequestWithContext(tb.Context(), http.MethodGet, strings.TrimSuffix(s.Endpoint, "/v1")+path, http.NoBody)
	if err != nil {
		tb.Fatal(err)
	}
	req.Close = true // no idle connection outlives the test
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode >= http.StatusBadRequest {
		tb.Fatalf("GET %s: %s", path, res.Status)
	}
	read(json.NewDecoder(res.Body))
}
