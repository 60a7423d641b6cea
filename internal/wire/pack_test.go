package wire_test

import (
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
)

// noise is text of n bytes that packs badly: of the given letters, in no order.
func noise(n int, letters string) []byte {
	r := rand.New(rand.NewPCG(1, uint64(n)))
	b := make([]byte, n)
	for i := range b {
		b[i] = letters[r.IntN(len(letters))]
	}
	return b
}

const (
	base64Letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	allPrintable  = " !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~"
)

// A message of any size and kind gets a letter that fits a queue message: as it
// is, packed, or its beginning with the length and the sum of the whole.
func TestLargeDeadLetters(t *testing.T) {
	t.Parallel()
	cjk := func(n int) []byte { // three bytes each, without order
		r := rand.New(rand.NewPCG(3, 4))
		var b strings.Builder
		for b.Len()+3 <= n {
			b.WriteRune(rune(0x4e00 + r.IntN(0x5000)))
		}
		return []byte(b.String())
	}
	for _, c := range []struct {
		name string
		body []byte
		v    string
		cut  bool
	}{
		{"64 KB", noise(64<<10, allPrintable), `"v":1`, false},
		{"700 KB of anything", noise(700<<10, allPrintable), `"v":1`, false},
		{"900 KB of one letter", bytes.Repeat([]byte("x"), 900<<10), `"v":2`, false},
		{"900 KB of hexadecimal", noise(900<<10, "0123456789abcdef"), `"v":2`, false},
		{"900 KB of base64", noise(900<<10, base64Letters), `"v":2`, false},
		{"900 KB of any text", noise(900<<10, allPrintable), `"v":2`, false},
		{"900 KB of Chinese", cjk(900 << 10), `"v":2`, false},
		{"1 MiB of JSON", bytes.Repeat([]byte(`{"id":17,"name":"x"},`), wire.MaxMessage/21), `"v":2`, false},
		{"1 MiB of base64", noise(wire.MaxMessage, base64Letters), `"v":2`, true},
		{"1 MiB of any text", noise(wire.MaxMessage, allPrintable), `"v":2`, true},
		{"1 MiB of Chinese", cjk(wire.MaxMessage), `"v":2`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			want := push.DeadLetter{
				Queue: push.QueueEvents, ID: "1", Code: push.CodeUndecodable, Detail: strings.Repeat("\x01", 4<<10), Body: c.body, SentAt: at, At: at,
			}
			b, err := wire.EncodeCutDeadLetter(&want)
			if err != nil || len(b) > wire.MaxMessage || !bytes.Contains(b[:40], []byte(c.v)) {
				t.Fatalf("%d bytes, %.40s (%v)", len(b), b, err)
			}
			got, err := wire.DecodeDeadLetter(b)
			if err != nil {
				t.Fatal(err)
			}
			if cut := got.Bytes > 0; cut != c.cut {
				t.Fatalf("of %d bytes %d are kept, says %d", len(c.body), len(got.Body), got.Bytes)
			}
			sum := sha256.Sum256(c.body)
			switch {
			case !c.cut:
				sameLetter(t, got, want)
			case got.Bytes != len(c.body) || got.Sum != hex.EncodeToString(sum[:]) || !bytes.HasPrefix(c.body, got.Body) ||
				got.Detail != want.Detail:
				t.Errorf("of %d bytes %d are kept, says %d and %s", len(c.body), len(got.Body), got.Bytes, got.Sum)
			case len(got.Body) < wire.MaxMessage/2:
				t.Errorf("only %d bytes are kept", len(got.Body))
			}
			again, err := wire.EncodeDeadLetter(&got)
			if err != nil || !bytes.Equal(again, b) {
				t.Errorf("written anew it has %d bytes (%v)", len(again), err)
			}
		})
	}
}

// What must not be cut is refused when it does not fit.
func TestTooLarge(t *testing.T) {
	t.Parallel()
	_, err := wire.EncodeDeadLetter(&push.DeadLetter{Code: push.CodeAttemptsExhausted, Body: noise(wire.MaxMessage, allPrintable)})
	if !errors.Is(err, wire.ErrTooLarge) {
		t.Errorf("error is %v", err)
	}
}

func TestPackedIsChecked(t *testing.T) {
	t.Parallel()
	squeeze := func(b []byte) string {
		var out bytes.Buffer
		w, err := flate.NewWriter(&out, flate.BestCompression)
		if err == nil {
			_, err = w.Write(b)
		}
		if err == nil {
			err = w.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
		return base64.StdEncoding.EncodeToString(out.Bytes())
	}
	for _, c := range []struct {
		name, packed, body, more string
		want                     error
	}{
		{"good", "deflate", squeeze([]byte("hi")), "", nil},
		{"of a newer kind", "zstd", "AAAA", "", push.ErrNewerSchema},
		{"damaged", "deflate", "AAAA", "", wire.ErrForeign},
		{"cut short", "deflate", squeeze(noise(1000, allPrintable))[:400], "", wire.ErrForeign},
		{"a bomb", "deflate", squeeze(make([]byte, 20<<20)), "", wire.ErrForeign},
		{"more than there was", "deflate", squeeze([]byte("hi")), `,"bytes":2`, wire.ErrForeign},
		{"a length that can't be", "deflate", squeeze([]byte("hi")), `,"bytes":-5`, wire.ErrForeign},
	} {
		body := fmt.Sprintf(`{"v":2,"type":"dead_letter","code":"undecodable","packed":%q,"body":%q%s}`, c.packed, c.body, c.more)
		if _, err := wire.DecodeDeadLetter([]byte(body)); !errors.Is(err, c.want) {
			t.Errorf("%s: error is %v, want %v", c.name, err, c.want)
		}
	}
}

// A packed letter in a packed letter, and so on, far beyond what Base64 alone has
// room for: it is looked into only so far.
func TestContentsOfABottomlessLetter(t *testing.T) {
	t.Parallel()
	body := []byte("bottom")
	for range 200 { // fewer levels have a bottom
		var out bytes.Buffer
		w, err := flate.NewWriter(&out, flate.BestCompression)
		if err == nil {
			_, err = w.Write(body)
		}
		if err == nil {
			err = w.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
		body = fmt.Appendf(nil, `{"v":2,"type":"dead_letter","queue":"events","code":"undecodable","packed":"deflate","body":%q}`,
			base64.StdEncoding.EncodeToString(out.Bytes()))
	}
	c, err := wire.Contents(body)
	if err != nil || c.Letter == nil || bytes.Equal(c.Body, []byte("bottom")) || c.Kind != wire.KindForeign {
		t.Errorf("%q in %v (%v)", c.Kind, c.Letter, err)
	}
}

// TestPackedIsRead reads a file: how a body is packed may change, what is on
// queues is read for ever.
func TestPackedIsRead(t *testing.T) {
	t.Parallel()
	want := letter()
	want.Body = bytes.Repeat([]byte("0123456789"), 90_000)
	if *update {
		b, err := wire.EncodeDeadLetter(want)
		if err == nil {
			err = os.WriteFile("testdata/dead-letter-packed.json", append(b, '\n'), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile("testdata/dead-letter-packed.json")
	if err != nil {
		t.Fatal(err)
	}
	got, err := wire.DecodeDeadLetter(b)
	if err != nil {
		t.Fatal(err)
	}
	sameLetter(t, got, *want)
}

// sameLetter compares large bodies as one: to find out where they differ takes
// seconds.
func sameLetter(t *testing.T, got, want push.DeadLetter) {
	t.Helper()
	if !bytes.Equal(got.Body, want.Body) {
		t.Errorf("the body of %d bytes is another, of %d", len(want.Body), len(got.Body))
	}
	got.Body, want.Body = nil, nil
	same(t, got, want, nil)
}
