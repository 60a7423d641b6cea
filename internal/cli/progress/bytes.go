package progress

import (
	"fmt"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
)

// Copied shows how much of something is copied. Its methods may be called from
// any goroutine.
type Copied struct {
	d    *Display
	name string
	bar  *mpb.Bar
	end  func(complete bool)

	mu          sync.Mutex
	done, total int64
	said        time.Time
}

// Bytes begins to show a copy.
func (d *Display) Bytes(name string) *Copied {
	c := &Copied{d: d, name: name, said: time.Now()}
	c.bar, c.end = d.show(func() string { return name }, c.state)
	return c
}

// Update says how many bytes are copied, of how many.
func (c *Copied) Update(done, total int64) {
	c.mu.Lock()
	c.done, c.total = done, total
	speak := c.bar == nil && time.Since(c.said) >= plainEvery
	if speak {
		c.said = time.Now()
	}
	c.mu.Unlock()
	if c.bar != nil {
		c.bar.SetTotal(total, false)
		c.bar.SetCurrent(min(done, total))
	}
	if speak {
		c.d.Printf("%s: %s", c.name, c.state())
	}
}

// Close ends the bar, at what it shows.
func (c *Copied) Close() {
	c.mu.Lock()
	complete := c.total > 0 && c.done >= c.total
	c.mu.Unlock()
	c.end(complete)
}

func (c *Copied) state() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return Bytes(c.done) + " of " + Bytes(c.total)
}

// Bytes is a number of bytes for people.
func Bytes(n int64) string {
	const kibi = 1024
	switch {
	case n >= kibi*kibi*kibi:
		return fmt.Sprintf("%.1f GiB", float64(n)/(kibi*kibi*kibi))
	case n >= kibi*kibi:
		return fmt.Sprintf("%.1f MiB", float64(n)/(kibi*kibi))
	default:
		return fmt.Sprintf("%.1f KiB", float64(n)/kibi)
	}
}
