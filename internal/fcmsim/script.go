package fcmsim

import (
	"strconv"
	"strings"
	"sync"
)

// script decides by the look of a token or installation id. It is safe for concurrent use.
type script struct {
	unregistered, invalid, mismatch, auth verdict
	quota, unavailable, internal          verdict

	mu   sync.Mutex
	seen map[string]int // how often a counted token has misbehaved
}

// newScript builds the scripted answers; retryAfter goes with those that ask to be tried again.
func newScript(retryAfter string) *script {
	return &script{
		unregistered: answered(unregistered()),
		invalid:      answered(invalidToken()),
		mismatch:     answered(senderMismatch()),
		auth:         answered(thirdPartyAuth()),
		quota:        answered(quotaExceeded().withRetryAfter(retryAfter)),
		unavailable:  answered(unavailable().withRetryAfter(retryAfter)),
		internal:     answered(internal()),
		seen:         make(map[string]int),
	}
}

// play returns the scripted verdict for an address, and false for an ordinary one. A dry run meets the permanent
// errors, as FCM checks the token then too, but not the passing ones, and uses none of them up.
func (s *script) play(address string, dryRun bool) (verdict, bool) {
	rest, ok := strings.CutPrefix(address, "sim-")
	if !ok {
		return verdict{}, false
	}
	kind, rest, ok := strings.Cut(rest, "-")
	if !ok {
		return verdict{}, false
	}
	switch kind {
	case "unregistered":
		return s.unregistered, true
	case "invalid":
		return s.invalid, true
	case "mismatch":
		return s.mismatch, true
	case "auth":
		return s.auth, true
	}
	var v verdict
	switch kind {
	case "quota":
		v = s.quota
	case "unavailable":
		v = s.unavailable
	case "internal":
		v = s.internal
	case "hang":
		v = verdict{code: codeHang, fate: fateHang}
	case "drop":
		v = verdict{code: codeDrop, fate: fateDrop}
	default:
		return verdict{}, false
	}
	times, _, ok := strings.Cut(rest, "-")
	n, err := strconv.ParseUint(times, 10, 31)
	if !ok || err != nil || dryRun || !s.again(address, int(n)) {
		return verdict{}, false
	}
	return v, true
}

// again reports whether the address has misbehaved less than n times, and counts this time.
func (s *script) again(address string, n int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen[address] >= n {
		return false
	}
	s.seen[strings.Clone(address)]++
	return true
}

// reset forgets how often tokens have misbehaved.
func (s *script) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.seen)
}
