package crash

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/adapter/sqlite"
	"github.com/belfry-push/belfry/internal/audit"
	"github.com/belfry-push/belfry/test/programs"
)

// TestKilledAcceptance kills ingest while many clients have notifications accepted: every notification that there is has
// exactly one entry in the audit log, whether or not its client got the answer, and there is no entry of any other.
func TestKilledAcceptance(t *testing.T) {
	t.Parallel()
	const clients, kills, between = 16, 4, 60 // kills after so many answers
	dir := t.TempDir()
	serve := func(listen string) (*programs.Process, string) {
		p, rest := commands.Start(t, `"listen":"`, "ingest", []string{"BELFRY_DATA=" + dir, "BELFRY_LOG_FORMAT=json"}, "--listen", listen)
		addr, _, _ := strings.Cut(rest, `"`)
		return p, addr
	}
	ingest, addr := serve("127.0.0.1:0")
	api, err := client.New("http://"+addr, "", client.WithRetry(client.Retry{Attempts: 1})) // a repeat would be one more call
	if err != nil {
		t.Fatal(err)
	}
	answers, over := make(chan string), make(chan struct{})
	var senders sync.WaitGroup
	for range clients {
		senders.Go(func() {
			for {
				n, err := api.Send(t.Context(), client.Request{
					Message: json.RawMessage(`{"notification":{"title":"killed"}}`), To: &client.Target{Tokens: []string{token(rand.IntN(1000))}},
				})
				id := ""
				if err == nil { // otherwise it is being killed, or does not listen yet
					id = n.ID
				}
				select {
				case answers <- id:
				case <-over:
					return
				}
			}
		})
	}
	answered := map[string]bool{}
	for range kills {
		for got := 0; got < between; {
			if id := <-answers; id != "" {
				answered[id] = true
				got++
			}
		}
		ingest.Kill()
		ingest, _ = serve(addr)
	}
	ingest.Kill()
	close(over)
	senders.Wait()

	b, err := sqlite.Open(t.Context(), dir, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	entries := map[string]int{}
	for from := int64(1); ; {
		blocks, err := b.Store().AuditBlocks(t.Context(), "default", from, 100)
		if err != nil {
			t.Fatal(err)
		}
		if len(blocks) == 0 {
			break
		}
		for i := range blocks {
			for _, l := range blocks[i].Lines {
				var e audit.Entry
				if err := json.Unmarshal(l.Entry, &e); err != nil {
					t.Fatal(err)
				}
				if e.Action == "createNotification" && e.Status < 400 {
					entries[e.Target.ID]++
				}
			}
			from = blocks[i].Head.Seq + 1
		}
	}
	for id := range answered {
		if entries[id] == 0 {
			t.Errorf("%s was accepted and has no entry", id)
		}
	}
	found := 0
	for after := ""; ; {
		page, next, err := b.Store().Notifications(t.Context(), "default", after, 100)
		if err != nil {
			t.Fatal(err)
		}
		for i := range page {
			found++
			if n := entries[string(page[i].ID)]; n != 1 {
				t.Errorf("%s has %d entries, want one", page[i].ID, n)
			}
		}
		if after = next; next == "" {
			break
		}
	}
	if len(entries) != found || found < len(answered) {
		t.Errorf("%d notifications, %d of them answered, and entries of %d", found, len(answered), len(entries))
	}
	t.Logf("%d notifications, %d answered before one of %d kills", found, len(answered), kills+1)
	if err := b.Close(); err != nil {
		t.Error(err)
	}
}
