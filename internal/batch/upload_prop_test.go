package batch_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"

	"github.com/belfry-push/belfry/internal/batch"
	"github.com/belfry-push/belfry/internal/push"
)

// file draws an upload of distinct lines: good, with overrides, bad, and blank.
func file(t *rapid.T, name string, most int) []string {
	kinds := rapid.SliceOfN(rapid.SampledFrom([]string{"good", "good", "data", "user", "bad", "blank"}), 0, most).Draw(t, name)
	out := make([]string, len(kinds))
	for i, k := range kinds {
		switch k {
		case "good":
			out[i] = fmt.Sprintf(`{"token":"%s%d"}`, name, i+1)
		case "data":
			out[i] = fmt.Sprintf(`{"fid":"%s%d","data":{"ü":"<%d>"}}`, name, i+1, i)
		case "user":
			out[i] = fmt.Sprintf(`{"user_id":"%s%d"}`, name, i+1)
		case "bad":
			out[i] = fmt.Sprintf(`{"tokn":"%s%d"}`, name, i+1)
		}
	}
	return out
}

// stream serves lines as a connection might: in pieces, and perhaps cut off.
func stream(t *rapid.T, lines []string) io.Reader {
	text := strings.Join(lines, "\n")
	if len(lines) > 0 {
		text += "\n"
	}
	var r io.Reader = strings.NewReader(text)
	if rapid.Bool().Draw(t, "cut") {
		at := rapid.IntRange(0, len(text)).Draw(t, "at")
		r = io.MultiReader(strings.NewReader(text[:at]), iotest.ErrReader(errors.New("cut")))
	}
	switch rapid.IntRange(0, 2).Draw(t, "pieces") {
	case 0:
		return iotest.HalfReader(r)
	case 1:
		return iotest.DataErrReader(r)
	default:
		return r
	}
}

// However an upload is cut into parts that overlap, run side by side and break
// off, and whichever writes fail, every line ends up durable once and in order.
func TestUploadPartsMakeTheWhole(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		all := file(t, "t", 60)
		w := open()
		size := rapid.IntRange(1, 9).Draw(t, "page")
		for range rapid.IntRange(0, 5).Draw(t, "rounds") {
			w.chance = rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "luck"), 0))
			var uploads []func()
			for range rapid.IntRange(1, 3).Draw(t, "side by side") {
				from := rapid.IntRange(1, int(w.progress().Watermark)+1).Draw(t, "offset")
				part := all[from-1 : rapid.IntRange(from-1, len(all)).Draw(t, "end")]
				body, b := stream(t, part), quiet(w, rapid.IntRange(1, size).Draw(t, "size"))
				o := batch.Options{Offset: int64(from), AllOrNothing: rapid.IntRange(0, 3).Draw(t, "atomic") == 0}
				uploads = append(uploads, func() {
					res, err := b.Upload(t.Context(), tenant, w.id, body, o)
					if n := res.Accepted + res.Invalid + res.Skipped; err == nil && n != int64(len(part)) {
						t.Errorf("%d lines accounted for, of %d: %+v", n, len(part), res)
					}
					for _, f := range res.Faults {
						if f.Code == push.FaultConflict {
							t.Errorf("line %d: same content called a conflict", f.Line)
						}
					}
				})
			}
			together(uploads)
			w.stored(t)
		}
		w.chance = nil
		body := strings.NewReader(strings.Join(append(all, ""), "\n"))
		if _, err := quiet(w, size).Upload(t.Context(), tenant, w.id, body, batch.Options{Offset: 1}); err != nil {
			t.Fatal(err)
		}
		w.wantLines(t, all)
	})
}

// Appending uploads that run side by side all get in, each whole and in order.
func TestUploadAppendsMix(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := open()
		names := []string{"a", "b", "c"}[:rapid.IntRange(1, 3).Draw(t, "side by side")]
		files := make([][]string, len(names))
		total := 0
		var uploads []func()
		for i, name := range names {
			files[i] = file(t, name, 30)
			total += len(files[i])
			body := strings.NewReader(strings.Join(append(files[i], ""), "\n"))
			b := quiet(w, rapid.IntRange(1, 9).Draw(t, "size"))
			o := batch.Options{AllOrNothing: rapid.Bool().Draw(t, "atomic")}
			uploads = append(uploads, func() {
				if _, err := b.Upload(t.Context(), tenant, w.id, body, o); err != nil {
					if _, refused := errors.AsType[*batch.RefusedError](err); !refused {
						t.Errorf("append: %v", err)
					}
				}
			})
		}
		together(uploads)
		var got [3]string
		for _, p := range w.stored(t) {
			for _, r := range p.Recipients {
				id := r.Address.Value.Reveal() + r.UserID
				got[id[0]-'a'] += " " + id[1:]
			}
		}
		for i := range names {
			var want strings.Builder
			bad := false
			for n, l := range files[i] {
				bad = bad || strings.Contains(l, "tokn")
				if l != "" && !strings.Contains(l, "tokn") {
					fmt.Fprintf(&want, " %d", n+1)
				}
			}
			if got[i] != want.String() && (!bad || got[i] != "") {
				t.Errorf("%s: good lines%s were stored as%s", names[i], want.String(), got[i])
			}
		}
	})
}

func together(fs []func()) {
	var side sync.WaitGroup
	for _, f := range fs {
		side.Go(f)
	}
	side.Wait()
}

// wantLines checks that the pages hold exactly these lines.
func (w *world) wantLines(t *rapid.T, all []string) {
	got := make([]string, w.progress().Watermark)
	for _, p := range w.stored(t) {
		for _, r := range p.Recipients {
			got[r.Line-1] = r.Address.Value.Reveal() + r.UserID
		}
		for _, l := range p.Refused {
			got[l.Line-1] = l.Pointer
		}
	}
	if len(got) != len(all) {
		t.Fatalf("%d lines are durable, of %d", len(got), len(all))
	}
	for i, l := range all {
		want := ""
		switch {
		case strings.Contains(l, "tokn"):
			want = "/tokn"
		case l != "":
			want = fmt.Sprintf("t%d", i+1)
		}
		if got[i] != want {
			t.Errorf("line %d is %q, want %q", i+1, got[i], want)
		}
	}
}

func quiet(w *world, recipients int) *batch.Batches {
	cfg := w.config()
	cfg.PageRecipients = recipients
	return batch.New(cfg)
}

func FuzzUploadNDJSON(f *testing.F) {
	for _, seed := range []string{
		"", "\n", `{"token":"a"}`, "{\"token\":\"a\"}\r\n\r\n{\"fid\":\"b\"}", `{"token":"a","data":{"k":"v"}}` + "\n{}\n[]\nnull\n\"x\"\n",
		"\xef\xbb\xbf{\"token\":\"a\"}\n", "{\"user_id\":\"\xff\"}\n", `{"token":1}`, strings.Repeat("x", long),
	} {
		f.Add([]byte(seed), uint8(3), false)
	}
	f.Fuzz(func(t *testing.T, body []byte, size uint8, atomic bool) {
		w := open()
		res, err := quiet(w, int(size)).Upload(t.Context(), tenant, w.id, bytes.NewReader(body), batch.Options{AllOrNothing: atomic})
		if _, refused := errors.AsType[*batch.RefusedError](err); refused {
			if w.pages.Len() != 0 || res.Invalid == 0 {
				t.Fatalf("refused with %+v and %d pages", res, w.pages.Len())
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		count := int64(bytes.Count(body, []byte("\n")))
		if len(body) > 0 && body[len(body)-1] != '\n' {
			count++
		}
		p := w.progress()
		if res.Watermark != count || p.Watermark != count || res.Accepted+res.Invalid+res.Skipped != count || p.Sources != res.Accepted ||
			p.Invalid != res.Invalid {
			t.Fatalf("%d lines: result %+v, progress %+v", count, res, p)
		}
		w.stored(t)
	})
}

func BenchmarkUpload(b *testing.B) {
	token := strings.Repeat("x", 163)
	var body bytes.Buffer
	const count = 100_000
	for i := range count {
		fmt.Fprintf(&body, "{\"token\":\"%s%07d\"}\n", token[7:], i)
	}
	b.SetBytes(int64(body.Len()))
	b.ReportAllocs()
	for b.Loop() {
		w := open()
		if _, err := quiet(w, 0).Upload(b.Context(), tenant, w.id, bytes.NewReader(body.Bytes()), batch.Options{}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*count/b.Elapsed().Seconds(), "lines/s")
}
