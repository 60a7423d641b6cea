package push

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"
)

func TestOutageOf(t *testing.T) {
	t.Parallel()
	cause := errors.New("disk I/O error")
	full := WithOutage(OutageFull, cause)
	for _, c := range []struct {
		name string
		err  error
		want Outage
	}{
		{"nil", nil, ""},
		{"anything else", cause, ""},
		{"a lost condition", ErrConflict, ""},
		{"marked", full, OutageFull},
		{"marked deep below", fmt.Errorf("create: %w", errors.Join(errors.New("x"), fmt.Errorf("y: %w", full))), OutageFull},
		{"marked twice: the inner one stands", WithOutage(OutageDown, fmt.Errorf("wrapped: %w", full)), OutageFull},
		{"a deadline", fmt.Errorf("query: %w", context.DeadlineExceeded), OutageTimeout},
		{"marked, by a deadline", WithOutage(OutageBusy, context.DeadlineExceeded), OutageBusy},
		{"given up", context.Canceled, ""},
		{"marked as none", WithOutage("", cause), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := OutageOf(c.err); got != c.want {
				t.Errorf("outage %q, want %q", got, c.want)
			}
		})
	}
	if WithOutage(OutageFull, nil) != nil {
		t.Error("no error became one")
	}
	if full.Error() != cause.Error() || !errors.Is(full, cause) {
		t.Errorf("%v does not read as its cause", full)
	}
}

func TestOutagesSayWhenToComeBack(t *testing.T) {
	t.Parallel()
	for _, o := range []Outage{
		OutageBusy, OutageFull, OutageReadOnly, OutageThrottled, OutageTimeout, OutageDown, OutageAccess, OutageClosing,
	} {
		// The Go client waits for at most a minute between tries.
		if d := o.RetryAfter(); d < time.Second || d > 30*time.Second || d%time.Second != 0 {
			t.Errorf("%s: %v", o, d)
		}
	}
}
