package wire_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/test/raced"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestMain(m *testing.M) { raced.Main(m) }

const (
	ntfID = "ntf_01890a5d-ac96-774b-bcce-b302099a8057"
	batID = "bat_01890a5d-ac96-774b-bcce-b302099a8058"
	trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
)

var at = time.Date(2026, 11, 21, 9, 30, 0, 123_000_000, time.UTC)

func token(v string) push.Address { return push.Address{Kind: push.KindToken, Value: push.Token(v)} }

// bare is a chunk as it is first sent: consecutive lines, nothing special.
func bare() push.Chunk {
	return push.Chunk{
		Ref: push.ChunkRef{Notification: batID, Seq: 4097}, Tenant: "acme", Attempt: 1, Index: []int{0, 1, 2},
		Recipients: []push.Recipient{{Address: token("a:1"), Line: 7}, {Address: token("b:2"), Line: 8}, {Address: token("c:3"), Line: 9}},
	}
}

// late is a chunk as it comes back after trouble: gaps, uneven attempts, every
// kind of override.
func late() push.Chunk {
	return push.Chunk{
		Ref: push.ChunkRef{Notification: ntfID, Seq: 0}, Tenant: "ünï",
		Attempt: 3, Turn: 4, NotBefore: at.Add(time.Hour), Wait: 45 * time.Minute, Since: at, LastCode: push.CodeFCMUnavailable,
		Index: []int{0, 3, 499}, Attempts: []int{3, 1, 2},
		Recipients: []push.Recipient{
			{Address: token(`q"\<>&`), Line: 1, UserID: "zoë", DeviceID: "dev-1", Renew: true},
			{Address: push.Address{Kind: push.KindFID, Value: "fid-22"}, Line: 1, UserID: "zoë", DeviceID: "dev-2", Locale: "pt-BR"},
			{Address: token("z"), Line: 40, Data: map[string]string{"greeting": "hi 🎉", "a": "\x7f\u2028"}, CollapseID: "score", Renew: true},
		},
	}
}

func undelivered() *wire.Undelivered {
	return &wire.Undelivered{
		Chunk: late(), Codes: []push.Code{push.CodeFCMUnavailable, push.CodeNetTimeout, push.CodeOpen},
		Detail: []string{"busy", "", "Çok meşgul"},
	}
}

func letter() *push.DeadLetter {
	return &push.DeadLetter{
		Queue: push.QueueEvents, ID: "5f0c", Code: push.CodeUndecodable, Detail: "not a CloudEvent: ↯", Body: []byte{0, 0xff, '{', '"'},
		Group:    "acme",
		Receives: 2, SentAt: at, At: at.Add(time.Second), Software: "1.2.3",
	}
}

// cutLetter is one whose message was too large.
func cutLetter() *push.DeadLetter {
	d := letter()
	d.Body, d.Bytes, d.Sum = []byte("the beginning"), 1<<20, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	return d
}

// envelopes are everything that this package writes, by the name of its file.
func envelopes() map[string]func() ([]byte, error) {
	first, later := bare(), late()
	renewed := bare()
	renewed.Recipients[0].Renew, renewed.Recipients[2].Renew = true, true
	unknown := bare()
	unknown.Recipients[1].Unknown, unknown.Recipients[2].Unknown = true, true
	mixed := bare()
	mixed.Recipients[0].Platform, mixed.Recipients[2].Platform = push.PlatformIOS, push.PlatformWeb
	return map[string]func() ([]byte, error){
		"task": func() ([]byte, error) {
			return wire.EncodeTask(wire.Task{Op: wire.OpPlan, Notification: batID, Page: 12, TraceParent: trace})
		},
		"task-release": func() ([]byte, error) {
			return wire.EncodeTask(wire.Task{
				Op: wire.OpRelease, Notification: batID, Page: 3, Chunk: 2, Generation: 1, Due: at, Behind: 12290, Turn: 5,
			})
		},
		"task-recall": func() ([]byte, error) {
			return wire.EncodeTask(wire.Task{Op: wire.OpRecall, Notification: batID, Page: 3, Chunks: []int{0, 7}, Epochs: []int64{0, 12}})
		},
		"task-check": func() ([]byte, error) {
			return wire.EncodeTask(wire.Task{Op: wire.OpCheck, Notification: ntfID, Page: wire.AllPages, Turn: 5})
		},
		"chunk":           func() ([]byte, error) { return wire.EncodeChunk(&first, trace) },
		"chunk-renew":     func() ([]byte, error) { return wire.EncodeChunk(&renewed, "") },
		"chunk-unknown":   func() ([]byte, error) { return wire.EncodeChunk(&unknown, "") },
		"chunk-platforms": func() ([]byte, error) { return wire.EncodeChunk(&mixed, "") },
		"chunk-late":      func() ([]byte, error) { return wire.EncodeChunk(&later, trace) },
		"recipients":      func() ([]byte, error) { return wire.EncodeRecipients(first.Recipients) },
		"recipients-users": func() ([]byte, error) {
			return wire.EncodeRecipients([]push.Recipient{{UserID: "u1", Line: 1}, {DeviceID: "d2", Line: 2}})
		},
		"recipients-none": func() ([]byte, error) { return wire.EncodeRecipients(nil) },
		"undelivered":     func() ([]byte, error) { return wire.EncodeUndelivered(undelivered(), trace) },
		"dead-letter":     func() ([]byte, error) { return wire.EncodeDeadLetter(letter()) },
		"dead-letter-cut": func() ([]byte, error) { return wire.EncodeDeadLetter(cutLetter()) },
		"event": func() ([]byte, error) {
			return wire.EncodeEvent(&wire.Event{
				Source: "belfry", ID: "evt_1", Type: wire.EventOutcome, Subject: ntfID, Time: at.In(time.FixedZone("", 3600)),
				TraceParent: trace, Data: json.RawMessage(`{ "by_code" : {"sent": 2}, "labels": {"team": "Ω"} }`),
			})
		},
	}
}

func TestGolden(t *testing.T) {
	t.Parallel()
	for name, encode := range envelopes() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := encode()
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join("testdata", name+".json")
			if *update {
				if err := os.WriteFile(file, append(got, '\n'), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(strings.TrimSuffix(string(want), "\n"), string(got)); diff != "" {
				t.Errorf("the wire format changed (-golden +got); messages of the old one are on queues:\n%s", diff)
			}
			if i := bytes.IndexFunc(got, func(r rune) bool { return r < ' ' || r > '~' }); i >= 0 {
				t.Errorf("byte %d is 0x%02x: not printable ASCII", i, got[i])
			}
		})
	}
}

// TestGoldenIsRead reads the files, not what this program would write today.
func TestGoldenIsRead(t *testing.T) {
	t.Parallel()
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join("testdata", name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	chunk, tp, err := wire.DecodeChunk(read("chunk-late"))
	same(t, chunk, late(), err)
	if tp != trace {
		t.Errorf("traceparent is %q", tp)
	}
	task, err := wire.DecodeTask(read("task"))
	same(t, task, wire.Task{Op: wire.OpPlan, Notification: batID, Page: 12, TraceParent: trace}, err)
	task, err = wire.DecodeTask(read("task-release"))
	same(t, task, wire.Task{Op: wire.OpRelease, Notification: batID, Page: 3, Chunk: 2, Generation: 1, Due: at, Behind: 12290, Turn: 5}, err)
	task, err = wire.DecodeTask(read("task-recall"))
	same(t, task, wire.Task{Op: wire.OpRecall, Notification: batID, Page: 3, Chunks: []int{0, 7}, Epochs: []int64{0, 12}}, err)
	rs, err := wire.DecodeRecipients(read("recipients"))
	same(t, rs, bare().Recipients, err)
	d, err := wire.DecodeDeadLetter(read("dead-letter"))
	same(t, &d, letter(), err)
	d, err = wire.DecodeDeadLetter(read("dead-letter-cut"))
	same(t, &d, cutLetter(), err)
	u, _, err := wire.DecodeUndelivered(read("undelivered"))
	same(t, &u, undelivered(), err)
	if _, err := wire.DecodeEvent(read("event")); !errors.As(err, new(push.Faults)) {
		t.Errorf("an outgoing event came in: %v", err)
	}
}

func same[T any](t interface {
	Helper()
	Errorf(format string, args ...any)
}, got, want T, err error,
) {
	t.Helper()
	if err != nil {
		t.Errorf("error: %v", err)
		return
	}
	// Byte by byte, a body of a megabyte takes seconds.
	filled := func(a, b []byte) bool { return len(a)+len(b) > 0 }
	wholeBytes := cmp.FilterValues(filled, cmp.Comparer(bytes.Equal))
	// Token formats redacted, also in a diff: comparing is all that is done here.
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty(), wholeBytes); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
