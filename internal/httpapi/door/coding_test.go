package door_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/httpapi/door/doortest"
)

func TestCodedUpload(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("{\"token\":\"abc\"}\n", 5000)
	for name, c := range map[string]struct{ coding, body string }{
		"none":            {"", text},
		"identity":        {"identity", text},
		"gzip":            {"gzip", door.Gzipped(text)},
		"its other names": {"X-GZIP", door.Gzipped(text)},
		"gzip members":    {"gzip", door.Gzipped(text[:32000]) + door.Gzipped(text[32000:])},
		"zstd":            {"zstd", door.Zstandard(text)},
		"zstd frames":     {"zstd", door.Zstandard(text[:32000]) + door.Zstandard(text[32000:])},
		"the best zstd":   {"zstd", door.Zstandard(text, zstd.WithEncoderLevel(zstd.SpeedBestCompression))},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := setup(t)
			g.Do(t, "POST", lines, c.body, "Content-Encoding", c.coding).Want(t, http.StatusOK, "")
			if g.read != text {
				t.Errorf("%d bytes were read, want %d", len(g.read), len(text))
			}
		})
	}
}

// Of a damaged stream what comes before the damage is read, and the answer says
// what is wrong.
func TestDamagedUpload(t *testing.T) {
	t.Parallel()
	var varied strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&varied, "{\"token\":\"t%d\"}\n", i*i)
	}
	text := varied.String()
	packed, frame := door.Gzipped(text), door.Zstandard(text)
	spoilt := func(s string, at int) string { return s[:at] + string(s[at]^0xff) + s[at+1:] }
	for name, c := range map[string]struct {
		coding, body string
		status       int
		code         door.Code
		says         string
	}{
		"gzip cut off":         {"gzip", packed[:len(packed)/2], 400, door.CodeIncomplete, "the gzip stream ends before its end"},
		"gzip without its end": {"gzip", packed[:len(packed)-1], 400, door.CodeIncomplete, "ends before its end"},
		"gzip of nothing":      {"gzip", "", 400, door.CodeIncomplete, "ends before its end"},
		"gzip spoilt":          {"gzip", spoilt(packed, len(packed)-6), 400, door.CodeMalformed, "not sound gzip"},
		"gzip and more":        {"gzip", packed + "more, in clear text", 400, door.CodeMalformed, "not sound gzip"},
		"no gzip":              {"gzip", text, 400, door.CodeMalformed, "not sound gzip"},
		"zstd cut off":         {"zstd", frame[:len(frame)/2], 400, door.CodeIncomplete, "the zstd stream ends before its end"},
		"zstd of nothing":      {"zstd", "", 400, door.CodeIncomplete, "ends before its end"},
		"zstd spoilt":          {"zstd", spoilt(frame, len(frame)-2), 400, door.CodeMalformed, "not sound zstd"},
		"no zstd":              {"zstd", text, 400, door.CodeMalformed, "not sound zstd"},
		"a wide window": {
			"zstd", door.Zstandard(strings.Repeat(text, 50), zstd.WithWindowSize(2*door.MaxWindow)), 400, door.CodeMalformed, "window beyond 8 MiB",
		},
		"a gzip bomb": {"gzip", door.Gzipped(strings.Repeat("\n", 2<<20)), 413, door.CodeTooLarge, "expands to more than 400 times its size"},
		"a zstd bomb": {"zstd", door.Zstandard(strings.Repeat("\x00", 2<<20)), 413, door.CodeTooLarge, "expands to more than 400 times its size"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := setup(t, func(c *door.Config) { c.Free = 1 << 20 })
			r := doortest.Posted(lines, door.TypeNDJSON, c.body)
			r.Header.Set("Content-Encoding", c.coding)
			got := doortest.Answer{ResponseRecorder: httptest.NewRecorder()}
			g.ServeHTTP(got, r)
			doortest.Decode(t, got.Body.Bytes(), &got.Problem)
			got.Want(t, c.status, c.code)
			if d := got.Problem.Detail; !strings.Contains(d, c.says) || !strings.Contains(d, "bytes") {
				t.Errorf("must say %q and how far it came: %s", c.says, d)
			}
		})
	}
}

// What is compressed well is no bomb, however long it is.
func TestLongCodedUpload(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for i := range 50_000 {
		fmt.Fprintf(&b, "{\"user_id\":\"customer-%d\",\"data\":{\"coupon\":\"SPRING\"}}\n", i)
	}
	g := setup(t, func(c *door.Config) { c.Free = 1 << 20 })
	for coding, body := range map[string]string{"gzip": door.Gzipped(b.String()), "zstd": door.Zstandard(b.String())} {
		g.Do(t, "POST", lines, body, "Content-Encoding", coding).Want(t, http.StatusOK, "")
	}
}

// A client that falls silent is cut off after the patience.
func TestStalledUpload(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{"plain": "{}\n{}\n{", "gzip": door.Gzipped("{}\n{}\n")[:14], "nothing": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := setup(t, func(c *door.Config) { c.Silence = 50 * time.Millisecond })
			coding := "identity"
			if name == "gzip" {
				coding = name
			}
			c := g.Converse(t)
			fmt.Fprintf(c,
				"POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-ndjson\r\nContent-Encoding: %s\r\nContent-Length: 1000\r\n\r\n%s",
				lines, coding, body)
			status, text := c.Answered(t)
			if status != http.StatusRequestTimeout || !strings.Contains(text, "no data came for 50ms") || !strings.Contains(text, ", after ") {
				t.Errorf("got %d %s", status, text)
			}
		})
	}
}
