package wire_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
)

// written returns what an encoder wrote.
func written(t interface {
	Helper()
	Fatal(args ...any)
}, encode func() ([]byte, error),
) []byte {
	t.Helper()
	b, err := encode()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// redriven is a line of a file that commit f0383fa wrote: a dead letter that was
// moved back to its queue so many times, and wrapped each time.
type redriven struct {
	Queue string
	Kind  string
	Depth int
	Body  string
}

func readRedriven(t *testing.T) (all []redriven) {
	t.Helper()
	f, err := os.Open("testdata/redriven-f0383fa.ndjson")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var r redriven
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	if len(all) != 16 || lines.Err() != nil {
		t.Fatalf("%d lines (%v)", len(all), lines.Err())
	}
	return all
}

// What older versions wrapped, once or thrice, is the letter that it was.
func TestContentsOfWhatWasWrapped(t *testing.T) {
	t.Parallel()
	kinds := map[string]wire.Kind{"recipients": wire.KindUndelivered, "task": wire.KindTask, "event": wire.KindEvent, "chunk": wire.KindChunk}
	first := map[string]push.DeadLetter{}
	for _, r := range readRedriven(t) {
		c, err := wire.Contents([]byte(r.Body))
		if err != nil || c.Letter == nil || c.Kind != kinds[r.Kind] || c.Queue() != r.Queue || !c.Wrapped {
			t.Errorf("%s, %d times wrapped: %q of %q (%v)", r.Kind, r.Depth, c.Kind, c.Queue(), err)
			continue
		}
		if r.Depth == 0 {
			first[r.Kind] = *c.Letter
		}
		same(t, *c.Letter, first[r.Kind], err)
		if !bytes.Equal(c.Body, first[r.Kind].Body) {
			t.Errorf("%s, %d times wrapped: another body", r.Kind, r.Depth)
		}
		if r.Kind == "recipients" && (len(c.Undelivered.Chunk.Recipients) != 20 || len(c.Undelivered.Codes) != 20) {
			t.Errorf("%d recipients", len(c.Undelivered.Chunk.Recipients))
		}
	}
}

func TestContents(t *testing.T) {
	t.Parallel()
	event := []byte(sampleEvent)
	sns := func(body []byte) []byte {
		b, err := json.Marshal(map[string]string{"Type": "Notification", "TopicArn": "arn:aws:sns:x", "Message": string(body)})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	in := func(queue string, code push.Code, body []byte) []byte {
		return written(t, func() ([]byte, error) {
			return wire.EncodeDeadLetter(&push.DeadLetter{Queue: queue, ID: "7", Code: code, Body: body, SentAt: at, At: at})
		})
	}
	file := func(name string) []byte { return written(t, envelopes()[name]) }
	newer := func(b []byte) []byte { return bytes.Replace(b, []byte(`"v":1`), []byte(`"v":9`), 1) }
	for _, c := range []struct {
		name  string
		body  []byte
		kind  wire.Kind
		queue string
		err   error
	}{
		{"nothing", nil, wire.KindForeign, "", nil},
		{"text", []byte("hello"), wire.KindForeign, "", nil},
		{"a page", file("recipients"), wire.KindForeign, "", nil},
		{"a task", file("task"), wire.KindTask, push.QueueNotifications, nil},
		{"a newer task", newer(file("task")), wire.KindTask, push.QueueNotifications, nil},
		{"a chunk", file("chunk"), wire.KindChunk, push.QueueReplay, nil},
		{"a chunk that an editor printed", []byte("{\n \"type\" : \"chunk\", \"v\" : 1\n}"), wire.KindChunk, push.QueueReplay, nil},
		{"an event", event, wire.KindEvent, push.QueueEvents, nil},
		{
			"an event with an attribute v", bytes.Replace(event, []byte(`"specversion"`), []byte(`"v":"x","specversion"`), 1), wire.KindEvent,
			push.QueueEvents, nil,
		},
		{"an event of SNS", sns(event), wire.KindEvent, push.QueueEvents, nil},
		{"an outgoing event", file("event"), wire.KindForeign, "", nil},
		{"a dead event of SNS", in(push.QueueEvents, push.CodePayloadInvalid, sns(event)), wire.KindEvent, push.QueueEvents, nil},
		{"a dead event that came by SNS", sns(in(push.QueueEvents, push.CodePayloadInvalid, event)), wire.KindEvent, push.QueueEvents, nil},
		{"a dead task without a queue", in("", push.CodeUnexpandable, file("task")), wire.KindTask, push.QueueNotifications, nil},
		{"a dead chunk of the high lane", in(push.QueueHigh, push.CodeUnexpandable, file("chunk")), wire.KindChunk, push.QueueHigh, nil},
		{"dead bytes", in(push.QueueBulk, push.CodeUndecodable, []byte{0xff, 0}), wire.KindForeign, push.QueueBulk, nil},
		{"recipients", in(push.QueueBulk, push.CodeAttemptsExhausted, file("undelivered")), wire.KindUndelivered, push.QueueBulk, nil},
		{"recipients under another code", in(push.QueueBulk, push.CodeUndecodable, file("undelivered")), wire.KindForeign, push.QueueBulk, nil},
		{
			"recipients of a newer program", in(push.QueueBulk, push.CodePoison, newer(file("undelivered"))), wire.KindForeign, push.QueueBulk,
			push.ErrNewerSchema,
		},
		{"a newer letter", newer(file("dead-letter")), wire.KindForeign, "", push.ErrNewerSchema},
		{
			"a newer letter in one of ours", in(push.QueueBulk, push.CodeUndecodable, newer(file("dead-letter"))), wire.KindForeign, push.QueueBulk,
			push.ErrNewerSchema,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := wire.Contents(c.body)
			if got.Kind != c.kind || got.Queue() != c.queue || !errors.Is(err, c.err) {
				t.Errorf("%q of %q (%v), want %q of %q (%v)", got.Kind, got.Queue(), err, c.kind, c.queue, c.err)
			}
		})
	}
}

// However often a letter is wrapped, and in whatever, it is found as it was.
func TestContentsHoweverDeep(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := push.DeadLetter{
			Queue: rapid.SampledFrom(push.Queues()).Draw(t, "queue"), ID: rapid.StringMatching(`[a-z0-9]{1,8}`).Draw(t, "id"),
			Code: push.CodeUndecodable,
			Body: rapid.SliceOf(rapid.Byte()).Draw(t, "body"), Receives: 1, SentAt: at, At: at,
		}
		body := written(t, func() ([]byte, error) { return wire.EncodeDeadLetter(&want) })
		for i := range rapid.IntRange(0, 12).Draw(t, "layers") {
			if rapid.Bool().Draw(t, "by SNS") {
				b, err := json.Marshal(map[string]string{"Type": "Notification", "TopicArn": "a", "Message": string(body)})
				if err != nil {
					t.Fatal(err)
				}
				body = b
				continue
			}
			outer := push.DeadLetter{Queue: push.QueueEvents, ID: string(rune('a' + i)), Code: push.CodeUndecodable, Body: body, SentAt: at, At: at}
			body = written(t, func() ([]byte, error) { return wire.EncodeDeadLetter(&outer) })
		}
		c, err := wire.Contents(body)
		if err != nil || c.Letter == nil {
			t.Fatalf("%+v (%v)", c, err)
		}
		if diff := cmp.Diff(want, *c.Letter, cmpopts.EquateEmpty()); diff != "" {
			t.Fatal(diff)
		}
	})
}

// Looking into a message ends, whatever it was made to hold.
func FuzzContents(f *testing.F) {
	seed(f, sampleEvent, `{"Type":"Notification","TopicArn":"a","Message":"{\"v\":1,\"type\":\"task\"}"}`)
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := wire.Contents(data)
		if err != nil && !errors.Is(err, push.ErrNewerSchema) {
			t.Fatalf("error %v is not newer", err)
		}
		if !c.Wrapped && !bytes.Equal(c.Body, data) || c.Letter != nil && !c.Wrapped ||
			(c.Undelivered != nil) != (c.Kind == wire.KindUndelivered) {
			t.Fatalf("%+v", c)
		}
	})
}
