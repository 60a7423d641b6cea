package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/belfry-push/belfry/client"
)

// site is ingest and dispatchers on a data directory, as an operator starts them, but for the pace, which is lifted.
type site struct {
	ingest      *child
	dispatchers []*child
	api         *client.Client
}

// openSite starts ingest and so many dispatchers, which send to the endpoint, with these arguments too.
func (m *machine) openSite(ctx context.Context, data, endpoint string, dispatchers int, args ...string) (*site, error) {
	s := &site{}
	var err error
	s.ingest, err = m.start(ctx, `"listen":"([^"]+)"`, filepath.Join(m.bin, "ingest"),
		"--data", data, "--listen", "127.0.0.1:0", "--log-format", "json")
	if err != nil {
		return nil, err
	}
	for range dispatchers {
		d, err := m.start(ctx, `"metrics":"([^"]+)"`, filepath.Join(m.bin, "dispatcher"),
			append(args, "--data", data, "--metrics-listen", "127.0.0.1:0", "--log-format", "json",
				"--fcm-endpoint", endpoint, "--fcm-project", project, "--fcm-per-second", "1000000")...)
		if err != nil {
			return nil, err
		}
		s.dispatchers = append(s.dispatchers, d)
	}
	s.api, err = client.New("http://"+s.ingest.said, "")
	return s, err
}

// load is what a site is measured with: batches of new tokens or, with from again, of the same.
type load struct {
	batches, recipients int // recipients in all
	from                int // number of the first token
}

// pipeline measures a batch in one site of one dispatcher.
func (m *machine) pipeline(ctx context.Context, data string) (Sample, error) {
	s, err := m.openSite(ctx, data, m.url+"/v1", 1)
	if err != nil {
		return Sample{}, err
	}
	return s.measure(ctx, load{batches: 1, recipients: m.Recipients})
}

// measure measures batches, from their start until the last outcome of all is in the ledger, and ends the site. Their
// uploads were before; what is learned about devices is written beside the sends, and counts until the last of it is stored.
func (s *site) measure(ctx context.Context, l load) (Sample, error) {
	ids, err := s.upload(ctx, l)
	if err != nil {
		return Sample{}, err
	}
	before, err := s.usage(ctx)
	if err != nil {
		return Sample{}, err
	}
	begun := time.Now()
	if err := s.send(ctx, ids, l.recipients); err != nil {
		return Sample{}, err
	}
	took := time.Since(begun)
	if err := s.settle(ctx); err != nil {
		return Sample{}, err
	}
	used, err := s.usage(ctx)
	if err != nil {
		return Sample{}, err
	}
	used.cpu = s.end() // with what they do at their end, which is theirs too
	return used.since(before).sample(l.recipients, took), nil
}

// upload makes batches of as nearly the same size as can be.
func (s *site) upload(ctx context.Context, l load) (ids []string, err error) {
	for i := range l.batches {
		from, to := l.recipients*i/l.batches, l.recipients*(i+1)/l.batches
		b, err := s.api.CreateBatch(ctx, client.Request{Message: json.RawMessage(inJSON), Priority: "bulk"})
		if err != nil {
			return nil, err
		}
		if _, err := s.api.UploadRecipients(ctx, b.ID, lines(l.from+from, l.from+to), client.UploadOptions{Offset: 1}); err != nil {
			return nil, err
		}
		ids = append(ids, b.ID)
	}
	return ids, nil
}

// send starts batches and waits until all are done.
func (s *site) send(ctx context.Context, ids []string, recipients int) error {
	for _, id := range ids {
		if _, err := s.api.StartBatch(ctx, id); err != nil {
			return err
		}
	}
	var sent int64
	for _, id := range ids {
		const every = 50 * time.Millisecond
		final, err := s.api.Await(ctx, id, every)
		if err != nil {
			return err
		}
		if final.Counts != nil {
			sent += final.Counts.Sent
		}
	}
	if sent != int64(recipients) {
		return fmt.Errorf("bench: %d recipients, and %d were sent", recipients, sent)
	}
	return nil
}

// end stops the site, and returns the processor time that it has used in all.
func (s *site) end() (used time.Duration) {
	for _, d := range s.dispatchers {
		used += d.stop()
	}
	return used + s.ingest.stop()
}

// settle waits until nothing is left to write about devices.
func (s *site) settle(ctx context.Context) error {
	const every = 20 * time.Millisecond
	poll := time.NewTicker(every)
	defer poll.Stop()
	for {
		waiting := 0.0
		for _, d := range s.dispatchers {
			now, err := metrics(ctx, d.said)
			if err != nil {
				return err
			}
			waiting += now["belfry_device_notes_waiting"]
		}
		if waiting == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-poll.C:
		}
	}
}

// usage is what both programs have used.
func (s *site) usage(ctx context.Context) (usage, error) {
	var total usage
	for _, c := range append([]*child{s.ingest}, s.dispatchers...) {
		now, err := metrics(ctx, c.said)
		if err != nil {
			return usage{}, err
		}
		total.cpu += time.Duration(now["process_cpu_seconds_total"] * float64(time.Second))
		total.mallocs += now["go_memstats_mallocs_total"]
		total.peakRSS += peakRSS(c.cmd.Process.Pid)
	}
	return total, nil
}

// metrics reads those without labels of a program.
func metrics(ctx context.Context, addr string) (map[string]float64, error) {
	out := map[string]float64{}
	err := get(ctx, "http://"+addr+"/metrics", func(body io.Reader) error {
		text := bufio.NewScanner(body)
		for text.Scan() {
			name, value, _ := strings.Cut(text.Text(), " ")
			if v, err := strconv.ParseFloat(value, 64); err == nil {
				out[name] = v
			}
		}
		return text.Err()
	})
	return out, err
}

// get has an answer read.
func get(ctx context.Context, url string, read func(io.Reader) error) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	return read(res.Body)
}

// lines streams the recipients from one number up to, without, another.
func lines(from, to int) io.Reader {
	r, w := io.Pipe()
	go func() {
		for i := from; i < to; i++ {
			if _, err := io.WriteString(w, `{"token":"`+token(i)+"\"}\n"); err != nil {
				return // the reader is gone
			}
		}
		_ = w.Close()
	}()
	return r
}

// fresh makes a data directory that knows no device, and removes it after use.
func (m *machine) fresh(use func(data string) (Sample, error)) (Sample, error) {
	data, err := os.MkdirTemp(m.dir, "unknown-")
	if err != nil {
		return Sample{}, fmt.Errorf("bench: %w", err)
	}
	defer func() { _ = os.RemoveAll(data) }()
	return use(data)
}
