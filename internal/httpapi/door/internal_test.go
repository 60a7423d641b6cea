package door

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"testing"

	"github.com/klauspost/compress/zstd"
	"go.uber.org/zap"
)

// Gzipped returns a text in gzip.
func Gzipped(text string) string {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	_, _ = io.WriteString(z, text)
	_ = z.Close()
	return out.String()
}

// Zstandard returns a text in zstd.
func Zstandard(text string, o ...zstd.EOption) string {
	var out bytes.Buffer
	z, err := zstd.NewWriter(&out, o...)
	if err != nil {
		panic(err)
	}
	_, _ = io.WriteString(z, text)
	_ = z.Close()
	return out.String()
}

// Whatever is sent as whatever coding, decoding ends, within the limit.
func FuzzDecoder(f *testing.F) {
	for _, seed := range []string{
		"", "{}\n", Gzipped("{}\n"), Gzipped("{}\n")[:15], Zstandard("{}\n"), Zstandard("{}\n{}\n")[:9], Gzipped("a") + Zstandard("b"),
	} {
		f.Add([]byte(seed), true)
		f.Add([]byte(seed), false)
	}
	f.Fuzz(func(t *testing.T, body []byte, zip bool) {
		kind := codingZstd
		if zip {
			kind = codingGzip
		}
		d := newDecoder(kind, bytes.NewReader(body))
		defer func() { d.end() }()
		n, err := io.Copy(io.Discard, d)
		if (err == nil) != (d.damage() == nil) {
			t.Fatalf("error %v, damage %v", err, d.damage())
		}
		if most := max(int64(len(body))*maxExpansion, expansionFree) + 1<<20; n > most {
			t.Fatalf("%d bytes became %d", len(body), n)
		}
	})
}

// The checks of a query take any string.
func FuzzQuery(f *testing.F) {
	for _, seed := range []string{"limit=5", "limit=-1&cursor=%00", "a;b", "%", "class=sent&class=sent", "=&=", "limit=1e3"} {
		f.Add(seed)
	}
	defs := append(PageParams(), Param{Name: "class", Kind: ParamChoice, Choices: []string{"sent", "open"}})
	f.Fuzz(func(t *testing.T, raw string) {
		q, err := parseQuery(defs, raw)
		if err != nil {
			return
		}
		if n := q.Integer("limit"); n < 1 || n > 1000 {
			t.Errorf("%q: limit is %d", raw, n)
		}
		if class := q.Text("class"); class != "" && class != "sent" && class != "open" || q.Has("class") != (class != "") {
			t.Errorf("%q: class is %q", raw, class)
		}
	})
}

// Every kind of problem has its own code, a title, and a status that HTTP knows.
func TestCodes(t *testing.T) {
	t.Parallel()
	titles := map[string]Code{}
	for _, c := range codes() {
		status, title := c.facts()
		if http.StatusText(status) == "" || titles[title] != "" {
			t.Errorf("%s: status %d, title %q (also of %q)", c, status, title, titles[title])
		}
		titles[title] = c
	}
}

// The server's own limits: a handler's time has to fit between them.
func TestServerLimits(t *testing.T) {
	t.Parallel()
	s := NewServer(http.NotFoundHandler(), zap.NewNop())
	if s.ReadHeaderTimeout <= 0 || s.IdleTimeout <= 0 || s.WriteTimeout <= bodyPatience+requestTime+onceStore || s.ReadTimeout != 0 ||
		s.MaxHeaderBytes == 0 {
		t.Errorf("got %+v", s)
	}
	if onceWait >= requestTime {
		t.Error("another request's answer is waited for longer than a request may take")
	}
}
