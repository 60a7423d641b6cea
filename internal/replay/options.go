package replay

import (
	"fmt"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/replay/predict"
)

// What [Careful] chooses.
const (
	CarefulCanary = 0.01 // of the letters are sent first,
	CarefulLeast  = 10   // at least so many,
	CarefulMost   = 0.5  // but at most this share;
	CarefulStop   = 0.2  // and the run stops when more than this share failed again
)

// Careful returns the canary and the limit of refailures for a replay that sends so many
// letters, where nobody chose others.
func Careful(sends int64) Options {
	canary := max(CarefulCanary, CarefulLeast/float64(max(sends, 1)))
	return Options{Canary: min(canary, CarefulMost), StopIfRefail: CarefulStop}
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
	faults = append(faults, predict.CheckRate(o.Rate)...)
	if o.Max < 0 {
		faults = append(faults, push.Fault{Pointer: "/max", Code: push.FaultValue, Detail: fmt.Sprintf("must not be negative (got %d)", o.Max)})
	}
	return faults
}
