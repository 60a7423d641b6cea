package wire_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
)

// seed adds every golden file, and every one of them cut in half.
func seed(f *testing.F, more ...string) {
	f.Helper()
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) == 0 {
		f.Fatalf("no golden files: %v", err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		f.Add(b[:len(b)/2])
	}
	for _, m := range append(more, "", "null", `{"v":1,"type":"\ud800"}`) {
		f.Add([]byte(m))
	}
}

// refused checks that an error says which of the two it is.
func refused(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, wire.ErrForeign) && !errors.Is(err, push.ErrNewerSchema) {
		t.Fatalf("error %v is neither foreign nor newer", err)
	}
}

func FuzzDecodeChunk(f *testing.F) {
	const head = `{"v":1,"type":"chunk","notification":"` + ntfID + `","attempt":1,`
	seed(f, head+`"attempts":[],"values":[]}`, head+`"kind":"token","values":["a"],"not_before":-62135596800000}`,
		head+`"kind":"token","values":["a","b"],"VALUES":["c"],"lines":[0,1]}`, head+`"x":{"values":["a"]},"kind":"fid","values": ["b"]}`,
		head+`"kind":"token","values":["a"],"message":{ "data" : {"k":"<ä"} }}`)
	f.Fuzz(func(t *testing.T, data []byte) {
		first, trace, err := wire.DecodeChunk(data)
		if err != nil {
			refused(t, err)
			return
		}
		body, err := wire.EncodeChunk(&first, trace)
		if err != nil {
			t.Fatal(err)
		}
		second, again, err := wire.DecodeChunk(body)
		if again != trace {
			t.Fatalf("traceparent %q became %q", trace, again)
		}
		third, err2 := wire.EncodeChunk(&second, again)
		if err2 != nil || !bytes.Equal(third, body) { // a message is compacted and escaped once, then stays
			t.Fatalf("%s became %s (%v)", body, third, err2)
		}
		first.Message, second.Message = nil, nil
		same(t, second, first, err)
	})
}

func FuzzDecodeTask(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		first, err := wire.DecodeTask(data)
		if err != nil {
			refused(t, err)
			return
		}
		body, err := wire.EncodeTask(first)
		if err != nil {
			t.Fatal(err)
		}
		second, err := wire.DecodeTask(body)
		same(t, second, first, err)
	})
}

func FuzzDecodeRecipients(f *testing.F) {
	seed(f, `{"v":1,"type":"recipients","first":9223372036854775807,"kind":"token","values":["a","b"]}`)
	f.Fuzz(func(t *testing.T, data []byte) {
		first, err := wire.DecodeRecipients(data)
		if err != nil {
			refused(t, err)
			return
		}
		body, err := wire.EncodeRecipients(first)
		if err != nil {
			t.Fatal(err)
		}
		second, err := wire.DecodeRecipients(body)
		same(t, second, first, err)
	})
}

func FuzzDecodeDeadLetter(f *testing.F) {
	seed(f, `{"v":1,"type":"dead_letter","code":"poison","at":"9999-12-31T23:59:59-23:59"}`)
	f.Fuzz(func(t *testing.T, data []byte) {
		first, err := wire.DecodeDeadLetter(data)
		if err != nil {
			refused(t, err)
			return
		}
		body, err := wire.EncodeDeadLetter(&first)
		if err != nil {
			t.Fatal(err)
		}
		second, err := wire.DecodeDeadLetter(body)
		same(t, second, first, err)
	})
}

func FuzzDecodeEvent(f *testing.F) {
	seed(f, sampleEvent,
		`{"specversion":"1.0","id":"1","source":"s","type":"push.notification.requested.v1","time":"9999-12-31T23:59:59-01:00","data":null}`)
	f.Fuzz(func(t *testing.T, data []byte) {
		first, err := wire.DecodeEvent(data)
		if err != nil {
			if !errors.As(err, new(push.Faults)) {
				t.Fatalf("error %v holds no faults", err)
			}
			return
		}
		body, err := wire.EncodeEvent(&first)
		if err != nil {
			t.Fatal(err)
		}
		if i := bytes.IndexFunc(body, func(r rune) bool { return r < ' ' || r > '~' }); i >= 0 {
			t.Fatalf("byte %d is 0x%02x", i, body[i])
		}
		second, err := wire.DecodeEvent(body)
		if err != nil {
			t.Fatal(err)
		}
		if second.Key() != first.Key() || second.Subject != first.Subject || second.TraceParent != first.TraceParent ||
			!second.Time.Equal(first.Time) {
			t.Fatalf("%+v became %+v", first, second)
		}
		third, err := wire.EncodeEvent(&second) // data is compacted and escaped once, then stays
		if err != nil || !bytes.Equal(third, body) {
			t.Fatalf("%s became %s (%v)", body, third, err)
		}
	})
}

func FuzzUnwrap(f *testing.F) {
	seed(f, sampleEvent, `{"Type":"Notification","TopicArn":"a","Message":"{}"}`, `{"Type":"Other","TopicArn":"a"}`)
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := wire.Unwrap(data)
		switch {
		case err != nil && !errors.As(err, new(push.Faults)):
			t.Fatalf("error %v holds no faults", err)
		case err == nil && !bytes.Equal(got.Event, data) && !bytes.Contains(data, []byte("Message")) && !bytes.Contains(data, []byte(`\u`)):
			t.Fatalf("unwrapped by another spelling: %q", data)
		}
	})
}
