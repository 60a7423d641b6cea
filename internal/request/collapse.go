package request

import (
	"fmt"

	"github.com/belfry-push/belfry/internal/message"
	"github.com/belfry-push/belfry/internal/push"
)

// collapseID is the rule of a collapse_id. It becomes the apns-collapse-id
// header, a line of HTTP.
func collapseID(w *walker, v any) {
	s, ok := v.(string)
	switch {
	case !ok:
		w.wantType("a string", v)
	case s == "":
		w.fault(push.FaultValue, "must have 1..%d bytes (got 0)", MaxCollapseID)
	default:
		if why := checkCollapseID(s); why != "" {
			w.fault(push.FaultValue, "%s", why)
		}
	}
}

// checkCollapseID returns what is wrong with a collapse id, or "", as it is for
// none at all.
func checkCollapseID(id string) string {
	if len(id) > MaxCollapseID {
		return fmt.Sprintf("must have 1..%d bytes (got %d)", MaxCollapseID, len(id))
	}
	return message.CheckHeaderValue(id)
}
