package batch_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-push/belfry/internal/batch"
	"github.com/belfry-push/belfry/internal/push"
)

func TestUploadCSVLayout(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, body string
		o          batch.Options
		want       string
		res        batch.Result
	}{
		{"only a header", "token\n", batch.Options{}, "", batch.Result{}},
		{"only a header, unfinished", "token", batch.Options{Offset: 1}, "", batch.Result{}},
		{"the header has no number", "token\na\nb\n", batch.Options{Offset: 1}, "gg", batch.Result{Accepted: 2, Watermark: 2}},
		{"CRLF and a byte order mark", "\xef\xbb\xbftoken\r\na\r\n\"b\"\r\n", batch.Options{}, "gg", batch.Result{Accepted: 2, Watermark: 2}},
		{"empty lines count", "token\n\na\n\r\nb\n\n", batch.Options{}, ".g. g.", batch.Result{Accepted: 2, Skipped: 3, Watermark: 5}},
		{"a record of several lines is one", "token,data.a\na,\"1\n2\n3\"\nb,\n", batch.Options{}, "gg", batch.Result{Accepted: 2, Watermark: 2}},
		{"bad ones", "token,data.a\na\nb,\",\"\nc\"d,\n,\n", batch.Options{}, "bgb b", batch.Result{Accepted: 1, Invalid: 3, Watermark: 4}},
		{"too long", "token\n" + strings.Repeat("x", long) + "\na", batch.Options{}, "bg", batch.Result{Accepted: 1, Invalid: 1, Watermark: 2}},
		{"never closed", "token\na\n\"b\nc\nd", batch.Options{}, "gb", batch.Result{Accepted: 1, Invalid: 1, Watermark: 2}},
		{
			"data that fits no message", "token,data.k\na," + strings.Repeat("v", 5000),
			batch.Options{},
			"b",
			batch.Result{Invalid: 1, Watermark: 1},
		},
		{"all of it", "token\na\nb\nc\nd\n", batch.Options{AllOrNothing: true}, "ggg g", batch.Result{Accepted: 4, Watermark: 4}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := open()
			c.o.Format = batch.CSV
			res, err := room(t, w, 3).Upload(t.Context(), tenant, w.id, strings.NewReader(c.body), c.o)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.ReplaceAll(layout(w.stored(t)), " ", ""); got != strings.ReplaceAll(c.want, " ", "") {
				t.Errorf("lines are %q, want %q", got, c.want)
			}
			if int64(len(res.Faults)) != res.Invalid {
				t.Errorf("%d faults for %d bad lines", len(res.Faults), res.Invalid)
			}
			res.Faults = nil
			if d := cmp.Diff(c.res, res); d != "" {
				t.Error(d)
			}
		})
	}
}

// A locale is stored in its canonical form; one that is none costs no recipient.
func TestUploadLocales(t *testing.T) {
	t.Parallel()
	for _, o := range []batch.Options{{Format: batch.CSV}, {Format: batch.CSV, AllOrNothing: true}, {}, {AllOrNothing: true}} {
		body := "token,locale\na,en_US\nb,english\n"
		if o.Format == batch.NDJSON {
			body = `{"token":"a","locale":"en_US"}` + "\n" + `{"token":"b","locale":"english"}`
		}
		w := open()
		res, err := room(t, w, 3).Upload(t.Context(), tenant, w.id, strings.NewReader(body), o)
		if err != nil || res.Accepted != 2 || res.Invalid != 0 || res.Warned != 1 || len(res.Warnings) != 1 ||
			res.Warnings[0].Line != 2 || res.Warnings[0].Pointer != "/locale" || res.Warnings[0].Code != push.WarnIgnored {
			t.Errorf("%+v: got %+v, %v", o, res, err)
		}
		var locales []string
		for _, page := range w.stored(t) {
			for _, r := range page.Recipients {
				locales = append(locales, r.Locale)
			}
		}
		if d := cmp.Diff([]string{"en-US", ""}, locales); d != "" {
			t.Errorf("%+v: %s", o, d)
		}
	}
}

// A header row that is none refuses the upload as a whole, and says why.
func TestUploadCSVHeader(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ body, says string }{
		"nothing":           {"", "header row: there is none"},
		"an unknown column": {"token,name\na,b\n", `column 2: must be token, fid,`},
		"no address":        {"locale\nde\n", "must name a column token"},
		"no CSV":            {"tok\"en\na\n", "header row: a quotation mark"},
		"too long":          {strings.Repeat("x", long) + "\na\n", "header row: must be at most 65536 bytes"},
		"binary data":       {"\x1f\x8b\x08\x00\xff", "column 1"},
		"NDJSON":            {`{"token":"a"}` + "\n", "header row: a quotation mark"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := open()
			_, err := room(t, w, 3).Upload(t.Context(), tenant, w.id, strings.NewReader(c.body), batch.Options{Format: batch.CSV})
			if f, ok := errors.AsType[push.Faults](err); !ok || !strings.Contains(f[0].Detail, c.says) || w.pages.Len() != 0 {
				t.Errorf("got %v and %d pages", err, w.pages.Len())
			}
		})
	}
	errCut := errors.New("cut")
	w := open()
	_, err := room(t, w, 3).Upload(t.Context(), tenant, w.id, io.MultiReader(strings.NewReader("tok"), iotest.ErrReader(errCut)),
		batch.Options{Format: batch.CSV})
	if !errors.Is(err, errCut) {
		t.Errorf("a header that was cut off: %v", err)
	}
}

// CSV and NDJSON of the same recipients become the same pages, whole or in
// parts that each have the header.
func TestUploadCSVIsNDJSON(t *testing.T) {
	t.Parallel()
	lines := []string{
		`{"token":"a","data":{"n":"x,\"y\"\nz"},"locale":"de-DE","collapse_id":"c1"}`, `{"user_id":"Jürgen"}`, "", `{}`,
		`{"user_id":"u","token":"t"}`, `{"token":"b"}`,
	}
	rows := []string{`a,,"x,""y""` + "\n" + `z",de-DE,c1`, `,Jürgen,,,`, ``, `,,,,`, `t,u,,,`, `b,,,,`}
	const header = "token,user_id,data.n,locale,collapse_id\n"
	whole := open()
	if _, err := room(t, whole, 9).Upload(t.Context(), tenant, whole.id, strings.NewReader(strings.Join(lines, "\n")),
		batch.Options{Offset: 1}); err != nil {
		t.Fatal(err)
	}
	parts := open()
	b := room(t, parts, 9)
	for _, at := range []int{1, 3, 2} { // overlapping, and one again
		_, err := b.Upload(t.Context(), tenant, parts.id, strings.NewReader(header+strings.Join(rows[at-1:], "\n")),
			batch.Options{Offset: int64(at), Format: batch.CSV})
		if err != nil {
			t.Fatal(err)
		}
	}
	if d := cmp.Diff(whole.stored(t), parts.stored(t)); d != "" {
		t.Errorf("pages of CSV (-NDJSON +CSV): %s", d)
	}
}

// Ten thousand bad lines in a row are ten thousand faults on record, and the
// answer names the first hundred.
func TestUploadManyBadLines(t *testing.T) {
	t.Parallel()
	const count = 10_000
	for name, c := range map[string]struct {
		body string
		o    batch.Options
	}{
		"NDJSON": {strings.Repeat(`{"tokn":1}`+"\n", count), batch.Options{Offset: 1}},
		"binary": {strings.Repeat("\x00\x01\xff\n", count), batch.Options{Offset: 1}},
		"CSV":    {"token\n" + strings.Repeat("a b\n", count), batch.Options{Offset: 1, Format: batch.CSV}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := open()
			res, err := room(t, w, 0).Upload(t.Context(), tenant, w.id, strings.NewReader(c.body+"\n"), c.o)
			if err != nil || res.Invalid != count || res.Watermark != count+1 || len(res.Faults) != 100 {
				t.Fatalf("got %d invalid, watermark %d, %d faults, %v", res.Invalid, res.Watermark, len(res.Faults), err)
			}
			kept := int64(0)
			for _, p := range w.stored(t) {
				for _, l := range p.Refused {
					if kept++; l.Line != kept || l.Detail == "" {
						t.Fatalf("line %d is on record as %+v", kept, l)
					}
				}
			}
			if kept != count {
				t.Errorf("%d are on record", kept)
			}
		})
	}
}

func FuzzUploadCSV(f *testing.F) {
	for _, seed := range []string{
		"", "token", "token\na\n\nb\n", "user_id,data.x,locale\nu,\"1\n2\",de\n", "token\n\"", "\xef\xbb\xbftoken\r\na\r\n",
		"token,fid\n\xff,\n", "x\n",
	} {
		f.Add([]byte(seed), uint8(3), false)
	}
	f.Fuzz(func(t *testing.T, body []byte, size uint8, atomic bool) {
		w := open()
		res, err := quiet(w, int(size)).Upload(t.Context(), tenant, w.id, bytes.NewReader(body),
			batch.Options{AllOrNothing: atomic, Format: batch.CSV})
		if err != nil {
			_, header := errors.AsType[push.Faults](err)
			_, refused := errors.AsType[*batch.RefusedError](err)
			if w.pages.Len() != 0 || !header && !refused {
				t.Fatalf("%v, %+v and %d pages", err, res, w.pages.Len())
			}
			return
		}
		p := w.progress()
		if res.Watermark != p.Watermark || res.Accepted+res.Invalid+res.Skipped != p.Watermark || p.Sources != res.Accepted ||
			p.Invalid != res.Invalid {
			t.Fatalf("result %+v, progress %+v", res, p)
		}
		if p.Watermark > int64(bytes.Count(body, []byte("\n"))) {
			t.Fatalf("%d lines of %q", p.Watermark, body)
		}
		w.stored(t)
	})
}
