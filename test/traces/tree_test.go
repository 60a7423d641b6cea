package traces

import (
	"testing"

	sdk "go.opentelemetry.io/otel/sdk/trace"

	"github.com/belfry-push/belfry/internal/config"
)

// TestSingle follows one notification from the request to the event of its outcome.
func TestSingle(t *testing.T) {
	t.Parallel()
	h := open(t, config.BackendEmbedded, sdk.AlwaysSample())
	n := h.send("one")
	h.tree(n.ID, `
POST /v1/notifications (server)
  process notifications (consumer)
    process deliveries-high (consumer)
      POST projects/{project}/messages:send (client) sent
      send outcomes (producer) push.delivery.outcome.v1
      send outcomes (producer) push.notification.completed.v1
`)
}
