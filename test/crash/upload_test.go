package crash

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/belfry-push/belfry/client"
)

const (
	uploadLines = 100_000
	uploadCuts  = 20
	uploadKills = 5
	badEvery    = 1000 // one line in so many is bad
)

// TestUploadSurvives uploads a large batch through a proxy that cuts its
// connections, while ingest is killed and started again. Afterwards every line
// has exactly one row in the report, and the simulator saw each recipient once,
// but for rows that are flagged.
func TestUploadSurvives(t *testing.T) {
	t.Parallel()
	_, rest := start(t, `"endpoint":"`, "belfry", nil, "sim", "--sim-listen", "127.0.0.1:0", "--sim-latency", "1ms", "--log-format", "json")
	endpoint, _, _ := strings.Cut(rest, `"`)
	store := []string{"BELFRY_DATA=" + t.TempDir(), "BELFRY_LOG_FORMAT=json"}
	listen := freeAddress(t)
	ingest := func() *process {
		p, _ := start(t, `"listen":"`, "ingest", store, "--listen", listen)
		return p
	}
	victim := ingest()
	door := startProxy(t, listen, uploadCuts, 1<<20)
	api, err := client.New("http://"+door.listener.Addr().String(), "", client.WithRetry(client.Retry{Attempts: 100, Base: 100 * time.Millisecond, Max: time.Second}))
	if err != nil {
		t.Fatal(err)
	}
	batch, err := api.CreateBatch(t.Context(), client.Request{Message: json.RawMessage(`{"notification":{"title":"crash"}}`), Priority: "bulk"})
	if err != nil {
		t.Fatal(err)
	}

	// Parts of a tenth of the lines each; in the first ones ingest is killed
	// after a random while.
	parts := make(chan time.Duration, uploadKills)
	killed := make(chan int)
	go func() {
		n := 0
		for after := range parts {
			pause := time.NewTimer(after)
			<-pause.C
			victim.kill()
			victim = ingest()
			n++
		}
		killed <- n
	}()
	chance := rand.New(rand.NewPCG(3, 4))
	noisy := rand.NewChaCha8([32]byte{5})
	asked := 0
	up := api.Uploader(batch.ID, 1, client.WithCompression(client.Gzip()), client.WithUploadProgress(func(r client.UploadResult) {
		if asked < uploadKills && r.Watermark >= int64(asked*uploadLines/(uploadKills+2)) {
			asked++
			parts <- time.Duration(chance.IntN(60)) * time.Millisecond
		}
	}))
	for i := 1; i <= uploadLines; i++ {
		noise := make([]byte, 70) // as hard to compress as a real token
		_, _ = noisy.Read(noise)
		line := fmt.Appendf(nil, `{"token":"upload-%06d-%x"}`, i, noise)
		if i%badEvery == 0 {
			line = fmt.Appendf(nil, `{"token":"not a token %d"}`, i)
		}
		if err := up.AddLine(t.Context(), line); err != nil {
			t.Fatal(err)
		}
	}
	total, err := up.Flush(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	close(parts)
	kills := <-killed
	t.Logf("%d connections cut, ingest killed %d times: %d accepted, %d invalid, %d skipped", uploadCuts-door.left.Load(), kills, total.Accepted, total.Invalid, total.Skipped)
	if total.Watermark != uploadLines || door.left.Load() > 0 || kills != uploadKills {
		t.Errorf("watermark %d", total.Watermark)
	}

	start(t, `"metrics":"`, "dispatcher", slices.Concat(store, []string{"BELFRY_FCM_ENDPOINT=" + endpoint}), "--metrics-listen", "127.0.0.1:0")
	if _, err := api.StartBatch(t.Context(), batch.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := api.Await(t.Context(), batch.ID, 200*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	checkReport(t, api, batch.ID, tokens(t, strings.TrimSuffix(endpoint, "/v1")))
}

// checkReport holds the report against the upload and what the simulator
// accepted, by token.
func checkReport(t *testing.T, api *client.Client, id string, times map[string]int) {
	t.Helper()
	byLine := make([]int, uploadLines+1)
	for name, n := range times {
		var line int
		if _, err := fmt.Sscanf(name, "upload-%06d-", &line); err != nil {
			t.Fatalf("%q: %v", name, err)
		}
		byLine[line] += n
	}
	rows := make([]int, uploadLines+1)
	for d, err := range api.Report(t.Context(), id, client.DeliveryFilter{}) {
		if err != nil {
			t.Fatal(err)
		}
		if d.Line < 1 || d.Line > uploadLines {
			t.Fatalf("a row of line %d: %+v", d.Line, d)
		}
		rows[d.Line]++
		want, sends := "sent", 1
		if d.Line%badEvery == 0 {
			want, sends = client.ClassInvalid, 0
		}
		if n := byLine[d.Line]; d.Class != want || n < sends || n > sends && !d.PossibleDuplicate {
			t.Fatalf("line %d is %s %s, want %s, and was accepted %d times", d.Line, d.Class, d.Code, want, n)
		}
	}
	for line, n := range rows[1:] {
		if n != 1 {
			t.Fatalf("line %d has %d rows", line+1, n)
		}
	}
}

// freeAddress returns an address that a process can listen on again and again.
func freeAddress(t *testing.T) string {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}
