package httpapi

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/belfry-push/belfry/internal/batch"
)

func gzipped(text string) string {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	_, _ = io.WriteString(z, text)
	_ = z.Close()
	return out.String()
}

func zstandard(text string, o ...zstd.EOption) string {
	var out bytes.Buffer
	z, err := zstd.NewWriter(&out, o...)
	if err != nil {
		panic(err)
	}
	_, _ = io.WriteString(z, text)
	_ = z.Close()
	return out.String()
}

func TestCodedUpload(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("{\"token\":\"abc\"}\n", 5000)
	for name, c := range map[string]struct{ coding, body string }{
		"none":            {"", text},
		"identity":        {"identity", text},
		"gzip":            {"gzip", gzipped(text)},
		"its other names": {"X-GZIP", gzipped(text)},
		"gzip members":    {"gzip", gzipped(text[:32000]) + gzipped(text[32000:])},
		"zstd":            {"zstd", zstandard(text)},
		"zstd frames":     {"zstd", zstandard(text[:32000]) + zstandard(text[32000:])},
		"the best zstd":   {"zstd", zstandard(text, zstd.WithEncoderLevel(zstd.SpeedBestCompression))},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := setup(t)
			var got string
			g.batches.upload = func(r io.Reader, _ batch.Options) (batch.Result, error) {
				b, err := io.ReadAll(r)
				got = string(b)
				return batch.Result{}, err
			}
			g.do(t, "POST", recipients, c.body, "Content-Encoding", c.coding).want(t, http.StatusOK, "")
			if got != text {
				t.Errorf("%d bytes were read, want %d", len(got), len(text))
			}
			got = ""
			g.do(t, "POST", "/v1/devices/import", c.body, "Content-Encoding", c.coding).want(t, http.StatusOK, "")
		})
	}
}

func TestUploadFormats(t *testing.T) {
	t.Parallel()
	for kind, want := range map[string]batch.Format{
		typeNDJSON: batch.NDJSON, "Application/X-NDJSON": batch.NDJSON, "application/jsonl": batch.NDJSON, "text/csv": batch.CSV,
		"Text/CSV; charset=utf-8; header=present": batch.CSV, "text/csv; charset=US-ASCII": batch.CSV,
	} {
		g := setup(t)
		g.do(t, "POST", recipients, "x\n", "Content-Type", kind).want(t, http.StatusOK, "")
		if g.batches.uploaded.Format != want {
			t.Errorf("%q: format is %d, want %d", kind, g.batches.uploaded.Format, want)
		}
	}
}

func TestCodingRefused(t *testing.T) {
	t.Parallel()
	g := setup(t)
	for name, c := range map[string]struct {
		target  string
		headers []string
		says    string
	}{
		"unknown":      {recipients, []string{"Content-Encoding", "br"}, "one of zstd, gzip"},
		"two":          {recipients, []string{"Content-Encoding", "gzip, zstd"}, "one Content-Encoding: zstd, gzip"},
		"two headers":  {recipients, []string{"Content-Encoding", "gzip", "Content-Encoding", "gzip"}, "one Content-Encoding"},
		"not here":     {"/v1/notifications", []string{"Content-Encoding", "gzip"}, "without Content-Encoding"},
		"no UTF-8":     {recipients, []string{"Content-Type", "text/csv; charset=latin1"}, "UTF-8, not latin1"},
		"no header":    {recipients, []string{"Content-Type", "text/csv; header=absent"}, "header row"},
		"no CSV there": {"/v1/devices/import", []string{"Content-Type", "text/csv"}, "x-ndjson"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := g.do(t, "POST", c.target, "x\n", c.headers...).want(t, http.StatusUnsupportedMediaType, codeMediaType)
			if !strings.Contains(got.problem.Detail, c.says) {
				t.Errorf("must say %q: %s", c.says, got.problem.Detail)
			}
			if accepts := got.Header().Get("Accept-Encoding"); (accepts != "") != (c.headers[0] == "Content-Encoding") {
				t.Errorf("Accept-Encoding is %q", accepts)
			}
		})
	}
}

// Of a damaged stream the whole lines before the damage count, and the answer
// says which they are.
func TestDamagedUpload(t *testing.T) {
	t.Parallel()
	var varied strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&varied, "{\"token\":\"t%d\"}\n", i*i)
	}
	text := varied.String()
	packed, frame := gzipped(text), zstandard(text)
	spoilt := func(s string, at int) string { return s[:at] + string(s[at]^0xff) + s[at+1:] }
	for name, c := range map[string]struct {
		coding, body string
		status       int
		code         code
		says         string
	}{
		"gzip cut off":         {"gzip", packed[:len(packed)/2], 400, codeIncomplete, "the gzip stream ends before its end"},
		"gzip without its end": {"gzip", packed[:len(packed)-1], 400, codeIncomplete, "ends before its end"},
		"gzip of nothing":      {"gzip", "", 400, codeIncomplete, "ends before its end"},
		"gzip spoilt":          {"gzip", spoilt(packed, len(packed)-6), 400, codeMalformed, "not sound gzip"},
		"gzip and more":        {"gzip", packed + "more, in clear text", 400, codeMalformed, "not sound gzip"},
		"no gzip":              {"gzip", text, 400, codeMalformed, "not sound gzip"},
		"zstd cut off":         {"zstd", frame[:len(frame)/2], 400, codeIncomplete, "the zstd stream ends before its end"},
		"zstd of nothing":      {"zstd", "", 400, codeIncomplete, "ends before its end"},
		"zstd spoilt":          {"zstd", spoilt(frame, len(frame)-2), 400, codeMalformed, "not sound zstd"},
		"no zstd":              {"zstd", text, 400, codeMalformed, "not sound zstd"},
		"a wide window":        {"zstd", zstandard(strings.Repeat(text, 50), zstd.WithWindowSize(2*maxWindow)), 400, codeMalformed, "window beyond 8 MiB"},
		"a gzip bomb":          {"gzip", gzipped(strings.Repeat("\n", 2<<20)), 413, codeTooLarge, "expands to more than 400 times its size"},
		"a zstd bomb":          {"zstd", zstandard(strings.Repeat("\x00", 2<<20)), 413, codeTooLarge, "expands to more than 400 times its size"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := setup(t)
			g.free = 1 << 20
			g.batches.upload = func(r io.Reader, _ batch.Options) (batch.Result, error) {
				n, err := io.Copy(io.Discard, r)
				return batch.Result{Accepted: min(n, 7), Watermark: min(n, 7)}, err
			}
			r := posted(recipients, typeNDJSON, c.body)
			r.Header.Set("Content-Encoding", c.coding)
			got := answer{ResponseRecorder: httptest.NewRecorder()}
			g.mux.ServeHTTP(got, r)
			decode(t, got.Body.Bytes(), &got.problem)
			got.want(t, c.status, c.code)
			if d := got.problem.Detail; !strings.Contains(d, c.says) || !strings.Contains(d, "lines are durable in all: continue with offset=") {
				t.Errorf("must say %q and how to go on: %s", c.says, d)
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
	g := setup(t)
	g.free = 1 << 20
	for coding, body := range map[string]string{"gzip": gzipped(b.String()), "zstd": zstandard(b.String())} {
		g.do(t, "POST", recipients, body, "Content-Encoding", coding).want(t, http.StatusOK, "")
	}
}

// conversation is one connection with the server, on which the test writes what
// it likes.
type conversation struct {
	net.Conn
	in *bufio.Reader
}

func (g *rig) converse(t *testing.T) conversation {
	t.Helper()
	srv := httptest.NewUnstartedServer(nil)
	srv.Config = NewServer(g.mux, g.log)
	srv.Start()
	t.Cleanup(srv.Close)
	conn, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conversation{conn, bufio.NewReader(conn)}
}

// answered reads the next answer.
func (c conversation) answered(t *testing.T) (int, string) {
	t.Helper()
	resp, err := http.ReadResponse(c.in, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// A client that falls silent is cut off after the patience, and told what is
// durable.
func TestStalledUpload(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{"plain": "{}\n{}\n{", "gzip": gzipped("{}\n{}\n")[:14], "nothing": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := setup(t)
			g.silence = 50 * time.Millisecond
			coding := "identity"
			if name == "gzip" {
				coding = name
			}
			c := g.converse(t)
			fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-ndjson\r\nContent-Encoding: %s\r\nContent-Length: 1000\r\n\r\n%s", recipients, coding, body)
			status, text := c.answered(t)
			if status != http.StatusRequestTimeout || !strings.Contains(text, "no data came for 50ms") || !strings.Contains(text, "continue with offset=") {
				t.Errorf("got %d %s", status, text)
			}
		})
	}
}

// A Content-Length that promises more than comes is a broken body; what comes
// beyond one is no part of it, and no request either.
func TestLyingContentLength(t *testing.T) {
	t.Parallel()
	t.Run("too long", func(t *testing.T) {
		t.Parallel()
		c := setup(t).converse(t)
		fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-ndjson\r\nContent-Length: 1000\r\n\r\n{}\n{}\n", recipients)
		if err := c.Conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		status, text := c.answered(t)
		if status != http.StatusBadRequest || !strings.Contains(text, "before its Content-Length") || !strings.Contains(text, "continue with offset=3") {
			t.Errorf("got %d %s", status, text)
		}
	})
	t.Run("too short", func(t *testing.T) {
		t.Parallel()
		g := setup(t)
		c := g.converse(t)
		fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-ndjson\r\nContent-Length: 6\r\n\r\n{}\n{}\n{}\n{}\n", recipients)
		status, text := c.answered(t)
		if status != http.StatusOK || !strings.Contains(text, `"accepted":2,`) {
			t.Errorf("got %d %s", status, text)
		}
		if status, _ := c.answered(t); status != http.StatusBadRequest {
			t.Errorf("what is beyond it: got %d", status)
		}
		if _, err := c.in.ReadByte(); !errors.Is(err, io.EOF) {
			t.Errorf("the connection is still open: %v", err)
		}
	})
}

// Whatever is sent as whatever coding, decoding ends, within the limit.
func FuzzDecoder(f *testing.F) {
	for _, seed := range []string{"", "{}\n", gzipped("{}\n"), gzipped("{}\n")[:15], zstandard("{}\n"), zstandard("{}\n{}\n")[:9], gzipped("a") + zstandard("b")} {
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
