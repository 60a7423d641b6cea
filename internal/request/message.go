package request

import (
	"encoding/json"
	"strings"

	"github.com/belfry-push/belfry/internal/message"
	"github.com/belfry-push/belfry/internal/push"
)

// maxMessageBytes bounds the whole object, platform overrides included. FCM
// documents no figure for that; 16 KiB keeps a notification in one item of
// every backend.
const maxMessageBytes = 16 << 10

// DecodeMessage checks an FCM message strictly, by the description that the
// sender and the simulator share ([message.Check]), and that it is within FCM's
// limit for devices. Errors are [Faults] with pointers below the given prefix
// ("/message").
func DecodeMessage(data []byte, prefix string) (push.Message, error) {
	tree, faults := decodeTree(data)
	if faults != nil {
		faults[0].Pointer = prefix + faults[0].Pointer
		return nil, faults
	}
	w := &walker{path: splitPointer(prefix)}
	checkMessage(w, tree)
	if len(w.faults) == 0 {
		checkMessageSize(w, tree, message.Delivery{}, message.Limit)
	}
	if len(w.faults) > 0 {
		return nil, w.faults
	}
	b, err := encodeTree(tree)
	return push.Message(b), err
}

func splitPointer(p string) []string {
	if p == "" {
		return nil
	}
	return strings.Split(strings.TrimPrefix(p, "/"), "/")
}

// checkMessage is the rule of a message, but for its size.
func checkMessage(w *walker, v any) { w.add(message.Check(v, w.path...)) }

// checkMessageSize looks at a message that has no other fault.
func checkMessageSize(w *walker, v any, d message.Delivery, limit int) {
	m, _ := v.(map[string]any)
	w.add(message.CheckSize(m, d, limit, w.path...))
	if raw, err := json.Marshal(v); err == nil && len(raw) > maxMessageBytes && len(w.faults) == 0 {
		w.fault(push.FaultTooLarge, "must be at most %d bytes as JSON (got %d)", maxMessageBytes, len(raw))
	}
}

// add takes over the faults of a message.
func (w *walker) add(faults []message.Fault) {
	for _, f := range faults {
		if len(w.faults) < maxFaults {
			w.faults = append(w.faults, push.Fault(f))
		}
	}
}

// dataKey refuses the names that FCM keeps for itself.
func dataKey(w *walker, key string) {
	if code, why := message.CheckDataKey(key); why != "" {
		w.fault(code, "%s", why)
	}
}

func refuse(code, why string) rule {
	return func(w *walker, _ any) { w.fault(code, "%s", why) }
}
