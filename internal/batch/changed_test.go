package batch_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/belfry-push/belfry/internal/batch"
	"github.com/belfry-push/belfry/internal/push"
)

// Whoever follows is told once of what changed, with how it stands then, and nothing of what was so before or was refused.
func TestWhoFollowsIsToldOnce(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		do   []string
		want []string
	}{
		{
			"a life, with everything repeated",
			[]string{"upload", "start", "start", "pause", "pause", "resume", "resume", "start early", "cancel", "cancel", "resume"},
			[]string{"uploaded uploading 2", "started accepted 2", "paused paused 2", "resumed accepted 2", "cancelled cancelled 2"},
		},
		{
			"started early",
			[]string{"start early", "start early", "upload", "start", "start", "upload"},
			[]string{"started accepted 0", "uploaded accepted 2", "finished accepted 2"},
		},
		{"without recipients", []string{"start", "start"}, []string{"started accepted 0", "ended completed"}},
		{"cancelled without recipients", []string{"cancel", "cancel"}, []string{"cancelled cancelled 0", "ended cancelled"}},
		{"an upload of nothing", []string{"upload nothing"}, nil},
		{"an upload of nothing good", []string{"upload bad"}, []string{"uploaded uploading 0"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := open()
			cfg := w.config()
			var told []string
			cfg.Changed = func(change batch.Change, n *push.Notification) {
				told = append(told, fmt.Sprint(change, " ", n.Progress.State, " ", n.Progress.Sources))
			}
			cfg.Ended = func(_ context.Context, n *push.Notification) { told = append(told, "ended "+string(n.Progress.State)) }
			b := batch.New(cfg)
			uploads := map[string]string{"upload": "{\"token\":\"a\"}\n{\"token\":\"b\"}\n", "upload nothing": "\n", "upload bad": "{}\n"}
			for _, op := range c.do {
				if body, ok := uploads[op]; ok {
					_, _ = b.Upload(t.Context(), tenant, w.id, strings.NewReader(body), batch.Options{})
				} else {
					_, _ = operations[op](b, t.Context(), tenant, w.id) // what is refused tells nothing
				}
			}
			if !slices.Equal(told, c.want) {
				t.Errorf("told\n%q, want\n%q", told, c.want)
			}
		})
	}
}
