package sharedrate

import (
	"errors"
	"fmt"
	"time"
)

// Limit is what a bucket gives.
type Limit struct {
	Tokens int64         // refilled every Per, evenly; 0 is an allotment: Burst, once
	Per    time.Duration // 1 ms..24 h if Tokens is not 0
	Burst  int64         // how many it holds at most; 1..maxTokens

	// Recover is the time in which a rate of nothing would grow back to all of it, by equal amounts in equal times, after a
	// [Bucket.Cut]: up to 24 h; 0: it is not cut.
	Recover time.Duration
	// Period is what an allotment is for, such as a day; "" if it is for ever. A bucket that is asked for a later one, by its
	// text, is full again.
	Period string
}

// maxTokens keeps millionths of tokens within an int64.
const maxTokens = 1_000_000_000_000

// Validate names every field that is out of range.
func (l Limit) Validate() error {
	var faults []error
	if l.Tokens < 0 || l.Tokens > maxTokens {
		faults = append(faults, fmt.Errorf("tokens must be 0..%d (got %d)", int64(maxTokens), l.Tokens))
	}
	if l.Tokens > 0 && (l.Per < time.Millisecond || l.Per > 24*time.Hour) {
		faults = append(faults, fmt.Errorf("per must be 1ms..24h (got %v)", l.Per))
	}
	if l.Burst < 1 || l.Burst > maxTokens {
		faults = append(faults, fmt.Errorf("burst must be 1..%d (got %d)", int64(maxTokens), l.Burst))
	}
	if l.Recover < 0 || l.Recover > 24*time.Hour {
		faults = append(faults, fmt.Errorf("recover must be 0..24h (got %v)", l.Recover))
	}
	return errors.Join(faults...)
}

// rate returns the tokens a second; 0 for an allotment.
func (l Limit) rate() float64 {
	if l.Tokens == 0 {
		return 0
	}
	return float64(l.Tokens) / l.Per.Seconds()
}

// takes returns how long the rate needs for n tokens; an allotment never gets them.
func (l Limit) takes(n float64) time.Duration {
	rate := l.rate()
	switch {
	case n <= 0:
		return 0
	case rate == 0 || n/rate > never.Seconds():
		return never
	}
	return time.Duration(n / rate * float64(time.Second))
}

// never is the wait for what does not come.
const never = 100 * 365 * 24 * time.Hour
