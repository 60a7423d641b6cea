package push

// MaxPerSecond is the highest throttle of a batch: a hundred times FCM's default
// quota of 10,000 messages a second, so that a larger number is a slip.
const MaxPerSecond = 1_000_000

// throttle is the rule of the request's field {"per_second": 1..MaxPerSecond}.
func throttle(w *walker, v any) {
	object(map[string]rule{"per_second": integer(1, MaxPerSecond)})(w, v)
	m, ok := v.(map[string]any)
	if _, given := m["per_second"]; ok && !given {
		w.fault(FaultMissing, "must have per_second: how many recipients are sent to in a second, 1..%d", MaxPerSecond)
	}
}

// throttleJSON is what a checked throttle is read into.
type throttleJSON struct {
	PerSecond int `json:"per_second"`
}
