package crash

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/test/programs"
)

const (
	uploadLines = 100_000
	uploadCuts  = 20
	ingestKills = 5
)

// TestKilledIngest uploads a batch through a proxy that cuts the connection
// again and again, while ingest is killed: nothing that is sent again counts
// twice, and no line is lost.
func TestKilledIngest(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	sim := commands.Simulator(t, 0)
	store := []string{"BELFRY_DATA=" + t.TempDir(), "BELFRY_VISIBILITY=5s", "BELFRY_LOG_FORMAT=json"}
	serve := func(listen string) (*programs.Process, string) {
		p, rest := commands.Start(t, `"listen":"`, "ingest", store, "--listen", listen)
		addr, _, _ := strings.Cut(rest, `"`)
		return p, addr
	}
	ingest, addr := serve("127.0.0.1:0")
	commands.Start(t, `"metrics":"`, "dispatcher", append(store, "BELFRY_FCM_ENDPOINT="+sim.Endpoint), "--metrics-listen", "127.0.0.1:0")

	proxy, through := newCutter(t, addr, uploadCuts, seed)
	patient := client.WithRetry(client.Retry{Attempts: 30, Base: 100 * time.Millisecond, Max: 2 * time.Second})
	api, err := client.New("http://"+through, "", patient)
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	batch, err := api.CreateBatch(ctx, client.Request{Message: json.RawMessage(`{"notification":{"title":"cut"}}`), Priority: "bulk"})
	if err != nil {
		t.Fatal(err)
	}
	ended, acknowledged := make(chan error, 1), make(chan int64, 1)
	go func() {
		_, err := uploadAll(ctx, api, batch.ID, client.WithUploadProgress(func(t client.UploadResult) {
			select {
			case acknowledged <- t.Watermark:
			default:
			}
		}))
		ended <- err
	}()
	cuts, kills := 0, 0
	for uploading := true; uploading; {
		select {
		case cuts = <-proxy.cut:
		case lines := <-acknowledged:
			// What was acknowledged must last, and the next part is under way.
			if kills < ingestKills && lines > int64((kills+1)*uploadLines/(ingestKills+2)) {
				ingest.Kill()
				kills++
				ingest, _ = serve(addr)
			}
		case err := <-ended:
			if err != nil {
				t.Fatalf("after %d cuts and %d kills: %v", cuts, kills, err)
			}
			uploading = false
		}
	}
	for len(proxy.cut) > 0 {
		cuts = <-proxy.cut
	}
	if cuts != uploadCuts || kills != ingestKills {
		t.Fatalf("the upload was over after %d cuts and %d kills", cuts, kills)
	}

	// From the beginning once more: every line is there already.
	again, err := uploadAll(ctx, api, batch.ID)
	if err != nil || again.Accepted != 0 || again.Skipped != uploadLines || again.Watermark != uploadLines {
		t.Fatalf("the same upload again: %+v (%v)", again, err)
	}
	if _, err := api.StartBatch(ctx, batch.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := api.Await(ctx, batch.ID, 200*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	flagged := checkUpload(t, api, batch.ID, sim)
	t.Logf("%d lines through %d cuts and %d kills of ingest; flagged: %d", uploadLines, cuts, kills, flagged)
}

// uploadAll uploads every line from the first on, bad ones among them.
func uploadAll(ctx context.Context, api *client.Client, batch string, opts ...client.CallOption) (client.UploadResult, error) {
	up := api.Uploader(batch, 1, opts...)
	for line := 1; line <= uploadLines; line++ {
		r := client.Recipient{Token: token(line)}
		if bad(line) {
			r.Token = "not a token"
		}
		if err := up.Add(ctx, r); err != nil {
			return up.Total(), err
		}
	}
	return up.Flush(ctx)
}

func bad(line int) bool { return line%1000 == 0 }

// checkUpload holds the batch's report against the lines and against what the
// simulator accepted; it returns how many rows are flagged as possible duplicates.
func checkUpload(t *testing.T, api *client.Client, id string, sim programs.Simulator) (flagged int) {
	t.Helper()
	times, rows := sim.Accepted(t), make([]int, uploadLines+1)
	for d, err := range api.Report(t.Context(), id, client.DeliveryFilter{}) {
		if err != nil {
			t.Fatal(err)
		}
		if d.Line < 1 || d.Line > uploadLines {
			t.Fatalf("a row of line %d: %+v", d.Line, d)
		}
		rows[d.Line]++
		want, sends := client.ClassSent, 1
		if bad(int(d.Line)) {
			want, sends = client.ClassInvalid, 0
		}
		if d.PossibleDuplicate {
			flagged++
		}
		if n := times[token(int(d.Line))]; d.Class != want || n < sends || n > sends && !d.PossibleDuplicate {
			t.Errorf("line %d is %s %s, want %s, and was accepted %d times", d.Line, d.Class, d.Code, want, n)
		}
	}
	for line, n := range rows[1:] {
		if n != 1 {
			t.Errorf("line %d has %d rows", line+1, n)
		}
	}
	return flagged
}
