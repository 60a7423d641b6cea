package cost

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// scrapeTimeout is that of one process: each asks SQS for the depth of its
// queues first.
const scrapeTimeout = 15 * time.Second

// Scrape reads what the process whose /metrics is at that URL has used since it
// started.
func Scrape(ctx context.Context, address string) (Measured, error) {
	ctx, cancel := context.WithTimeout(ctx, scrapeTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return Measured{}, err
	}
	resp, err := http.DefaultClient.Do(req)
	if failure, ok := errors.AsType[*url.Error](err); ok {
		return Measured{}, fmt.Errorf("%s: %w", address, failure.Err) // it is not the server of --api
	}
	if err != nil {
		return Measured{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return Measured{}, fmt.Errorf("%s answered %s", address, resp.Status)
	}
	const most = 64 << 20
	m, err := ReadMetrics(io.LimitReader(resp.Body, most))
	if err != nil {
		return Measured{}, fmt.Errorf("%s: %w", address, err)
	}
	return m, nil
}
