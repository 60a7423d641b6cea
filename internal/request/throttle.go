package request

import (
	"github.com/belfry-push/belfry/internal/push"
)

// throttle is the rule of the request's field {"per_second": 1..MaxPerSecond}.
func throttle(w *walker, v any) {
	object(map[string]rule{"per_second": integer(1, push.MaxPerSecond)})(w, v)
	m, ok := v.(map[string]any)
	if _, given := m["per_second"]; ok && !given {
		w.fault(push.FaultMissing, "must have per_second: how many recipients are sent to in a second, 1..%d", push.MaxPerSecond)
	}
}

// throttleJSON is what a checked throttle is read into.
type throttleJSON struct {
	PerSecond int `json:"per_second"`
}
