package progress

import (
	"fmt"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
)

// Upload shows how much of an upload is durable. Its methods may be called from
// any goroutine.
type Upload struct {
	d     *Display
	size  int64
	begun time.Time
	bar   *mpb.Bar
	end   func(complete bool)

	mu             sync.Mutex
	lines, refused int64
	read           int64
	said           time.Time
	before, passed int64 // lines and bytes that this upload has nothing to do with
}

// Upload begins to show an upload of size bytes, 0 when that is not known.
func (d *Display) Upload(size int64) *Upload {
	u := &Upload{d: d, size: size, begun: time.Now(), said: time.Now()}
	u.bar, u.end = d.show(func() string { return "upload" }, u.state)
	if u.bar != nil && size > 0 {
		u.bar.SetTotal(size, false)
	}
	return u
}

// From says that an upload goes on behind a number of lines, for which so many
// bytes were read: they don't count for its rate.
func (u *Upload) From(lines, read int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.begun, u.before, u.passed = time.Now(), lines, read
	u.lines, u.read = lines, read
}

// Printf prints a line; see [Display.Printf].
func (u *Upload) Printf(format string, args ...any) { u.d.Printf("upload: "+format, args...) }

// Update says how many lines are durable, how many of them were refused, and
// how many bytes were read for them.
func (u *Upload) Update(lines, refused, read int64) {
	u.mu.Lock()
	u.lines, u.refused, u.read = lines, refused, read
	speak := u.bar == nil && time.Since(u.said) >= plainEvery
	if speak {
		u.said = time.Now()
	}
	u.mu.Unlock()
	if u.bar != nil {
		u.bar.SetCurrent(min(read, max(u.size, 0)))
	}
	if speak {
		u.d.Printf("upload: %s", u.state())
	}
}

// Close ends the bar, at what it shows.
func (u *Upload) Close() {
	u.mu.Lock()
	complete := u.size > 0 && u.read >= u.size
	u.mu.Unlock()
	u.end(complete)
}

func (u *Upload) state() string {
	u.mu.Lock()
	defer u.mu.Unlock()
	s := Group(u.lines) + " lines"
	if u.refused > 0 {
		s += ", " + Group(u.refused) + " refused"
	}
	seconds := time.Since(u.begun).Seconds()
	if seconds > 0 {
		s += fmt.Sprintf(", %s/s", Group(int64(float64(u.lines-u.before)/seconds)))
	}
	if u.size > 0 {
		s += fmt.Sprintf(", %.0f%%", 100*float64(min(u.read, u.size))/float64(u.size))
		if done := u.read - u.passed; done > 0 && u.read < u.size {
			left := time.Duration(seconds * float64(u.size-u.read) / float64(done) * float64(time.Second))
			s += fmt.Sprintf(", %s left", max(left.Round(time.Second), time.Second))
		}
	}
	return s
}
