package progress

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// upload shows an upload of 4,000 lines and 400,000 bytes that takes 8 s.
func upload(d *Display, size int64) {
	u := d.Upload(size)
	for lines := int64(1000); lines <= 4000; lines += 1000 {
		time.Sleep(2 * time.Second)
		u.Update(lines, lines/1000-1, lines*100)
	}
	u.Close()
}

func TestUploadPlain(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		upload(New(&out, false), 400_000)
		upload(New(&out, false), 0)
		want := `upload: 3,000 lines, 2 refused, 500/s, 75%, 2s left
upload: 3,000 lines, 2 refused, 500/s
`
		if diff := cmp.Diff(want, out.String()); diff != "" {
			t.Errorf("lines (-want +got):\n%s", diff)
		}
	})
}

func TestUploadBar(t *testing.T) {
	t.Parallel()

	for _, size := range []int64{400_000, 0} {
		synctest.Test(t, func(t *testing.T) {
			var out strings.Builder
			upload(New(&out, true), size)
			text := out.String()
			if !strings.Contains(text, "upload [") || !strings.Contains(text, "4,000 lines, 3 refused, 500/s") {
				t.Errorf("size %d: %q", size, text)
			}
			if full := strings.Contains(text, "100%"); full != (size > 0) {
				t.Errorf("size %d: full is %v", size, full)
			}
		})
	}
}

// What was there before has no part in the rate and in what is left.
func TestUploadGoesOn(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		u := New(&out, false).Upload(1_000_000)
		time.Sleep(time.Minute)
		u.From(500_000, 500_000)
		time.Sleep(10 * time.Second)
		u.Update(600_000, 0, 600_000)
		u.Printf("no answer")
		u.Close()
		want := "upload: 600,000 lines, 10,000/s, 60%, 40s left\nupload: no answer\n"
		if diff := cmp.Diff(want, out.String()); diff != "" {
			t.Errorf("lines (-want +got):\n%s", diff)
		}
	})
}
