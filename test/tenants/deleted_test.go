package tenants

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/app"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/test/programs"
	"github.com/belfry-push/belfry/test/sandbox"
)

// pauseHolds is twice as long as it takes at most until no request begins after a pause.
const pauseHolds = 2 * time.Second

// TestDeletedTenant: a tenant is deleted while it has a notification that is paused, and a batch that
// is being uploaded; both end as cancelled, and so does every recipient. Another tenant's go on.
func TestDeletedTenant(t *testing.T) {
	t.Parallel()
	s := sandbox.Start(t, 1, zap.NewNop())
	w := &world{t: t, url: s.API, keys: map[string]string{}}
	b, err := app.Opener(s.Store, zap.NewNop())(t.Context(), prometheus.NewRegistry())
	w.must(err)
	t.Cleanup(func() { w.must(b.Close(context.Background())) })
	ctx, message := t.Context(), json.RawMessage(`{"notification":{"title":"Hi"}}`)

	made, err := w.client("").CreateAPIKey(ctx, client.APIKeyRequest{Role: access.RoleOwner})
	w.must(err)
	root, owner := w.client(made.Key), map[string]*client.Client{}
	for _, name := range []string{acme, rival} {
		_, err := root.CreateTenant(ctx, client.TenantRequest{Name: name})
		w.must(err)
		k, err := root.CreateAPIKey(ctx, client.APIKeyRequest{Role: access.RoleOwner}, client.OfTenant(name))
		w.must(err)
		owner[name] = w.client(k.Key)
	}
	_, err = owner[acme].AddPause(ctx, client.PauseRequest{Scope: client.PauseTenant})
	w.must(err)
	<-time.NewTimer(pauseHolds).C
	to := &client.Target{Tokens: []string{"a", "b", "c"}}
	waiting, err := owner[acme].Send(ctx, client.Request{To: to, Message: message})
	w.must(err)
	other, err := owner[rival].Send(ctx, client.Request{To: to, Message: message})
	w.must(err)
	uploading, err := owner[acme].CreateBatch(ctx, client.Request{Message: message})
	w.must(err)

	w.must(root.DeleteTenant(ctx, acme))
	programs.WaitFor(t, "the end of what the tenant had under way", func() bool {
		n, err := b.Store.Notification(ctx, push.ID(waiting.ID))
		w.must(err)
		u, err := b.Store.Notification(ctx, push.ID(uploading.ID))
		w.must(err)
		c, err := b.Store.Counts(ctx, n.ID)
		w.must(err)
		return n.Progress.State == push.StateCancelled && u.Progress.State == push.StateCancelled && c.ByCode[push.CodeCancelled] == 3
	})
	programs.WaitFor(t, "the sends of the other tenant", func() bool {
		n, err := owner[rival].Notification(ctx, other.ID)
		w.must(err)
		return n.Counts.Sent == 3
	})
}
