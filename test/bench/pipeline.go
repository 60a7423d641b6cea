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

// site is ingest and a dispatcher on a data directory, as an operator starts them, but for the pace, which is lifted.
type site struct {
	ingest, dispatcher *child
	api                *client.Client
}

func (m *machine) openSite(ctx context.Context, data string) (*site, error) {
	s := &site{}
	var err error
	s.ingest, err = m.start(ctx, `"listen":"([^"]+)"`, filepath.Join(m.bin, "ingest"),
		"--data", data, "--listen", "127.0.0.1:0", "--log-format", "json")
	if err != nil {
		return nil, err
	}
	s.dispatcher, err = m.start(ctx, `"metrics":"([^"]+)"`, filepath.Join(m.bin, "dispatcher"),
		"--data", data, "--metrics-listen", "127.0.0.1:0", "--log-format", "json",
		"--fcm-endpoint", m.url+"/v1", "--fcm-project", project, "--fcm-per-second", "1000000")
	if err != nil {
		return nil, err
	}
	s.api, err = client.New("http://"+s.ingest.said, "")
	return s, err
}

// pipeline measures a batch, from its start until its last outcome is in the ledger. Its upload was before; what is
// learned about devices is written beside the sends, and counts until the last of it is stored.
func (m *machine) pipeline(ctx context.Context, data string) (Sample, error) {
	s, err := m.openSite(ctx, data)
	if err != nil {
		return Sample{}, err
	}
	b, err := s.api.CreateBatch(ctx, client.Request{Message: json.RawMessage(inJSON), Priority: "bulk"})
	if err != nil {
		return Sample{}, err
	}
	if _, err := s.api.UploadRecipients(ctx, b.ID, lines(m.Recipients), client.UploadOptions{Offset: 1}); err != nil {
		return Sample{}, err
	}
	before, err := s.usage(ctx)
	if err != nil {
		return Sample{}, err
	}
	begun := time.Now()
	if _, err := s.api.StartBatch(ctx, b.ID); err != nil {
		return Sample{}, err
	}
	const every = 50 * time.Millisecond
	final, err := s.api.Await(ctx, b.ID, every)
	if err != nil {
		return Sample{}, err
	}
	took := time.Since(begun)
	if final.Counts == nil || final.Counts.Sent != int64(m.Recipients) {
		return Sample{}, fmt.Errorf("bench: %d recipients, but not all were sent: %+v", m.Recipients, final.Counts)
	}
	if err := s.settle(ctx); err != nil {
		return Sample{}, err
	}
	used, err := s.usage(ctx)
	if err != nil {
		return Sample{}, err
	}
	// With what they do at their end, which is theirs too.
	used.cpu = s.dispatcher.stop() + s.ingest.stop()
	return used.since(before).sample(m.Recipients, took), nil
}

// settle waits until nothing is left to write about devices.
func (s *site) settle(ctx context.Context) error {
	const every = 20 * time.Millisecond
	poll := time.NewTicker(every)
	defer poll.Stop()
	for {
		now, err := metrics(ctx, s.dispatcher.said)
		if err != nil || now["belfry_device_notes_waiting"] == 0 {
			return err
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
	for _, c := range []*child{s.ingest, s.dispatcher} {
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
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/metrics", http.NoBody)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("bench: read metrics: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	out := map[string]float64{}
	text := bufio.NewScanner(res.Body)
	for text.Scan() {
		name, value, _ := strings.Cut(text.Text(), " ")
		if v, err := strconv.ParseFloat(value, 64); err == nil {
			out[name] = v
		}
	}
	return out, text.Err()
}

// lines streams n recipients.
func lines(n int) io.Reader {
	r, w := io.Pipe()
	go func() {
		for i := range n {
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
