package table

import (
	"errors"
	"strings"
	"testing"

	"github.com/belfry-push/belfry/internal/push"
)

func TestKindNames(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for k := KindUnknown; k <= KindCancelled; k++ {
		if name := k.String(); seen[name] || strings.HasPrefix(name, "Kind(") {
			t.Errorf("kind %d is called %q", k, name)
		} else {
			seen[name] = true
		}
	}
	if KindOf(errors.New("other")) != KindUnknown || KindOf(nil) != KindUnknown {
		t.Error("an error of another package has a kind")
	}
	if classify("PutItem", "table", nil) != nil {
		t.Error("no error became one")
	}
}

// Who waits for a call learns what its failure means.
func TestOutagesOfKinds(t *testing.T) {
	t.Parallel()
	for kind, want := range map[Kind]push.Outage{
		KindThrottled: push.OutageThrottled, KindUnavailable: push.OutageDown, KindCredentials: push.OutageAccess,
		KindNoTable: "", KindDenied: "", KindInvalid: "", KindUnknown: "", KindCancelled: "",
	} {
		if kind.outage() != want {
			t.Errorf("%s is the outage %q, want %q", kind, kind.outage(), want)
		}
	}
}
