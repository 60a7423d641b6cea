package replay

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

// Edits change what is sent, not what is stored: the notification keeps its
// message, and the replay records the patch with samples of before and after.
type Edits struct {
	// Priority chooses the lane: "" is the replay lane, on which dead letters
	// never stand before live traffic.
	Priority push.Priority `json:"priority,omitempty"`
	// Patch is an RFC 6902 JSON Patch that is applied to each message.
	Patch json.RawMessage `json:"patch,omitempty"`
	// ExpireAfter gives every letter a new deadline, counted from when it is sent
	// again; 0 keeps the notification's. At most push.MaxTTL.
	ExpireAfter time.Duration `json:"expire_after,omitempty"`
}

// Options say how a run goes about it. The zero value sends everything at once
// as fast as it can.
type Options struct {
	// Canary is the share of letters, 0..1, that is sent first; the rest follows
	// when all of their outcomes are known. The choice depends on nothing but the
	// letters' ids, so it goes across tenants and causes. 0 sends no canary.
	Canary float64 `json:"canary,omitempty"`
	// Rate is in letters per second, 0 for no limit. One message to the delivery
	// queue holds at most one second's worth, up to 500.
	Rate float64 `json:"rate,omitempty"`
	// StopIfRefail stops the run when more than this share, 0..1, of the letters
	// with a known outcome failed again; 0 never stops. It also bounds how many
	// letters may be without an outcome at a time.
	StopIfRefail float64 `json:"stop_if_refail,omitempty"`
	// Max is how many letters are sent at most, 0 for all.
	Max int64 `json:"max,omitempty"`
}

// check returns what is wrong with the options.
func (o *Options) check() push.Faults {
	var faults push.Faults
	share := func(pointer string, v float64) {
		if !(v >= 0 && v <= 1) {
			faults = append(faults, push.Fault{Pointer: pointer, Code: push.FaultValue, Detail: fmt.Sprintf("must be a share in 0..1 (got %v)", v)})
		}
	}
	share("/canary", o.Canary)
	share("/stop_if_refail", o.StopIfRefail)
	const fastest = 1_000_000
	if !(o.Rate >= 0 && o.Rate <= fastest) || o.Rate > 0 && o.Rate < 0.01 {
		faults = append(faults, push.Fault{Pointer: "/rate", Code: push.FaultValue, Detail: fmt.Sprintf("must be 0 (no limit) or 0.01..%d letters per second (got %v)", fastest, o.Rate)})
	}
	if o.Max < 0 {
		faults = append(faults, push.Fault{Pointer: "/max", Code: push.FaultValue, Detail: fmt.Sprintf("must not be negative (got %d)", o.Max)})
	}
	return faults
}

// check returns what is wrong with the edits, whatever they are applied to.
func (e *Edits) check() push.Faults {
	var faults push.Faults
	switch e.Priority {
	case "", push.PriorityHigh, push.PriorityNormal, push.PriorityBulk:
	default:
		faults = append(faults, push.Fault{Pointer: "/edits/priority", Code: push.FaultValue, Detail: fmt.Sprintf("must be high, normal or bulk (got %q)", e.Priority)})
	}
	if e.ExpireAfter < 0 || e.ExpireAfter > push.MaxTTL {
		faults = append(faults, push.Fault{Pointer: "/edits/expire_after", Code: push.FaultValue, Detail: fmt.Sprintf("must be 0..%v (got %v)", push.MaxTTL, e.ExpireAfter)})
	}
	if len(e.Patch) > 0 {
		if _, err := parsePatch(e.Patch); err != nil {
			faults = append(faults, push.Fault{Pointer: "/edits/patch", Code: push.FaultValue, Detail: err.Error()})
		}
	}
	return faults
}

// queue returns the delivery queue on which edited letters travel.
func (e *Edits) queue() string {
	switch e.Priority {
	case push.PriorityHigh:
		return push.QueueHigh
	case push.PriorityNormal, push.PriorityBulk:
		return push.QueueBulk
	}
	return push.QueueReplay
}
