package client

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// part is an upload as the server sees it.
type part struct{ kind, coding, query, body string }

// gatherParts returns a handler that keeps parts; a server that is plain takes no
// compression.
func gatherParts(t *testing.T, plain bool, parts *[]part) http.HandlerFunc {
	t.Helper()
	return func(w http.ResponseWriter, r *http.Request) {
		p := part{kind: r.Header.Get("Content-Type"), coding: r.Header.Get("Content-Encoding"), query: r.URL.RawQuery}
		if p.coding != "" && plain {
			*parts = append(*parts, p)
			refuse(w, Problem{Status: http.StatusUnsupportedMediaType, Code: "unsupported_media_type"})
			return
		}
		var in io.Reader = r.Body
		if p.coding == "gzip" {
			z, err := gzip.NewReader(r.Body)
			if err != nil {
				t.Error(err)
				return
			}
			in = z
		}
		body, err := io.ReadAll(in)
		if err != nil {
			t.Error(err)
		}
		p.body = string(body)
		*parts = append(*parts, p)
		answer(w, http.StatusOK, UploadResult{Watermark: 1000})
	}
}

func TestUploaderCompresses(t *testing.T) {
	t.Parallel()

	const line = `{"token":"a"}`
	for name, tt := range map[string]struct {
		plain bool
		want  []string
	}{
		"a server that takes it": {false, []string{"gzip", "gzip"}},
		"a server that does not": {true, []string{"gzip", "", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var parts []part
			up := newClient(t, gatherParts(t, tt.plain, &parts)).Uploader("bat_1", 1, WithCompression(Gzip()))
			for range 2 {
				if err := up.AddLine(t.Context(), []byte(line)); err != nil {
					t.Fatal(err)
				}
				if _, err := up.Flush(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			var codings []string
			for _, p := range parts {
				codings = append(codings, p.coding)
				if p.body != "" && p.body != line+"\n" {
					t.Errorf("body = %q", p.body)
				}
			}
			if !slices.Equal(codings, tt.want) {
				t.Errorf("codings = %q, want %q", codings, tt.want)
			}
		})
	}
}

func TestUploaderOfCSV(t *testing.T) {
	t.Parallel()

	var parts []part
	up := newClient(t, gatherParts(t, false, &parts)).Uploader("bat_1", 7, WithCSVHeader([]byte("token,data.a\r\n")))
	for _, record := range []string{"a,1\n", "\"b\",\"2\n3\"", ""} {
		if err := up.AddLine(t.Context(), []byte(record)); err != nil {
			t.Fatal(err)
		}
	}
	if err := up.Add(t.Context(), Recipient{Token: "a"}); err == nil {
		t.Error("Add to CSV = nil")
	}
	if _, err := up.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []part{{"text/csv", "", "offset=7", "token,data.a\r\na,1\n\"b\",\"2\n3\"\n\n"}}
	if diff := cmp.Diff(want, parts, cmp.AllowUnexported(part{})); diff != "" {
		t.Errorf("parts (-want +got):\n%s", diff)
	}
}

func TestUploadAsItIs(t *testing.T) {
	t.Parallel()

	var parts []part
	c := newClient(t, gatherParts(t, false, &parts))
	body := string(Gzip().Encode([]byte("token\na\n"), nil))
	if _, err := c.UploadRecipients(t.Context(), "bat_1", strings.NewReader(body), UploadOptions{CSV: true, Encoding: "gzip"}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]part{{"text/csv", "gzip", "", "token\na\n"}}, parts, cmp.AllowUnexported(part{})); diff != "" {
		t.Errorf("parts (-want +got):\n%s", diff)
	}
}

// With a key, a second call sends only what the first one did not.
func TestSendBatchGoesOn(t *testing.T) {
	t.Parallel()

	received, started := int64(2), false
	var body strings.Builder
	c := newClient(t, func(w http.ResponseWriter, r *http.Request) {
		n := Notification{ID: "bat_1", State: StateUploading, Received: &received}
		switch r.Method + " " + r.URL.Path {
		case "POST /v1/batches/bat_1/recipients":
			if r.URL.RawQuery != "offset=3" {
				t.Errorf("query = %s", r.URL.RawQuery)
			}
			_, _ = io.Copy(&body, r.Body)
			answer(w, http.StatusOK, UploadResult{Accepted: 2, Watermark: 4})
		case "POST /v1/batches/bat_1/start":
			started = true
			fallthrough
		default:
			answer(w, http.StatusOK, n)
		}
	})
	four := slices.Values([]Recipient{{Token: "a"}, {Token: "b"}, {Token: "c"}, {Token: "d"}})
	if _, err := c.SendBatch(t.Context(), Request{Message: json.RawMessage("{}")}, four, WithIdempotencyKey("k")); err != nil {
		t.Fatal(err)
	}
	if !started || body.String() != "{\"token\":\"c\"}\n{\"token\":\"d\"}\n" {
		t.Errorf("started %t, body %q", started, body.String())
	}
}

func TestInvalidLines(t *testing.T) {
	t.Parallel()

	c := newClient(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.String() != "/v1/batches/bat_1/report?class=invalid" {
			t.Errorf("URL = %s", r.URL)
		}
		_, _ = io.WriteString(w, `{"line":3,"class":"invalid","code":"value","pointer":"/token","detail":"must not be empty"}`+"\n"+`{"line":`)
	})
	var got []LineError
	var last error
	for l, err := range c.InvalidLines(context.WithoutCancel(t.Context()), "bat_1") {
		if last = err; err == nil {
			got = append(got, l)
		}
	}
	want := []LineError{{Line: 3, Pointer: "/token", Code: "value", Detail: "must not be empty"}}
	if diff := cmp.Diff(want, got); diff != "" || last == nil {
		t.Errorf("lines (-want +got), then %v:\n%s", last, diff)
	}
}
