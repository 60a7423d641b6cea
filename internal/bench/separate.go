package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/belfry-push/belfry/client"
)

// site is a data directory with the programs that work on it.
type site struct {
	*run

	sim     *child
	data    string
	beside  string // folder of the programs
	started []*child
}

// separate measures one big batch, phase by phase, with ingest started anew for
// each so that its memory is that phase's.
func (r *run) separate(ctx context.Context, sim *child) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("bench: find this program: %w", err)
	}
	s := &site{run: r, sim: sim, data: filepath.Join(r.dir, "data"), beside: filepath.Dir(self)}
	if err := s.built(); err != nil {
		return err
	}
	defer s.abandon()
	r.printMachine()
	r.printf("one batch of %d recipients; ingest, dispatcher and simulator are processes of their own\n", r.cfg.Recipients)
	id, err := s.upload(ctx)
	if err != nil {
		return err
	}
	for _, phase := range []func(context.Context, string) error{s.sendAndWatch, s.read, s.disk} {
		if err := phase(ctx, id); err != nil {
			return err
		}
	}
	return s.early(ctx)
}

// built reports that the programs are missing.
func (s *site) built() error {
	if _, err := os.Stat(filepath.Join(s.beside, "ingest")); err != nil {
		return fmt.Errorf("bench: ingest and dispatcher must stand beside this program: make build, then bin/belfry bench --separate: %w", err)
	}
	return nil
}

// abandon ends what a phase that failed has left running.
func (s *site) abandon() {
	for _, c := range s.started {
		if c.cmd.ProcessState == nil {
			c.stop()
		}
	}
}

func (s *site) ingest(ctx context.Context) (*child, error) {
	c, err := startChild(ctx, filepath.Join(s.beside, "ingest"), "listen", "--data", s.data, "--listen", "127.0.0.1:0", noKey)
	if err != nil {
		return nil, err
	}
	s.started = append(s.started, c)
	s.api, err = client.New("http://"+c.addr, "")
	return c, err
}

// notRecording makes a dispatcher leave out the devices that it sends to: a phase is about the batch, and disk about the
// ledger.
const notRecording = "--no-record-unknown-devices"

// noKey keeps a first start from making a key that nobody would see.
const noKey = "--no-require-key"

func (s *site) dispatcher(ctx context.Context, args ...string) (*child, error) {
	c, err := startChild(ctx, filepath.Join(s.beside, "dispatcher"), "metrics", append(args, "--data", s.data,
		"--metrics-listen", "127.0.0.1:0", "--fcm-endpoint", s.sim.addr, fmt.Sprintf("--fcm-per-second=%d", s.cfg.FCM.PerSecond))...)
	if err == nil {
		s.started = append(s.started, c)
	}
	return c, err
}

func (s *site) create(ctx context.Context) (string, error) {
	b, err := s.api.CreateBatch(ctx, client.Request{Message: json.RawMessage(message), Priority: "bulk"})
	return b.ID, err
}

// upload measures the upload alone.
func (s *site) upload(ctx context.Context) (string, error) {
	ingest, err := s.ingest(ctx)
	if err != nil {
		return "", err
	}
	id, err := s.create(ctx)
	if err != nil {
		return "", err
	}
	begun := time.Now()
	if _, err := s.api.UploadRecipients(ctx, id, lines(s.cfg.Recipients), client.UploadOptions{Offset: 1}); err != nil {
		return "", err
	}
	took := time.Since(begun)
	used := ingest.stop()
	s.printf("  upload          %7.1f s, %.0f lines/s; ingest: %.0f µs CPU a line, %s\n",
		took.Seconds(), float64(s.cfg.Recipients)/took.Seconds(), s.per(used), rss(used))
	return id, nil
}

// sendAndWatch starts the batch and asks how it stands, again and again, until
// every recipient has an outcome.
func (s *site) sendAndWatch(ctx context.Context, id string) error {
	ingest, err := s.ingest(ctx)
	if err != nil {
		return err
	}
	dispatcher, err := s.dispatcher(ctx, notRecording)
	if err != nil {
		return err
	}
	begun := time.Now()
	if _, err := s.api.StartBatch(ctx, id); err != nil {
		return err
	}
	const every = 50 * time.Millisecond
	final, asked, err := s.poll(ctx, id, every)
	if err != nil {
		return err
	}
	took := time.Since(begun)
	if final.Counts == nil || final.Counts.Sent != int64(s.cfg.Recipients) {
		return fmt.Errorf("bench: %d recipients, but not all were sent: %+v", s.cfg.Recipients, final.Counts)
	}
	sender, door := dispatcher.stop(), ingest.stop()
	s.printf("  start to done   %7.1f s, %.0f notifications/s; dispatcher: %.0f µs CPU a notification, %s\n",
		took.Seconds(), float64(s.cfg.Recipients)/took.Seconds(), s.per(sender), rss(sender))
	s.printf("  GET meanwhile   p50 %.1f ms, p95 %.1f ms, p99 %.1f ms of %d; ingest: %s\n", at(asked, 0.5), at(asked, 0.95), at(asked, 0.99),
		len(asked), rss(door))
	return nil
}

// poll asks for the batch until it is completed, and returns the sorted
// latencies of its questions.
func (s *site) poll(ctx context.Context, id string, every time.Duration) (client.Notification, []time.Duration, error) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	var took []time.Duration
	for {
		begun := time.Now()
		n, err := s.api.Batch(ctx, id)
		if err != nil {
			return n, nil, err
		}
		took = append(took, time.Since(begun))
		if n.Done() {
			slices.Sort(took)
			return n, took, nil
		}
		select {
		case <-ctx.Done():
			return n, nil, ctx.Err()
		case <-tick.C:
		}
	}
}

// read measures the questions about a batch that is done.
func (s *site) read(ctx context.Context, id string) error {
	ingest, err := s.ingest(ctx)
	if err != nil {
		return err
	}
	const questions = 500
	took := make([]time.Duration, questions)
	for i := range took {
		begun := time.Now()
		if _, err := s.api.Batch(ctx, id); err != nil {
			return err
		}
		took[i] = time.Since(begun)
	}
	slices.Sort(took)
	begun, rows := time.Now(), 0
	for _, err := range s.api.Report(ctx, id, client.DeliveryFilter{}) {
		if err != nil {
			return err
		}
		rows++
	}
	streamed := time.Since(begun)
	if rows != s.cfg.Recipients {
		return fmt.Errorf("bench: the report of %d recipients has %d rows", s.cfg.Recipients, rows)
	}
	used := ingest.stop()
	s.printf("  GET when done   p50 %.1f ms, p95 %.1f ms, p99 %.1f ms of %d, one after the other\n", at(took, 0.5), at(took, 0.95),
		at(took, 0.99), questions)
	s.printf("  report          %7.1f s, %.0f rows/s; ingest: %s\n", streamed.Seconds(), float64(rows)/streamed.Seconds(), rss(used))
	return nil
}

// disk says what the batch takes: all programs have stopped, so that no
// write-ahead log is left.
func (s *site) disk(context.Context, string) error {
	size := func(name string) (float64, error) {
		info, err := os.Stat(filepath.Join(s.data, name))
		if err != nil {
			return 0, err
		}
		return float64(info.Size()) / float64(s.cfg.Recipients), nil
	}
	ledger, err := size("store.db")
	pages, pagesErr := size("pages.db")
	if err := errors.Join(err, pagesErr); err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	s.printf("  disk            ledger %.1f bytes a recipient, uploaded pages %.1f\n\n", ledger, pages)
	return nil
}

func (s *site) per(u usage) float64 { return float64(u.cpu.Microseconds()) / float64(s.cfg.Recipients) }

func rss(u usage) string { return fmt.Sprintf("peak RSS %.0f MiB", float64(u.peakRSS)/(1<<20)) }

// at returns a quantile of sorted latencies in milliseconds.
func at(sorted []time.Duration, q float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return float64(sorted[quantile(len(sorted), q)].Microseconds()) / 1000
}

// quantile returns where a quantile stands among n that are sorted.
func quantile(n int, q float64) int { return int(q * float64(n-1)) }
