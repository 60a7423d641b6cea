package batch_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-push/belfry/internal/batch"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
)

// stored returns the announced pages, checked to be one run of lines of which
// exactly those are marked that repeat an earlier one.
func (w *world) stored(t fataler) []wire.UploadPage {
	progress, pages := w.progress(), w.pages.AllPages(w.id, push.PageUpload)
	var out []wire.UploadPage
	var last, good, bad, again int64
	first := map[string]int64{}
	for n := range progress.Pages {
		p, err := wire.DecodeUploadPage(pages[n])
		if err != nil {
			t.Fatalf("page %d: %v", n, err)
		}
		if p.First != last+1 {
			t.Fatalf("page %d begins at line %d, the one before ends at %d", n, p.First, last)
		}
		last, good, bad = p.Last, good+int64(len(p.Recipients)), bad+int64(len(p.Refused))
		for _, r := range p.Recipients {
			key := string(r.Address.Kind) + ":" + r.Address.Value.Reveal() + ":" + r.UserID + ":" + string(r.DeviceID)
			if r.DuplicateOf != first[key] {
				t.Fatalf("line %d is marked as a duplicate of %d, the first one is %d", r.Line, r.DuplicateOf, first[key])
			}
			if first[key] == 0 {
				first[key] = r.Line
			} else {
				again++
			}
		}
		out = append(out, p)
	}
	got := [4]int64{progress.Watermark, progress.Sources, progress.Invalid, progress.Duplicates}
	if want := [4]int64{last, good, bad, again}; got != want {
		t.Fatalf("progress says %v (watermark, sources, invalid, duplicates), the pages %v", got, want)
	}
	return out
}

type fataler interface {
	Fatalf(format string, args ...any)
}

// layout tells an upload's pages in a few characters: g good, b bad, . blank.
func layout(pages []wire.UploadPage) string {
	var parts []string
	for _, p := range pages {
		cells := []byte(strings.Repeat(".", int(p.Last-p.First+1)))
		for _, r := range p.Recipients {
			cells[r.Line-p.First] = 'g'
		}
		for _, r := range p.Refused {
			cells[r.Line-p.First] = 'b'
		}
		parts = append(parts, string(cells))
	}
	return strings.Join(parts, " ")
}

const long = 1 << 17

func TestUploadLayout(t *testing.T) {
	t.Parallel()
	const good, bad = `{"token":"abc"}`, `{"tokn":"abc"}`
	cases := []struct {
		name, body string
		o          batch.Options
		want       string
		res        batch.Result
	}{
		{"nothing", "", batch.Options{}, "", batch.Result{}},
		{"no last newline", good + "\n" + good, batch.Options{Offset: 1}, "gg", batch.Result{Accepted: 2, Watermark: 2}},
		{
			"CRLF and a byte order mark", "\xef\xbb\xbf" + good + "\r\n" + good + "\r\n",
			batch.Options{Offset: 1},
			"gg",
			batch.Result{Accepted: 2, Watermark: 2},
		},
		{
			"blank lines count", "\n" + good + "\n \t\n\r\n" + good + "\n\n",
			batch.Options{Offset: 1},
			".g..g.",
			batch.Result{Accepted: 2, Skipped: 4, Watermark: 6},
		},
		{"pages end when they are full", strings.Repeat(good+"\n", 7), batch.Options{}, "ggg ggg g", batch.Result{Accepted: 7, Watermark: 7}},
		{"bad lines fill pages too", strings.Repeat(bad+"\n", 4), batch.Options{}, "bbb b", batch.Result{Invalid: 4, Watermark: 4}},
		{
			"a line too long is refused unread", strings.Repeat("x", long) + "\n" + good,
			batch.Options{},
			"bg",
			batch.Result{Accepted: 1, Invalid: 1, Watermark: 2},
		},
		{
			"a last line too long", good + "\n" + strings.Repeat("x", long),
			batch.Options{},
			"gb",
			batch.Result{Accepted: 1, Invalid: 1, Watermark: 2},
		},
		{
			"data that fits no message", `{"token":"a","data":{"k":"` + strings.Repeat("v", 5000) + `"}}`,
			batch.Options{},
			"b",
			batch.Result{Invalid: 1, Watermark: 1},
		},
		{"all of it", strings.Repeat(good+"\n", 5), batch.Options{AllOrNothing: true}, "ggg gg", batch.Result{Accepted: 5, Watermark: 5}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := open()
			res, err := room(t, w, 3).Upload(t.Context(), tenant, w.id, strings.NewReader(c.body), c.o)
			if err != nil {
				t.Fatal(err)
			}
			if got := layout(w.stored(t)); got != c.want {
				t.Errorf("pages are %q, want %q", got, c.want)
			}
			if int64(len(res.Faults)) != res.Invalid {
				t.Errorf("%d faults for %d bad lines", len(res.Faults), res.Invalid)
			}
			res.Faults = nil
			c.res.Duplicates = max(0, c.res.Accepted-1) // all good lines are the same
			if d := cmp.Diff(c.res, res); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestUploadKeepsWhatAFaultSays(t *testing.T) {
	t.Parallel()
	w := open()
	res, err := room(t, w, 9).Upload(t.Context(), tenant, w.id, strings.NewReader("\n"+`{"token":"a","user_id":"u","nope":1}`),
		batch.Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := []batch.LineFault{{Line: 2, Fault: push.Fault{Pointer: "/nope", Code: push.FaultUnknown, Detail: "unknown field (and 1 more)"}}}
	if d := cmp.Diff(want, res.Faults); d != "" {
		t.Error(d)
	}
	kept := w.stored(t)[0].Refused[0]
	if d := cmp.Diff(want[0].Fault, kept.Fault); d != "" || kept.Line != 2 {
		t.Errorf("the page has line %d: %s", kept.Line, d)
	}
}

func TestUploadBounds(t *testing.T) {
	t.Parallel()
	w := open()
	body := numbered(1, 5)
	b := room(t, w, 3)
	if _, err := b.Upload(t.Context(), tenant, w.id, body, batch.Options{Offset: 1}); err != nil {
		t.Fatal(err)
	}
	t.Run("a gap names the watermark", func(t *testing.T) {
		t.Parallel()
		_, err := b.Upload(t.Context(), tenant, w.id, numbered(7, 9), batch.Options{Offset: 7})
		if gap, ok := errors.AsType[*batch.GapError](err); !ok || *gap != (batch.GapError{Offset: 7, Watermark: 5}) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a negative offset is a fault", func(t *testing.T) {
		t.Parallel()
		_, err := b.Upload(t.Context(), tenant, w.id, numbered(1, 1), batch.Options{Offset: -1})
		if _, ok := errors.AsType[push.Faults](err); !ok {
			t.Errorf("got %v", err)
		}
	})
	t.Run("another tenant's batch does not exist", func(t *testing.T) {
		t.Parallel()
		_, err := b.Upload(t.Context(), "else", w.id, numbered(6, 6), batch.Options{})
		if !errors.Is(err, push.ErrNotFound) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a single notification takes no upload", func(t *testing.T) {
		t.Parallel()
		_, err := b.Upload(t.Context(), tenant, push.NewID(push.PrefixNotification), numbered(1, 1), batch.Options{})
		if !errors.Is(err, push.ErrNotFound) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a started batch takes no upload", func(t *testing.T) {
		t.Parallel()
		w := open()
		w.change(func(p *push.Progress) { p.State = push.StateSending })
		_, err := room(t, w, 3).Upload(t.Context(), tenant, w.id, numbered(1, 1), batch.Options{})
		if e, ok := errors.AsType[*push.StateError](err); !ok || e.State != "sending" {
			t.Errorf("got %v", err)
		}
	})
}

func TestUploadAllOrNothing(t *testing.T) {
	t.Parallel()
	w := open()
	b := room(t, w, 3)
	body := io.MultiReader(numbered(1, 5), strings.NewReader("nope\n"), numbered(7, 8), strings.NewReader("{}\n"))
	res, err := b.Upload(t.Context(), tenant, w.id, body, batch.Options{Offset: 1, AllOrNothing: true})
	refused, ok := errors.AsType[*batch.RefusedError](err)
	if !ok || refused.Result.Invalid != 2 || refused.Result.Faults[0].Line != 6 || refused.Result.Faults[1].Line != 9 {
		t.Errorf("got %v", err)
	}
	if res.Accepted != 0 || res.Watermark != 0 || w.pages.Len() != 0 {
		t.Errorf("got %+v and %d pages, want nothing", res, w.pages.Len())
	}

	const more = 10_000 // beyond the room's 1 MiB
	_, err = b.Upload(t.Context(), tenant, w.id, numbered(1, more), batch.Options{Offset: 1, AllOrNothing: true})
	if f, ok := errors.AsType[push.Faults](err); !ok || f[0].Code != push.FaultTooLarge || w.pages.Len() != 0 {
		t.Errorf("got %v and %d pages", err, w.pages.Len())
	}
}

func TestUploadSlowStream(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := open()
		r, caller := io.Pipe()
		done := make(chan batch.Result)
		go func() {
			res, err := room(t, w, 100).Upload(t.Context(), tenant, w.id, r, batch.Options{Offset: 1})
			if err != nil {
				t.Error(err)
			}
			done <- res
		}()
		for i := int64(1); i <= 4; i++ {
			io.WriteString(caller, lines(i, i))
			synctest.Wait()
			// 600 ms a line: the third finds the first 1.2 s old.
			if want := i / 3 * 3; w.progress().Watermark != want {
				t.Errorf("after line %d the watermark is %d, want %d", i, w.progress().Watermark, want)
			}
			time.Sleep(600 * time.Millisecond)
		}
		caller.Close()
		if res := <-done; res.Accepted != 4 || res.Watermark != 4 {
			t.Errorf("got %+v", res)
		}
	})
}

func numbered(first, last int64) io.Reader { return strings.NewReader(lines(first, last)) }

func lines(first, last int64) string {
	var b strings.Builder
	for i := first; i <= last; i++ {
		fmt.Fprintf(&b, "{\"token\":\"t%d\"}\n", i)
	}
	return b.String()
}

func tokens(pages []wire.UploadPage) string {
	var out []string
	for _, p := range pages {
		for _, r := range p.Recipients {
			out = append(out, r.Address.Value.Reveal())
		}
	}
	return strings.Join(out, " ")
}

// TestUploadMeasuresTheMessage: a line's own data count together with the
// batch's message, on each platform by itself, in what the line replaces and
// with the id or collapse id that goes out.
func TestUploadMeasuresTheMessage(t *testing.T) {
	t.Parallel()
	pad := func(n int) string { return strings.Repeat("x", n) }
	for _, c := range []struct{ name, message, good, bad string }{
		{"data", `{"data":{"k":"` + pad(3000) + `"}}`, `"data":{"n":"` + pad(1045) + `"}`, `"data":{"n":"` + pad(1046) + `"}`},
		{"data that replace", `{"data":{"k":"` + pad(3000) + `"}}`, `"data":{"k":"` + pad(4046) + `"}`, `"data":{"k":"` + pad(4047) + `"}`},
		{
			"android's data", `{"android":{"data":{"k":"` + pad(3000) + `"}}}`, `"data":{"n":"` + pad(1045) + `"}`,
			`"data":{"n":"` + pad(1046) + `"}`,
		},
		{
			"an Apple payload", `{"apns":{"payload":{"k":"` + pad(3000) + `"}}}`, `"data":{"n":"` + pad(900) + `"}`,
			`"data":{"n":"` + pad(1046) + `"}`,
		},
		{"a collapse id", `{"android":{"notification":{"body":"` + pad(4000) + `"}}}`, `"collapse_id":"c"`, `"collapse_id":"` + pad(60) + `"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := open()
			w.ledger.ChangeNotification(w.id, func(n *push.Notification) { n.Message = push.Message(c.message) })
			body := `{"token":"a",` + c.good + "}\n" + `{"token":"b",` + c.bad + "}\n" + `{"token":"c"}`
			res, err := room(t, w, 3).Upload(t.Context(), tenant, w.id, strings.NewReader(body), batch.Options{})
			if got := layout(w.stored(t)); err != nil || got != "gbg" {
				t.Fatalf("lines are %q, %v; %+v", got, err, res.Faults)
			}
			f := res.Faults[0]
			if f.Line != 2 || f.Pointer != "/data" || f.Code != push.FaultTooLarge || !strings.Contains(f.Detail, "with this line's data") {
				t.Errorf("fault %+v", f)
			}
		})
	}
}

// TestUploadChecksOverrides: what FCM would refuse of the message with a line's own
// notification is refused at the door.
func TestUploadChecksOverrides(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, message, good, bad, pointer, code, detail string }{
		{
			"too large a text", `{"notification":{"title":"t"}}`, `"notification":{"body":"b"},"badge":1`,
			`"notification":{"body":"` + strings.Repeat("x", 4096) + `"}`, "/notification", push.FaultTooLarge, "with this line's notification",
		},
		{
			"a live activity without an event", `{"apns":{"payload":{"aps":{"badge":1}}}}`, `"badge":2`, `"live_activity_token":"l"`,
			"", push.FaultMissing, "/apns/live_activity_token needs payload.aps.event",
		},
		{
			"a picture that is no URL", `{"notification":{"title":"t"}}`, `"notification":{"image":"https://example.com/a.png"}`,
			`"notification":{"image":"picture"}`, "", push.FaultValue, "/notification/image",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := open()
			w.ledger.ChangeNotification(w.id, func(n *push.Notification) { n.Message = push.Message(c.message) })
			body := `{"token":"a",` + c.good + "}\n" + `{"token":"b",` + c.bad + "}\n"
			res, err := room(t, w, 3).Upload(t.Context(), tenant, w.id, strings.NewReader(body), batch.Options{})
			if got := layout(w.stored(t)); err != nil || got != "gb" {
				t.Fatalf("lines are %q, %v; %+v", got, err, res.Faults)
			}
			f := res.Faults[0]
			if f.Line != 2 || f.Pointer != c.pointer || f.Code != c.code || !strings.Contains(f.Detail, c.detail) {
				t.Errorf("fault %+v", f)
			}
		})
	}
}
