package door_test

import (
	"net/http"
	"testing"

	"github.com/belfry-push/belfry/internal/httpapi/door"
)

func TestNoStreamUnlessAsked(t *testing.T) {
	t.Parallel()
	for _, accept := range []string{"", "*/*", "application/json", "application/x-ndjson;q=0", "application/x-ndjson;q=0.000", ";;"} {
		if door.WantsNDJSON(http.Header{"Accept": {accept}}) {
			t.Errorf("Accept: %s must not mean NDJSON", accept)
		}
	}
}
