package wire_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
)

const sampleEvent = `{"specversion":"1.0","id":"1","source":"/shop","type":"push.notification.requested.v1","data":{"to":{}}}`

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
		{"a bad time", over{"time": "yesterday"}, "/time value;"},
		{"a number for a time", over{"time": 7}, "/time type;"},
		{"a number for an id", over{"id": 7}, "/id type;"},
		{"an object for a source", over{"source": over{}}, "/source type;"},
		{
			"names in another case",
			over{"ID": "2", "Data": over{}, "dataBase64": "", "trace_parent": ""},
			"/Data unknown;/ID unknown;/dataBase64 unknown;/trace_parent unknown;",
		},
		{
			"all of it",
			over{"id": nil, "source": nil, "specversion": nil, "type": nil, "data": nil},
			"/id missing;/source missing;/specversion missing;/type value;/data missing;",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := wire.DecodeEvent(with(t, sampleEvent, c.over))
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

// What is wrong with an event is said in its own words.
func TestDecodeEventReadsTextStrictly(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, in, want string }{
		{"null is absent", strings.Replace(sampleEvent, `"id"`, `"subject":null,"time":null,"data_base64":null,"id"`, 1), ""},
		{"a byte order mark", "\xef\xbb\xbf" + sampleEvent, ""},
		{
			"not UTF-8", strings.Replace(sampleEvent, "/shop", "/sh\xf6p", 1),
			"/source: not a CloudEvent in structured JSON: must be UTF-8 (byte 43 is 0xf6)",
		},
		{"half an emoji", strings.Replace(sampleEvent, "/shop", `/\udd14`, 1), `/source: not a CloudEvent in structured JSON: \udd14 at byte`},
		{"an id twice", strings.Replace(sampleEvent, `"id"`, `"id":"2","id"`, 1), "/id: not a CloudEvent in structured JSON: is there twice"},
		{
			"data not UTF-8", strings.Replace(sampleEvent, `{"to":{}}`, "{\"to\":{\"user_ids\":[\"Fran\xe7ois\"]}}", 1),
			"/data/to/user_ids/0: not a CloudEvent",
		},
		{"not an object", `[]`, "not a CloudEvent in structured JSON: it must be an object"},
		{"null", `null`, "not a CloudEvent in structured JSON: it must be an object"},
		{"not JSON", `hello`, "not a CloudEvent in structured JSON: not valid JSON: 'h' at byte 0"},
		{"a wrong type", strings.Replace(sampleEvent, `"1.0"`, `1`, 1), "/specversion: must be a string (got a number)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := wire.DecodeEvent([]byte(c.in))
			if (err == nil) != (c.want == "") || err != nil && !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

func TestStamp(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 29, 12, 0, 0, 5e8, time.UTC)
	for in, want := range map[string]string{
		sampleEvent:               "{\"time\":\"2026-11-29T12:00:00.5Z\"," + sampleEvent[1:],
		" \n{\"a\":{\"time\":1}}": `{"time":"2026-11-29T12:00:00.5Z","a":{"time":1}}`,
		`{"time":null}`:           `{"time":"2026-11-29T12:00:00.5Z"}`,
		`{"time":"", "data": {"a": "<&>"}, "a\nb":1.0}`: `{"a\nb":1.0,"data":{"a": "<&>"},"time":"2026-11-29T12:00:00.5Z"}`,
		`{"time":"x"}`:     `{"time":"x"}`,
		`{}`:               `{}`,
		`[1]`:              `[1]`,
		"{\"a\":\"\xff\"}": "{\"a\":\"\xff\"}",
	} {
		if got := string(wire.Stamp([]byte(in), at)); got != want {
			t.Errorf("Stamp(%s) = %s", in, got)
		}
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
		{"a wrapped event with a byte order mark", "\xef\xbb\xbf" + sns, `{"a":1}`, false},
		{
			"an event that has SNS's names in lower case", `{"type":"Notification","topicarn":"arn","message":"x"}`,
			`{"type":"Notification","topicarn":"arn","message":"x"}`, false,
		},
		{
			"a wrapper that is not UTF-8", `{"Type":"Notification","TopicArn":"arn","Message":"` + "\xff" + `"}`,
			`{"Type":"Notification","TopicArn":"arn","Message":"` + "\xff" + `"}`, false,
		},
		{"a raw event", sampleEvent, sampleEvent, false},
		{"not JSON", "\x00", "\x00", false},
		{"an empty body", "", "", false},
		{"a confirmation", `{"Type":"SubscriptionConfirmation","TopicArn":"arn","Message":"You have chosen to subscribe"}`, "", true},
		{"a wrapper without message", `{"Type":"Notification","TopicArn":"arn"}`, "", true},
		{"something else with a type", `{"Type":"Notification"}`, `{"Type":"Notification"}`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := wire.Unwrap([]byte(c.in))
			if faults := push.Faults(nil); errors.As(err, &faults) != c.fault || string(got.Event) != c.want {
				t.Errorf("got %q, %v", got.Event, err)
			}
		})
	}
}
