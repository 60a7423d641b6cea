package remote

import (
	"slices"
	"strings"
	"testing"
)

func TestUsageCommand(t *testing.T) {
	t.Parallel()
	f := newFakeAPI(t)
	for args, want := range map[string]string{
		"usage":         "acme",
		"usage -o json": `"billable_units":0`,
		"usage --csv --since 2026-11-01 --until 2026-12-01": "tenant,app\nacme,shop\n",
	} {
		r := belfry(t.Context(), f.URL, nil, strings.Fields(args)...)
		if r.Code != 0 || !strings.Contains(r.Out, want) {
			t.Errorf("belfry %s: %d %s%s", args, r.Code, r.Out, r.Err)
		}
	}
	if !slices.Contains(f.queries, "since=2026-11-01&until=2026-12-01") {
		t.Errorf("asked for %v", f.queries)
	}
	r := belfry(t.Context(), f.URL, nil, "usage", "--since", "whenever")
	if r.Code != 2 || !strings.Contains(r.Err, "--since: must be an age") {
		t.Errorf("%d %s", r.Code, r.Err)
	}
}
