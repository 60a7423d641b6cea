package bench

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/belfry-push/belfry/internal/adapter/awsmeter"
	"github.com/belfry-push/belfry/internal/cost"
)

// metered is what AWS would bill the process since it started, read from its
// own metrics. On the embedded backend it is empty.
type metered struct {
	units awsmeter.Snapshot
	calls map[string]float64 // by service and operation
}

// callsInMetrics finds the counter of calls.
var callsInMetrics = regexp.MustCompile(`^belfry_aws_calls_total\{op="([^"]+)",service="([^"]+)"\} (\S+)$`)

func readMetered(ctx context.Context, addr string) (metered, error) {
	text, err := readMetrics(ctx, addr)
	if err != nil {
		return metered{}, err
	}
	used, err := cost.ReadMetrics(strings.NewReader(text))
	if err != nil {
		return metered{}, err
	}
	m := metered{units: used.Units, calls: map[string]float64{}}
	for lines := bufio.NewScanner(strings.NewReader(text)); lines.Scan(); {
		if f := callsInMetrics.FindStringSubmatch(lines.Text()); f != nil {
			if n, err := strconv.ParseFloat(f[3], 64); err == nil {
				m.calls[f[2]+" "+f[1]] = n
			}
		}
	}
	return m, nil
}

func readMetrics(ctx context.Context, addr string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, addr+"/metrics", http.NoBody)
	if err != nil {
		return "", err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", fmt.Errorf("bench: read metrics: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return "", fmt.Errorf("bench: read metrics: %w", err)
	}
	return string(text), nil
}

// awaitRecorded waits until what sends learned about devices is written: its CPU is theirs.
func awaitRecorded(ctx context.Context, addr string) error {
	const written, every = "\nbelfry_device_notes_waiting 0\n", 50 * time.Millisecond
	again := time.NewTicker(every)
	defer again.Stop()
	for {
		text, err := readMetrics(ctx, addr)
		if err != nil || strings.Contains(text, written) {
			return err
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// printMetered prints what n notifications cost between two readings.
func (r *run) printMetered(before, after metered, n int) error {
	if len(after.calls) == 0 {
		return nil
	}
	prices, err := cost.List()
	if err != nil {
		return err
	}
	bill := prices.Estimate(after.units.Since(before.units)).For(int64(n))
	r.printf("  AWS's price, metered   %8.3f $ a million notifications (%s, without egress)\n", bill.PerMillion, prices.Region)
	r.printf("  calls per 1,000:")
	for _, op := range slices.Sorted(maps.Keys(after.calls)) {
		if calls := (after.calls[op] - before.calls[op]) * 1000 / float64(n); calls >= 0.01 {
			r.printf(" %s %.2f;", op, calls)
		}
	}
	r.printf("\n\n")
	return nil
}
