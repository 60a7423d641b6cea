package crash

import (
	"encoding/json"
	"maps"
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

const (
	doomed, survivor = "acme", "rival"
	// unheard is how long after a tenant's deletion was answered something of it may still be sent: docs/tenants.md.
	unheard = 5 * time.Second
)

// TestKilledClosing deletes a tenant that has a batch on its way, hundreds that are being uploaded, and notifications of an app that is
// paused, and kills both ingest, which cancels them, and the dispatcher, which settles them, again and again. Everybody who was
// not sent to ends as cancelled; nothing is sent after the time that the documentation states; another tenant
// notices nothing.
func TestKilledClosing(t *testing.T) {
	t.Parallel()
	const waiting, drafts, bulk, kills, senders = 50, 300, 2000, 3, 16
	const all, accepted = waiting + drafts + 1, waiting + drafts + bulk
	dir := t.TempDir()
	sim := commands.Simulator(t, 20*time.Millisecond)
	store := []string{"BELFRY_DATA=" + dir, "BELFRY_VISIBILITY=2s", "BELFRY_LATE_AFTER=2s", "BELFRY_LOG_FORMAT=json"}
	serve := func(listen string) (*programs.Process, string) {
		p, rest := commands.Start(t, `"listen":"`, "ingest", store, "--listen", listen)
		addr, _, _ := strings.Cut(rest, `"`)
		return p, addr
	}
	dispatch := func() *programs.Process {
		env := slices.Concat(store, []string{"BELFRY_FCM_ENDPOINT=" + sim.Endpoint, "BELFRY_FCM_PER_SECOND=100", "BELFRY_BULK_CHUNKS=4"})
		p, _ := commands.Start(t, `"metrics":"`, "dispatcher", env, "--metrics-listen", "127.0.0.1:0")
		return p
	}
	ingest, addr := serve("127.0.0.1:0")
	dispatcher := dispatch()
	root, owner := tenantsOf(t, "http://"+addr)
	ctx, gone := t.Context(), owner[doomed]

	if _, err := gone.AddPause(ctx, client.PauseRequest{Scope: client.PauseApp, App: "shop"}); err != nil {
		t.Fatal(err)
	}
	pause(t, time.Second) // what a pause takes until it holds
	var g errgroup.Group
	g.SetLimit(senders)
	for i := range waiting {
		g.Go(func() error {
			_, err := gone.Send(ctx, client.Request{
				Message: json.RawMessage(killsMessage), To: &client.Target{Tokens: []string{"shop" + token(i)}}, App: "shop",
			})
			return err
		})
	}
	for i := range drafts { // which no dispatcher knows of: they are for closing alone
		g.Go(func() error {
			d, err := gone.CreateBatch(ctx, client.Request{Message: json.RawMessage(killsMessage)})
			if err == nil {
				line := strings.NewReader(`{"token":"draft` + token(i) + `"}` + "\n")
				_, err = gone.UploadRecipients(ctx, d.ID, line, client.UploadOptions{Offset: 1})
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	sendBatch(t, gone, bulk)
	to := &client.Target{Tokens: []string{survivor}}
	other, err := owner[survivor].Send(ctx, client.Request{Message: json.RawMessage(killsMessage), To: to})
	if err != nil {
		t.Fatal(err)
	}
	programs.WaitFor(t, "the batch to be on its way", func() bool { return sim.Stats(t).Accepted > 100 })
	if err := root.DeleteTenant(ctx, doomed); err != nil {
		t.Fatal(err)
	}
	deleted := time.Now()
	ingest.Kill() // nobody has ended anything yet
	pause(t, unheard)
	late := sentTo(t, sim)

	b, err := sqlite.Open(ctx, dir, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	pause(t, time.Until(deleted.Add(2*access.CacheFor))) // no round of closing begins before
	left := make([]int, 0, kills)
	for k := range kills {
		ingest, _ = serve(addr)
		programs.WaitFor(t, "cancelling", func() bool { return len(in(t, b, push.StateCancelled)) > k*drafts/(kills+1) })
		ingest.Kill()
		left = append(left, all-len(in(t, b, push.StateCancelled)))
	}
	if left[0] <= drafts/2 {
		t.Errorf("%d are left after the first kill: the others say little", left[0])
	}
	dispatcher.Kill() // while it settles what was cancelled
	dispatch()
	serve(addr)
	var outcomes map[push.Class]int64
	programs.WaitForMoment(t, 200*time.Millisecond, "the end of what the tenant had", func() bool {
		// What a dispatcher has in hand it refuses itself when it has heard of the deletion, and that is completed then.
		ended := in(t, b, push.StateCancelled, push.StateCompleted)
		outcomes = outcomesOf(t, b, ended)
		return len(ended) == all && outcomes[push.ClassOpen] == 0
	})
	now, sum := sentTo(t, sim), int64(0)
	if !maps.Equal(now, late) {
		t.Errorf("messages to %d were accepted %s after the deletion, to %d in the end", len(late), unheard, len(now))
	}
	for class, n := range outcomes {
		sum += n
		if n > 0 && class != push.ClassSent && class != push.ClassCancelled && class != push.ClassAmbiguous {
			t.Errorf("outcomes: %v", outcomes)
		}
	}
	if n := len(in(t, b, push.StateCancelled)); n < drafts {
		t.Errorf("%d are cancelled, of %d that were being uploaded", n, drafts)
	}
	if sent := outcomes[push.ClassSent]; sum != accepted || sent == 0 || sent > int64(len(now)) {
		t.Errorf("%d were accepted, FCM accepted messages to %d, outcomes: %v", accepted, len(now), outcomes)
	}
	n, err := owner[survivor].Await(ctx, other.ID, 50*time.Millisecond)
	if err != nil || n.Counts.Sent != 1 {
		t.Errorf("the other tenant's: %+v (%v)", n.Counts, err)
	}
	t.Logf("notifications left after each kill: %v; outcomes: %v; %s", left, outcomes, time.Since(deleted))
}

// tenantsOf makes both tenants, and returns clients of the operator and of their owners.
func tenantsOf(t *testing.T, url string) (root *client.Client, owner map[string]*client.Client) {
	t.Helper()
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	as := func(key string) *client.Client {
		c, err := client.New(url, key)
		must(err)
		return c
	}
	made, err := as("").CreateAPIKey(ctx, client.APIKeyRequest{Role: access.RoleOwner}) // before the second tenant closes the door
	must(err)
	root, owner = as(made.Key), map[string]*client.Client{}
	for _, name := range []string{doomed, survivor} {
		_, err := root.CreateTenant(ctx, client.TenantRequest{Name: name})
		must(err)
		k, err := root.CreateAPIKey(ctx, client.APIKeyRequest{Role: access.RoleOwner}, client.OfTenant(name))
		must(err)
		owner[name] = as(k.Key)
	}
	_, err = root.CreateApp(ctx, client.AppRequest{Name: "shop"}, client.OfTenant(doomed))
	must(err)
	return root, owner
}

// in are the notifications of the deleted tenant in one of these states.
func in(t *testing.T, b *sqlite.Backend, states ...push.State) (all []push.Notification) {
	t.Helper()
	for cursor := ""; ; {
		page, next, err := b.Store().Notifications(t.Context(), doomed, cursor, 200)
		if err != nil {
			t.Fatal(err)
		}
		for i := range page {
			if slices.Contains(states, page[i].Progress.State) {
				all = append(all, page[i])
			}
		}
		if cursor = next; cursor == "" {
			return all
		}
	}
}

// outcomesOf sums where the recipients of notifications stand. What no line accounts for is open.
func outcomesOf(t *testing.T, b *sqlite.Backend, all []push.Notification) map[push.Class]int64 {
	t.Helper()
	sum := map[push.Class]int64{}
	for i := range all {
		c, err := b.Store().Counts(t.Context(), all[i].ID)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Balance(all[i].Progress.Sources); err != nil {
			t.Errorf("%s: %v", all[i].ID, err)
		}
		for class, n := range c.ByClass() {
			sum[class] += n
		}
		sum[push.ClassOpen] += c.Unplanned(all[i].Progress.Sources)
	}
	return sum
}

// sentTo are the recipients of the deleted tenant that FCM has accepted a message for, and how often.
func sentTo(t *testing.T, sim programs.Simulator) map[string]int {
	t.Helper()
	times := sim.Accepted(t)
	delete(times, survivor)
	return times
}
