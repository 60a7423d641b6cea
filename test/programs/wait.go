package programs

import (
	"testing"
	"time"
)

// patience is how long a test waits for anything. It ends a test that hangs, and is
// no bound of what is proven.
const patience = 4 * time.Minute

// WaitFor looks every few milliseconds until the condition holds, and ends the
// test after four minutes.
func WaitFor(tb testing.TB, what string, done func() bool) {
	tb.Helper()
	const every = 10 * time.Millisecond
	WaitForMoment(tb, every, what, done)
}

// WaitForMoment is [WaitFor] for conditions that soon pass.
func WaitForMoment(tb testing.TB, every time.Duration, what string, done func() bool) {
	tb.Helper()
	tick := time.NewTicker(every)
	defer tick.Stop()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-tb.Context().Done():
			tb.Fatalf("waited for %s until the test was over", what)
		case <-limit.C:
			tb.Fatalf("waited %v for %s", patience, what)
		}
	}
}
