package sendapi

import (
	"strconv"
	"strings"
	"sync"
)

// script decides by the look of a token or installation id. It is safe for concurrent use.
type script struct {
	unregistered, invalid, mismatch, auth Verdict
	quota, unavailable, internal          Verdict
	device, topic                         Verdict // over their own quota

	mu   sync.Mutex
	seen recent[string, int] // how often a counted token has misbehaved
}

// newScript builds the scripted answers; retryAfter goes with those that ask to be tried again. It remembers at least so
// many tokens, 0 for all.
func newScript(retryAfter string, remembered int) *script {
	return &script{
		unregistered: answered(unregistered()),
		invalid:      answered(invalidToken()),
		mismatch:     answered(senderMismatch()),
		auth:         answered(thirdPartyAuth()),
		quota:        answered(quotaExceeded().withRetryAfter(retryAfter)),
		unavailable:  answered(unavailable().withRetryAfter(retryAfter)),
		internal:     answered(internal()),
		device:       answered(overQuota("device", "Device message rate exceeded.").withRetryAfter(retryAfter)),
		topic:        answered(overQuota("topic", "Topic message rate exceeded.").withRetryAfter(retryAfter)),
		seen:         newRecent[string, int](remembered),
	}
}

// verdict returns the scripted verdict for an address, and false for an ordinary one. A dry run meets the permanent
// errors, as FCM checks the token then too, but not the passing ones, and uses none of them up.
func (s *script) verdict(address string, dryRun bool) (Verdict, bool) {
	kind, rest, ok := scripted(address)
	if !ok {
		return Verdict{}, false
	}
	if v, ok := s.permanent(kind, rest); ok {
		return v, true
	}
	var v Verdict
	switch kind {
	case "quota":
		v = s.quota
	case "devicequota":
		v = s.device
	case "unavailable":
		v = s.unavailable
	case "internal":
		v = s.internal
	case "hang":
		v = Verdict{code: codeHang, Fate: FateHang}
	case "drop":
		v = Verdict{code: codeDrop, Fate: FateDrop}
	default:
		return Verdict{}, false
	}
	return v, !dryRun && s.times(address, rest)
}

// topicVerdict is verdict for a topic's name. Topics that look like scripted tokens are ordinary.
func (s *script) topicVerdict(name string, dryRun bool) (Verdict, bool) {
	kind, rest, _ := scripted(name)
	return s.topic, kind == "topicquota" && !dryRun && s.times(name, rest)
}

// permanent returns what an address always gets.
func (s *script) permanent(kind, rest string) (Verdict, bool) {
	switch kind {
	case "unregistered":
		return s.unregistered, true
	case "invalid":
		return s.invalid, true
	case "mismatch":
		return s.mismatch, true
	case "auth":
		return s.auth, true
	case "apns":
		code, rest, _ := strings.Cut(rest, "-")
		reason, _, ok := strings.Cut(rest, "-")
		status, err := strconv.ParseUint(code, 10, 10)
		if ok && err == nil {
			return answered(fromAPNs(int(status), reason)), true
		}
	case "credential":
		if reason, _, ok := strings.Cut(rest, "-"); ok {
			return answered(refusedCredential(reason)), true
		}
	}
	return Verdict{}, false
}

// scripted takes an address apart: sim-kind-rest.
func scripted(address string) (kind, rest string, ok bool) {
	if rest, ok = strings.CutPrefix(address, "sim-"); !ok {
		return "", "", false
	}
	return strings.Cut(rest, "-")
}

// times reports whether an address with the rest N-… misbehaves once more.
func (s *script) times(address, rest string) bool {
	times, _, ok := strings.Cut(rest, "-")
	n, err := strconv.ParseUint(times, 10, 31)
	return ok && err == nil && s.countMisbehavior(address, int(n))
}

// countMisbehavior reports whether the address has misbehaved less than n times, and counts this time.
func (s *script) countMisbehavior(address string, n int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	before, _ := s.seen.get(address)
	if before >= n {
		return false
	}
	s.seen.set(strings.Clone(address), before+1)
	return true
}

// reset forgets how often tokens have misbehaved.
func (s *script) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen.clear()
}
