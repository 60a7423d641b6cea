package wire_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
)

const request = `{"specversion":"1.0","id":"1","source":"/shop","type":"push.notification.requested.v1","data":{"to":{}}}`

func TestDecodeEvent(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		over  over
		fault string // "pointer code" of every fault, in order; "" for none
	}{
		{"nothing wrong", over{}, ""},
		{"a later minor version", over{"specversion": "1.1"}, ""},
		{"extensions", over{"partitionkey": "x", "sequence": 7}, ""},
		{"no id", over{"id": nil}, "/id missing;"},
		{"no source", over{"source": ""}, "/source missing;"},
		{"a source with a line break", over{"source": "a\nb"}, "/source value;"},
		{"no version", over{"specversion": nil}, "/specversion missing;"},
		{"an old version", over{"specversion": "0.3"}, "/specversion value;"},
		{"another type", over{"type": "com.example.thing"}, "/type value;"},
		{"no data", over{"data": nil}, "/data missing;"},
		{"binary data", over{"data": nil, "data_base64": "e30="}, "/data_base64 unsupported;"},
		{"a bad time", over{"time": "yesterday"}, " syntax;"},
		{"a number for an id", over{"id": 7}, " syntax;"},
		{"all of it", over{"id": nil, "source": nil, "specversion": nil, "type": nil, "data": nil}, "/id missing;/source missing;/specversion missing;/type value;/data missing;"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := wire.DecodeEvent(with(t, request, c.over))
			got := ""
			if faults := push.Faults(nil); errors.As(err, &faults) {
				got = pointers(faults)
			} else if err != nil {
				t.Fatalf("an error that is no fault: %v", err)
			}
			if got != c.fault {
				t.Errorf("faults %q, want %q", got, c.fault)
			}
		})
	}
}

func pointers(faults push.Faults) string {
	var s strings.Builder
	for _, f := range faults {
		s.WriteString(f.Pointer + " " + f.Code + ";")
	}
	return s.String()
}

// TestEventKey: different events never share an idempotency key.
func TestEventKey(t *testing.T) {
	t.Parallel()
	part := rapid.StringMatching(`[ab\n:]{1,4}`)
	rapid.Check(t, func(t *rapid.T) {
		decode := func() (wire.Event, bool) {
			e := wire.Event{Source: part.Draw(t, "source"), ID: part.Draw(t, "id"), Type: wire.EventRequested, Data: json.RawMessage(`{}`)}
			body, err := wire.EncodeEvent(&e)
			if err != nil {
				t.Fatal(err)
			}
			got, err := wire.DecodeEvent(body)
			return got, err == nil
		}
		a, okA := decode()
		b, okB := decode()
		if okA && okB && (a.Key() == b.Key()) != (a.Source == b.Source && a.ID == b.ID) {
			t.Fatalf("%q %q and %q %q have the keys %q and %q", a.Source, a.ID, b.Source, b.ID, a.Key(), b.Key())
		}
	})
}

func TestUnwrap(t *testing.T) {
	t.Parallel()
	const sns = `{"Type":"Notification","MessageId":"m","TopicArn":"arn:aws:sns:eu-west-1:1:events","Message":"{\"a\":1}","Signature":"x"}`
	for _, c := range []struct {
		name, in, want string
		fault          bool
	}{
		{"a wrapped event", sns, `{"a":1}`, false},
		{"a raw event", request, request, false},
		{"not JSON", "\x00", "\x00", false},
		{"an empty body", "", "", false},
		{"a confirmation", `{"Type":"SubscriptionConfirmation","TopicArn":"arn","Message":"You have chosen to subscribe"}`, "", true},
		{"a wrapper without message", `{"Type":"Notification","TopicArn":"arn"}`, "", true},
		{"something else with a type", `{"Type":"Notification"}`, `{"Type":"Notification"}`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := wire.Unwrap([]byte(c.in))
			if faults := push.Faults(nil); errors.As(err, &faults) != c.fault || string(got) != c.want {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}
