package sendapi

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/belfry-push/belfry/internal/message"
)

// Refusal makes FCM refuse what goes to one platform, or to all, for a reason that is not the address's: the project
// has no APNs key, or the message is bad. It holds until another for the platform, one without As, or Reset.
type Refusal struct {
	// Platform is that of the addresses which are refused: "ios" (sim-ios-*), "web" (sim-web-*), "android"
	// (sim-android-*), or "" for every address.
	Platform string
	// As is the reason: third_party_auth, topic, sender_id, too_large, field or unspecified. Empty: no more refusal.
	As string
}

// refusalAnswers builds the answers by their reason.
func refusalAnswers() map[string]*Answer {
	return map[string]*Answer{
		"third_party_auth": fromAPNs(http.StatusForbidden, "InvalidProviderToken"),
		"topic":            fromAPNs(http.StatusBadRequest, "TopicDisallowed"),
		"sender_id":        senderMismatch(),
		"too_large":        tooLarge(message.Limit),
		"field":            unacceptable(violation{Field: "message.android.ttl", Description: "Invalid ttl."}),
		"unspecified":      badCondition(),
	}
}

func (r Refusal) validate() error {
	var faults []error
	if r.Platform != "" && !slices.Contains(platforms(), r.Platform) {
		faults = append(faults, fmt.Errorf("platform: must be ios, web, android or nothing (got %q)", r.Platform))
	}
	if _, known := refusalAnswers()[r.As]; r.As != "" && !known {
		reasons := slices.Sorted(maps.Keys(refusalAnswers()))
		faults = append(faults, fmt.Errorf("as: must be one of %s, or nothing to end it (got %q)", strings.Join(reasons, ", "), r.As))
	}
	return errors.Join(faults...)
}

func platforms() []string { return []string{"ios", "web", "android"} }

// platformOf tells an address's platform by its look; "" for one that does not say.
func platformOf(address string) string {
	rest, ok := strings.CutPrefix(address, "sim-")
	if !ok {
		return ""
	}
	for _, p := range platforms() {
		if strings.HasPrefix(rest, p+"-") {
			return p
		}
	}
	return ""
}

// refusals are those that hold, by platform. It is safe for concurrent use.
type refusals struct {
	now atomic.Pointer[map[string]Verdict] // nil: none, and nothing to look up; never changed, only replaced
	mu  sync.Mutex                         // of writers
}

func (r *refusals) set(what Refusal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	next := map[string]Verdict{}
	if now := r.now.Load(); now != nil {
		maps.Copy(next, *now)
	}
	delete(next, what.Platform)
	if what.As != "" {
		next[what.Platform] = answered(refusalAnswers()[what.As])
	}
	if len(next) == 0 {
		r.now.Store(nil)
		return
	}
	r.now.Store(&next)
}

func (r *refusals) reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now.Store(nil)
}

// of returns what becomes of a send to an address.
func (r *refusals) of(address string) (Verdict, bool) {
	now := r.now.Load()
	if now == nil {
		return Verdict{}, false
	}
	if v, ok := (*now)[platformOf(address)]; ok {
		return v, true
	}
	v, ok := (*now)[""]
	return v, ok
}
