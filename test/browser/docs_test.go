package browser

import (
	"strings"
	"testing"
)

// The page of /docs draws the API's operations under its own policy, which lets it
// load nothing from elsewhere.
func TestDocumentationIsDrawn(t *testing.T) {
	t.Parallel()
	chromium(t)
	v := newVictim(t)
	page := dump(t, v.API+"/docs", "--virtual-time-budget=30000")
	for _, want := range []string{"/v1/notifications/{id}/cancel", "Authorize", "opblock-summary"} {
		if !strings.Contains(strings.ReplaceAll(strings.ReplaceAll(page, "\u200b", ""), "<wbr>", ""), want) {
			t.Errorf("the page does not show %q: %.2000s", want, page)
		}
	}
}
