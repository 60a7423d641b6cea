package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/url"
)

// TailKind is what an event of a tail is about. Servers may add kinds.
type TailKind string

// The kinds of event of a tail.
const (
	TailAccepted    TailKind = "accepted"    // a notification or batch was accepted
	TailChanged     TailKind = "changed"     // somebody started, paused, resumed or cancelled one
	TailOutcome     TailKind = "outcome"     // nothing of a chunk of one is open any more
	TailCompleted   TailKind = "completed"   // nothing of one is open any more
	TailHeld        TailKind = "held"        // FCM refuses it for everybody, and it waits
	TailReconciled  TailKind = "reconciled"  // the janitor mended it
	TailQuarantined TailKind = "quarantined" // a device's address is dead
	TailBreaker     TailKind = "breaker"     // sends through a credential are held back, tried or let through
	TailCredential  TailKind = "credential"  // Google does not take a credential any more
	TailReplay      TailKind = "replay"      // a replay was started, stopped and so on
	TailAudit       TailKind = "audit"       // the audit log has another entry
	// TailGap says that events are missing here. It has a [TailGap] and no [Event].
	TailGap TailKind = "gap"
)

// TailKinds lists the kinds that can be asked for.
func TailKinds() []TailKind {
	return []TailKind{
		TailAccepted, TailChanged, TailOutcome, TailCompleted, TailHeld, TailReconciled, TailQuarantined, TailBreaker, TailCredential,
		TailReplay, TailAudit,
	}
}

// TailFilter chooses what is followed: what is empty chooses all, and what is given must all hold, of a list one of it.
type TailFilter struct {
	Kinds   []TailKind
	Tenant  string   // for the operator's key
	App     string   // of the tenant
	IDs     []string // of notifications, batches or replays
	Labels  []string // name=value, or name; all of them
	Codes   []string // outcome codes, or families of them such as fcm
	Classes []string // of outcome codes

	// After is the Position of the event behind which it begins; "" is now.
	After string
	// Broke is told why a connection broke, if it is not nil: it is made again.
	Broke func(err error)
}

// TailEvent is one event of a tail.
type TailEvent struct {
	Kind     TailKind `json:"kind"`
	Position string   `json:"position"`          // for [TailFilter].After
	Missing  *Missing `json:"missing,omitempty"` // of a gap
	Event    *Event   `json:"event,omitempty"`   // otherwise
}

// Missing says that events are missing.
type Missing struct {
	// Events is how many, at most; nil if nobody has counted them, or others' are among them.
	Events *int64 `json:"events"`
}

// Tail follows what happens, until ctx ends or the loop is left. A connection that breaks is made again and goes on where it
// was; a gap says what that, or a slow loop, has missed. An error is the last pair.
func (c *Client) Tail(ctx context.Context, f TailFilter) iter.Seq2[TailEvent, error] {
	return func(yield func(TailEvent, error) bool) {
		w := follower{c: c, what: "tail", path: "/v1/events", query: f.query(), last: f.After, broke: f.Broke}
		w.moved = func(id string) { w.last = id }
		w.take = func(e sseEvent) (bool, error) {
			if e.id != "" {
				w.last = e.id
			}
			t := TailEvent{Kind: TailKind(e.name), Position: w.last}
			var err error
			if t.Kind == TailGap {
				err = json.Unmarshal([]byte(e.data), &t.Missing)
			} else {
				err = json.Unmarshal([]byte(e.data), &t.Event)
			}
			if err != nil {
				return false, fmt.Errorf("decode an event: %w", err)
			}
			if !yield(t, nil) {
				return true, errStopRanging
			}
			return true, nil
		}
		if err := w.run(ctx); err != nil && !errors.Is(err, errStopRanging) {
			yield(TailEvent{}, err)
		}
	}
}

func (f *TailFilter) query() url.Values {
	q := url.Values{}
	for _, k := range f.Kinds {
		q.Add("type", string(k))
	}
	for name, values := range map[string][]string{"id": f.IDs, "label": f.Labels, "code": f.Codes, "class": f.Classes} {
		if len(values) > 0 {
			q[name] = values
		}
	}
	for name, value := range map[string]string{"tenant": f.Tenant, "app": f.App} {
		if value != "" {
			q.Set(name, value)
		}
	}
	return q
}
