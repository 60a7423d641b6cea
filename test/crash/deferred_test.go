package crash

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/adapter/sqlite"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/test/programs"
)

// What a dispatcher has in hand in these tests, and a kill may repeat: so many notifications of one recipient; of a batch one
// chunk, with the requests under way and the results of a checkpoint.
const (
	singles   = 8
	chunkOnce = inFlight + 50
)

// deferring are the processes of a tenant whose work waits for its quota.
type deferring struct {
	sim   programs.Simulator
	store []string
	data  *sqlite.Backend
	api   *client.Client
}

// startDeferring has all that is over a quota wait, and starts ingest: afterwards, so that it has nothing to notice.
func startDeferring(t *testing.T, quota client.Settings) *deferring {
	t.Helper()
	dir := t.TempDir()
	d := &deferring{sim: commands.Simulator(t, 20*time.Millisecond)}
	d.store = []string{"BELFRY_DATA=" + dir, "BELFRY_VISIBILITY=2s", "BELFRY_LOG_FORMAT=json"}
	b, err := sqlite.Open(t.Context(), dir, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	d.data = b
	set := access.Settings{
		NotificationsPerMinute: quota.NotificationsPerMinute, QueuedRecipients: quota.QueuedRecipients, OverQuota: new(access.OverDefer),
	}
	if _, err := access.New(b.Store(), nil).SetPlatform(t.Context(), set, "the test"); err != nil {
		t.Fatal(err)
	}
	_, rest := commands.Start(t, `"listen":"`, "ingest", d.store, "--listen", "127.0.0.1:0")
	listen, _, _ := strings.Cut(rest, `"`)
	if d.api, err = client.New("http://"+listen, ""); err != nil {
		t.Fatal(err)
	}
	return d
}

// dispatch starts what plans, and so starts, what waits.
func (d *deferring) dispatch(t *testing.T) *programs.Process {
	t.Helper()
	env := slices.Concat(d.store, []string{
		"BELFRY_FCM_ENDPOINT=" + d.sim.Endpoint, fmt.Sprintf("BELFRY_HIGH_CHUNKS=%d", singles),
		"BELFRY_BULK_CHUNKS=1", fmt.Sprintf("BELFRY_BULK_WINDOW=%d", inFlight),
	})
	p, _ := commands.Start(t, `"metrics":"`, "dispatcher", env, "--metrics-listen", "127.0.0.1:0")
	return p
}

// sentOnce holds the deliveries of one notification against what the simulator accepted, and returns how many were sent again.
func (d *deferring) sentOnce(t *testing.T, id string, times map[string]int, token func(client.Delivery) string) (again int) {
	t.Helper()
	for row, err := range d.api.Deliveries(t.Context(), id, client.DeliveryFilter{}) {
		if err != nil {
			t.Fatal(err)
		}
		n := times[token(row)]
		if row.Class != client.ClassSent || n == 0 || n > 1 && !row.PossibleDuplicate {
			t.Errorf("%s line %d is %s %s (possible duplicate: %v), and was accepted %d times", id, row.Line, row.Class, row.Code,
				row.PossibleDuplicate, n)
		}
		again += max(0, n-1)
	}
	return again
}

// TestKilledDeferral kills the dispatcher while notifications that were accepted over a quota wait for their turn: each is started
// once, none before the quota has room, and what the kills repeat is flagged.
func TestKilledDeferral(t *testing.T) {
	t.Parallel()
	// A minute's worth is there at once; then a notification each 100 ms.
	const aMinute, over, kills, senders = 600, 60, 4, 16
	d := startDeferring(t, client.Settings{NotificationsPerMinute: new(int64(aMinute))})
	victim, begun := d.dispatch(t), time.Now()
	var ids []string
	waiting := 0
	for waiting < over/2 { // while accepting took long, the quota went on: then there are some more
		if len(ids) > 2*aMinute {
			t.Fatalf("%d of %d are deferred", waiting, len(ids))
		}
		more := over
		if len(ids) == 0 {
			more += aMinute
		}
		sent := make([]client.Notification, more)
		var g errgroup.Group
		g.SetLimit(senders)
		for i := range sent {
			g.Go(func() (err error) {
				sent[i], err = d.api.Send(t.Context(), client.Request{
					Message: json.RawMessage(`{"notification":{"title":"in turn"}}`), To: &client.Target{Tokens: []string{token(len(ids) + i)}},
				})
				return err
			})
		}
		if err := g.Wait(); err != nil {
			t.Fatal(err)
		}
		for i := range sent {
			ids = append(ids, sent[i].ID)
			if sent[i].Deferred {
				waiting++
			}
		}
	}
	started := func() int { s := d.sim.Stats(t); return int(s.Accepted - s.Duplicates) }
	within := func(when string) {
		t.Helper()
		n := started()
		if most := aMinute + aMinute*time.Since(begun).Minutes(); float64(n) > most*1.01 {
			t.Errorf("%s: %d were started in %s, at most %.0f are allowed", when, n, time.Since(begun), most)
		}
	}
	for k := range kills {
		from := len(ids) - waiting
		programs.WaitFor(t, "turns", func() bool { return started() >= from+(k+1)*waiting/(kills+2) })
		victim.Kill()
		within(fmt.Sprint("kill ", k+1))
		victim = d.dispatch(t)
	}
	for _, id := range ids {
		n, err := d.api.Await(t.Context(), id, 50*time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		if c := n.Counts; n.State != client.StateCompleted || c == nil || c.Accepted != 1 || c.Sent != 1 || c.Open != 0 {
			t.Errorf("%s is %s: %+v", id, n.State, n.Counts)
		}
	}
	within("in the end")
	times, again := d.sim.Accepted(t), 0
	for i, id := range ids {
		again += d.sentOnce(t, id, times, func(client.Delivery) string { return token(i) })
	}
	if len(times) != len(ids) || again > kills*singles {
		t.Errorf("the simulator accepted messages to %d, of %d, and %d repeats", len(times), len(ids), again)
	}
	t.Logf("%d notifications, %d deferred, %d kills, %d repeats, in %s", len(ids), waiting, kills, again, time.Since(begun))
}

// TestKilledDeferredBatch kills the dispatcher while a batch waits page by page for room in its tenant's queue. What a kill leaves
// counted and not planned is put back: otherwise the batch would wait for ever; and no more than the quota is ever open.
func TestKilledDeferredBatch(t *testing.T) {
	t.Parallel()
	const open, pages, kills = 100, 4, 3
	const all = open * pages
	d := startDeferring(t, client.Settings{QueuedRecipients: new(int64(open))})
	batch := sendBatch(t, d.api, all)
	begun := time.Now()
	planned := func() (done int64) {
		c, err := d.data.Store().Counts(t.Context(), push.ID(batch))
		if err != nil {
			t.Fatal(err)
		}
		if n := c.ByCode[push.CodeOpen]; n > open {
			t.Errorf("%d are open, at most %d are allowed", n, open)
		}
		return c.Recipients
	}
	for k := range kills {
		victim := d.dispatch(t)
		programs.WaitFor(t, "pages", func() bool { return planned() >= int64((k+1)*open) })
		victim.Kill()
	}
	d.dispatch(t)
	programs.WaitFor(t, "the rest", func() bool { return planned() == all })
	final, err := d.api.Await(t.Context(), batch, 100*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	if c := final.Counts; c == nil || c.Accepted != all || c.Sent != all || c.Open != 0 {
		t.Fatalf("counts: %+v", final.Counts)
	}
	times := d.sim.Accepted(t)
	again := d.sentOnce(t, batch, times, func(row client.Delivery) string { return token(int(row.Line)) })
	if len(times) != all || again > kills*chunkOnce {
		t.Errorf("the simulator accepted messages to %d, of %d, and %d repeats", len(times), all, again)
	}
	t.Logf("%d recipients in pages of %d, %d kills, %d repeats, in %s", all, open, kills, again, time.Since(begun))
}
