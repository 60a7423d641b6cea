package devices

import (
	"strings"

	"github.com/belfry-push/belfry/internal/push"
)

// floorKey returns the least key that an id behind the given text may have, false if all
// ids of devices that only sends know come before it.
func floorKey(after string) (uint64, bool) {
	const (
		prefix = push.PrefixDevice + "_"
		form   = "xxxxxxxx-xxxx" // the first 48 bits; nobody has the same but by intent
		digits = "0123456789abcdef"
		bits   = 64
	)
	if after <= prefix {
		return 0, true
	}
	rest, ok := strings.CutPrefix(after, prefix)
	if !ok {
		return 0, after < prefix
	}
	var key uint64
	shift := bits
	next := func() (uint64, bool) { // the least key behind all that begin with what was read
		step := uint64(1) << shift
		return key + step, shift < bits && key+step > key
	}
	for i := range min(len(form), len(rest)) {
		if form[i] == '-' {
			switch {
			case rest[i] > '-':
				return next()
			case rest[i] < '-':
				return key, true
			}
			continue
		}
		least := strings.IndexFunc(digits, func(d rune) bool { return d >= rune(rest[i]) })
		if least < 0 {
			return next()
		}
		shift -= 4
		key |= uint64(least) << shift
		if digits[least] != rest[i] {
			return key, true
		}
	}
	return key, true
}
