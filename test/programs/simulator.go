package programs

import (
	"bytes"
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
	_, rest := p.Start(tb, `"endpoint":"`, "belfry", nil, "sim", "--sim-listen", "127.0.0.1:0", "--sim-latency", latency.String(), "--log-format", "json")
	endpoint, _, _ := strings.Cut(rest, `"`)
	return Simulator{Endpoint: endpoint}
}

// Stats are what the simulator has counted.
type Stats struct {
	Requests, Accepted, Duplicates uint64

	ByCode map[string]uint64 `json:"by_code"` // answers; HANG is a request without one
}

// Stats returns the counts so far.
func (s Simulator) Stats(tb testing.TB) Stats {
	tb.Helper()
	var out Stats
	s.call(tb, http.MethodGet, "/_sim/stats", nil, func(dec *json.Decoder) {
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
	s.call(tb, http.MethodGet, "/_sim/accepted?body=false", nil, func(dec *json.Decoder) {
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

// Outage makes a share of all sends, 0 to 1, answer with a status until the
// next call; 0 ends it.
func (s Simulator) Outage(tb testing.TB, status int, share float64) {
	tb.Helper()
	s.call(tb, http.MethodPost, "/_sim/outage", map[string]any{"status": status, "share": share}, func(*json.Decoder) {})
}

func (s Simulator) call(tb testing.TB, method, path string, in any, read func(*json.Decoder)) {
	tb.Helper()
	var body bytes.Buffer
	if in != nil {
		if err := json.NewEncoder(&body).Encode(in); err != nil {
			tb.Fatal(err)
		}
	}
	req, err := http.NewRequestWithContext(tb.Context(), method, strings.TrimSuffix(s.Endpoint, "/v1")+path, &body)
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
		tb.Fatalf("%s %s: %s", method, path, res.Status)
	}
	read(json.NewDecoder(res.Body))
}
