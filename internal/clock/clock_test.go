package clock

import (
	"testing"
	"testing/synctest"
	"time"
)

func noon() time.Time { return time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC) }

func TestStart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		elapsed := Start()
		time.Sleep(3 * time.Second)
		if got := elapsed(); got != 3*time.Second {
			t.Errorf("%v after 3 s", got)
		}
	})
}

func TestAge(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name          string
		wall, elapsed time.Duration // since the moment
		want          time.Duration
	}{
		{"at once", 0, 0, 0},
		{"a second later", time.Second, time.Second, time.Second},
		{"the wall clock was set forward", time.Hour, time.Second, time.Hour},
		{"set back, not behind it", time.Second, 9 * time.Second, 9 * time.Second},
		{"set back behind it", -8 * time.Second, time.Millisecond, forever},
		{"set back by next to nothing", -time.Microsecond, time.Millisecond, time.Millisecond},
		{"it is yet to come, for whoever looked before", -time.Microsecond, -time.Microsecond, 0},
		{"the machine slept", time.Hour, time.Millisecond, time.Hour},
	} {
		m := Moment{Wall: noon(), Elapsed: time.Minute}
		now := Moment{Wall: noon().Add(c.wall), Elapsed: time.Minute + c.elapsed}
		if got := m.Age(now); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	// Both wall times may have a monotonic reading, which must not be asked.
	m, now := Moment{Wall: time.Now()}, Moment{Wall: time.Now().Round(0).Add(-time.Minute), Elapsed: time.Second}
	if got := m.Age(now); got != forever {
		t.Errorf("with a monotonic reading: %v", got)
	}
}

func TestSteps(t *testing.T) {
	t.Parallel()
	var s Steps
	at := Moment{Wall: noon(), Elapsed: time.Hour}
	if by := s.Look(at); by != 0 {
		t.Errorf("the first look tells of %v", by)
	}
	for _, c := range []struct {
		name string
		step time.Duration // of the wall clock, beside the second that passes
		want time.Duration
	}{
		{"nothing", 0, 0},
		{"NTP slows it down", -500 * time.Microsecond, 0},
		{"below what counts", 499 * time.Millisecond, 0},
		{"back", -8 * time.Second, -8 * time.Second},
		{"told once", 0, 0},
		{"forward", time.Minute, time.Minute},
		{"a day", 24 * time.Hour, 24 * time.Hour},
		{"half a second back", -500 * time.Millisecond, -500 * time.Millisecond},
	} {
		at.Elapsed += time.Second
		at.Wall = at.Wall.Add(time.Second + c.step)
		if by := s.Look(at); by != c.want {
			t.Errorf("%s: %v, want %v", c.name, by, c.want)
		}
	}
}
