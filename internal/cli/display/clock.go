package display

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"time"

	"github.com/dustin/go-humanize"
)

// Clock is a time as tables show it: RFC 3339 in UTC, and nothing for none.
func Clock(t *time.Time) string {
	if t == nil || t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// Age says how long ago a time was, or how far ahead it is: 3 m ago, in 2 h. It
// is nothing for none.
func (c *Console) Age(t *time.Time) string {
	if t == nil || t.IsZero() {
		return ""
	}
	now := c.now()
	const day, year = 24 * time.Hour, 365 * 24 * time.Hour
	steps := []humanize.RelTimeMagnitude{
		{D: time.Second, Format: "now", DivBy: 1},
		{D: time.Minute, Format: "%d s", DivBy: time.Second},
		{D: time.Hour, Format: "%d m", DivBy: time.Minute},
		{D: 2 * day, Format: "%d h", DivBy: time.Hour},
		{D: 2 * year, Format: "%d d", DivBy: day},
		{D: math.MaxInt64, Format: "%d y", DivBy: year},
	}
	span := humanize.CustomRelTime(*t, now, "", "", steps)
	switch {
	case span == "now":
		return span
	case t.After(now):
		return "in " + span
	default:
		return span + " ago"
	}
}

// Time is [Clock] with the age: 2026-11-01T12:00:00Z (3 m ago).
func (c *Console) Time(t *time.Time) string {
	if t == nil || t.IsZero() {
		return ""
	}
	return Clock(t) + " (" + c.Age(t) + ")"
}

// At is the time that is so far ahead.
func (c *Console) At(ahead time.Duration) time.Time { return c.now().Add(ahead).UTC() }

// span is an age in one unit, such as 90m, 3d or 2w.
var span = regexp.MustCompile(`^([0-9]{1,6})([smhdw])$`)

// Moment reads a time that a person gives: how long ago it is (90m, 36h, 3d, 2w, 1h30m), a
// day (2026-11-01, which begins at midnight UTC) or a point in time as in RFC 3339.
func (c *Console) Moment(text string) (time.Time, error) {
	if m := span.FindStringSubmatch(text); m != nil {
		units := map[string]time.Duration{
			"s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour, "w": 7 * 24 * time.Hour,
		}
		n, _ := strconv.Atoi(m[1]) // six digits
		if n <= math.MaxInt64/int(units[m[2]]) {
			return c.now().Add(-time.Duration(n) * units[m[2]]), nil
		}
	}
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return c.now().Add(-d), nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("must be an age such as 90m, 36h, 3d or 2w, a day such as 2026-11-01, or a time such as "+
		"2026-11-01T15:04:05Z (got %q)", text)
}
