package remote

import (
	"testing"

	"github.com/belfry-push/belfry/internal/cli/display"
)

func TestQuota(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t)
	belfry(t.Context(), api.URL, nil, "quota", "--tenant", "acme", "--app", "shop").Expect(t, display.ExitOK, "recipients_per_day")
	belfry(t.Context(), api.URL, nil, "quota").Expect(t, display.ExitOK, "app acme/shop")
	belfry(t.Context(), api.URL, nil, "quota", "-o", "json").Expect(t, display.ExitOK, `"left":70`)
	if len(api.queries) != 3 || api.queries[0] != "app=shop&tenant=acme" {
		t.Error(api.queries)
	}
}
