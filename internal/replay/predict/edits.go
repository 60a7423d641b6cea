package predict

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/strict"
)

// Edits change what is sent, not what is stored: the notification keeps its
// message, and the replay records the patch with samples of before and after.
type Edits struct {
	// Priority chooses the lane: "" is the replay lane, on which dead letters
	// never stand before live traffic.
	Priority push.Priority `json:"priority,omitempty"`
	// Patch is an RFC 6902 JSON Patch that is applied to each message.
	Patch json.RawMessage `json:"patch,omitempty"`
	// ExpireAfter gives every letter a new deadline, counted from the time at which it is
	// sent again; 0 keeps the notification's. At most push.MaxTTL.
	ExpireAfter time.Duration `json:"expire_after,omitempty"`
}

// check returns what is wrong with the edits, whatever they are applied to.
func (e *Edits) check() push.Faults {
	var faults push.Faults
	lanes := []string{string(push.PriorityHigh), string(push.PriorityNormal), string(push.PriorityBulk)}
	if lane := string(e.Priority); lane != "" && !slices.Contains(lanes, lane) {
		faults = append(faults, push.Fault{
			Pointer: "/edits/priority", Code: push.FaultValue,
			Detail: fmt.Sprintf("must be high, normal or bulk (got %q)%s", clip(lane), strict.DidYouMean(lane, lanes)),
		})
	}
	if e.ExpireAfter < 0 || e.ExpireAfter > push.MaxTTL {
		faults = append(faults,
			push.Fault{
				Pointer: "/edits/expire_after", Code: push.FaultValue, Detail: fmt.Sprintf("must be 0..%v (got %v)", push.MaxTTL, e.ExpireAfter),
			})
	}
	if len(e.Patch) > 0 {
		_, bad := readPatch(e.Patch)
		faults = append(faults, bad.Below("/edits/patch")...)
	}
	return faults
}

// Queue returns the delivery queue on which edited letters travel.
func (e *Edits) Queue() string {
	switch e.Priority {
	case push.PriorityHigh:
		return push.QueueHigh
	case push.PriorityNormal, push.PriorityBulk:
		return push.QueueBulk
	}
	return push.QueueReplay
}

// CheckRate returns what is wrong with a rate in letters per second.
func CheckRate(rate float64) push.Faults {
	const fastest = 1_000_000
	if !(rate >= 0 && rate <= fastest) || rate > 0 && rate < 0.01 {
		return push.Faults{
			{
				Pointer: "/rate", Code: push.FaultValue,
				Detail: fmt.Sprintf("must be 0 (no limit) or 0.01..%d letters per second (got %v)", fastest, rate),
			},
		}
	}
	return nil
}
