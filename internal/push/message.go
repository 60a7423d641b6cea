package push

import (
	"encoding/json"
	"time"

	"github.com/belfry-push/belfry/internal/message"
)

// MaxTTL is the longest that FCM keeps a message.
const MaxTTL = message.MaxTTL * time.Second

// Message is an FCM HTTP v1 Message object without its target, as compact JSON
// that request.DecodeMessage has checked. It is passed through whole.
type Message json.RawMessage

// MarshalJSON implements [json.Marshaler].
func (m Message) MarshalJSON() ([]byte, error) { return json.RawMessage(m).MarshalJSON() }

// UnmarshalJSON implements [json.Unmarshaler]. It does not check the message:
// storage and the wire hold checked ones.
func (m *Message) UnmarshalJSON(b []byte) error { return (*json.RawMessage)(m).UnmarshalJSON(b) }
