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
	if seconds := time.Since(u.begun).Seconds(); seconds > 0 {
		s += fmt.Sprintf(", %s/s", Group(int64(float64(u.lines)/seconds)))
	}
	if u.size > 0 {
		s += fmt.Sprintf(", %.0f%%", 100*float64(min(u.read, u.size))/float64(u.size))
	}
	return s
}
