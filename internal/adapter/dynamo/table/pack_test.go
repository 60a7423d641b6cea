package table

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/belfry-push/belfry/internal/push"
)

func FuzzUnpackJSON(f *testing.F) {
	b, err := PackJSON(push.Notification{ID: "ntf_1", Tenant: "tenant", Target: push.Target{Tokens: []push.Token{"a", "b"}}})
	must(f, err)
	f.Add(b)
	f.Add([]byte{packPlain, '{', '}'})
	f.Fuzz(func(t *testing.T, b []byte) {
		var n push.Notification
		if UnpackJSON(b, &n) != nil {
			return
		}
		packed, err := PackJSON(n)
		must(t, err)
		var back push.Notification
		must(t, UnpackJSON(packed, &back))
	})
}

func TestPackJSONChoosesTheShorter(t *testing.T) {
	t.Parallel()
	short, err := PackJSON("x")
	must(t, err)
	long, err := PackJSON(strings.Repeat("x", 1000))
	must(t, err)
	if short[0] != packPlain || long[0] != packDeflated || len(long) > 100 {
		t.Errorf("formats %d and %d, %d bytes", short[0], long[0], len(long))
	}
	if markup, err := PackJSON("<&>"); err != nil || !bytes.Contains(markup, []byte("<&>")) {
		t.Errorf("markup became %q, %v", markup, err)
	}
}

func TestDamagedBytes(t *testing.T) {
	t.Parallel()
	long, err := Deflate(nil, make([]byte, 100))
	must(t, err)
	if _, err := Inflate(long, 99); !errors.Is(err, ErrDamaged) {
		t.Errorf("too much: error = %v, want that it is damaged", err)
	}
	if err := UnpackJSON(nil, new(int)); !errors.Is(err, ErrDamaged) {
		t.Errorf("no body: error = %v, want that it is damaged", err)
	}
	if err := UnpackJSON([]byte{99, 1}, new(int)); !errors.Is(err, push.ErrNewerSchema) {
		t.Errorf("a body of a newer format: error = %v", err)
	}
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}
