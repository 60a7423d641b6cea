package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// simulator is the admin side of a running FCM simulator.
type simulator struct{ base string }

type simStats struct {
	Accepted uint64 `json:"accepted"`
}

func (s *simulator) stats(ctx context.Context) (simStats, error) {
	var st simStats
	body, err := s.call(ctx, http.MethodGet, "/_sim/stats", nil)
	if err != nil {
		return st, err
	}
	defer func() { _ = body.Close() }()
	return st, json.NewDecoder(body).Decode(&st)
}

// outage makes every send answer 503 for a time; 0 is until recovery.
func (s *simulator) outage(ctx context.Context, d time.Duration) error {
	return s.fail(ctx, map[string]any{"status": http.StatusServiceUnavailable, "seconds": d.Seconds(), "share": 1.0})
}

// recovery ends an outage.
func (s *simulator) recovery(ctx context.Context) error {
	return s.fail(ctx, map[string]any{"share": 0.0})
}

func (s *simulator) fail(ctx context.Context, how map[string]any) error {
	body, err := s.call(ctx, http.MethodPost, "/_sim/outage", how)
	if err != nil {
		return err
	}
	return body.Close()
}

// accepted returns how often each token's message was accepted.
func (s *simulator) accepted(ctx context.Context) (map[string]int, error) {
	body, err := s.call(ctx, http.MethodGet, "/_sim/accepted?body=false", nil)
	if err != nil {
		return nil, err
	}
	defer func() { _ = body.Close() }()
	out := map[string]int{}
	for dec := json.NewDecoder(body); ; {
		var row struct {
			Token string `json:"token"`
		}
		switch err := dec.Decode(&row); {
		case errors.Is(err, io.EOF):
			return out, nil
		case err != nil:
			return nil, fmt.Errorf("read the simulator's ledger: %w", err)
		}
		out[row.Token]++
	}
}

func (s *simulator) call(ctx context.Context, method, path string, in any) (io.ReadCloser, error) {
	var payload bytes.Buffer
	if in != nil {
		if err := json.NewEncoder(&payload).Encode(in); err != nil {
			return nil, err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, s.base+path, &payload)
	if err != nil {
		return nil, err
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("FCM simulator: %w", err)
	}
	if res.StatusCode != http.StatusOK && res.StatusCode != http.StatusNoContent {
		_ = res.Body.Close()
		return nil, fmt.Errorf("FCM simulator: %s %s: %s", method, path, res.Status)
	}
	return res.Body, nil
}
