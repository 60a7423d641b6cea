package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/belfry-push/belfry/client"
)

const message = `{"notification":{"title":"The bells are ringing","body":"A message of ordinary length, as a shop or a newspaper sends ` +
	`it."},"data":{"screen":"offers","id":"4711"},"android":{"priority":"NORMAL"}}`

// batch uploads recipients, starts them, and measures from the start until the
// last outcome is in the ledger; CPU until what the send learned is written as well.
func (r *run) batch(ctx context.Context, what string) error {
	n := r.cfg.Recipients
	b, err := r.api.CreateBatch(ctx, client.Request{Message: json.RawMessage(message), Priority: "bulk"})
	if err != nil {
		return err
	}
	begun := time.Now()
	if _, err := r.api.UploadRecipients(ctx, b.ID, lines(n), client.UploadOptions{Offset: 1}); err != nil {
		return err
	}
	uploaded := time.Since(begun)
	paid, err := readMetered(ctx, r.addr)
	if err != nil {
		return err
	}
	before := usageNow()
	begun = time.Now()
	if _, err := r.api.StartBatch(ctx, b.ID); err != nil {
		return err
	}
	final, err := r.api.Await(ctx, b.ID, 100*time.Millisecond)
	if err != nil {
		return err
	}
	took := time.Since(begun)
	if err := awaitRecorded(ctx, r.addr); err != nil {
		return err
	}
	used := usageNow().since(before)
	if final.Counts == nil || final.Counts.Sent != int64(n) {
		return fmt.Errorf("bench: %d recipients, but not all were sent: %+v", n, final.Counts)
	}
	per := float64(n)
	r.printf("chunked batch of %d, %s\n", n, what)
	r.printf("  upload                 %8.0f lines/s\n", per/uploaded.Seconds())
	r.printf("  queue to closed ledger %8.0f notifications/s (%.1f s)\n", per/took.Seconds(), took.Seconds())
	r.printf("  CPU of the process     %8.1f µs a notification\n", used.cpu.Seconds()*1e6/per)
	r.printf("  allocations            %8.1f a notification, %.0f bytes\n", float64(used.mallocs)/per, float64(used.bytes)/per)
	r.printf("  peak RSS so far        %8.0f MiB\n\n", float64(used.peakRSS)/(1<<20))
	bill, err := readMetered(ctx, r.addr)
	if err != nil {
		return err
	}
	return r.printMetered(paid, bill, n)
}

// lines streams n recipients with tokens of realistic length.
func lines(n int) io.Reader {
	r, w := io.Pipe()
	go func() {
		for i := range n {
			if err := writeLine(w, i); err != nil {
				return // the reader is gone
			}
		}
		_ = w.Close()
	}()
	return r
}

func writeLine(w io.Writer, i int) error {
	_, err := fmt.Fprintf(w, "{\"token\":\"bench-%09d:%0136d\"}\n", i, i)
	return err
}
