package guard

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestPacerRamp(t *testing.T) {
	t.Parallel()
	p := newPacer(DefaultConfig("a"), nil)
	for _, tc := range []struct {
		at   time.Duration
		want float64
	}{
		{0, 100},
		{30 * time.Second, 5050},
		{time.Minute, 10_000},
		{time.Hour, 10_000},
	} {
		if got := p.pace(tc.at); got != tc.want {
			t.Errorf("pace after %v is %v, want %v", tc.at, got, tc.want)
		}
	}
}

func TestPacerYieldsTo429(t *testing.T) {
	t.Parallel()
	cfg := DefaultConfig("a")
	cfg.Ramp = 0
	cfg.QuotaRow = 1 // every 429 counts here
	p := newPacer(cfg, nil)
	step := func(what string, at time.Duration, want float64) {
		t.Helper()
		if got := p.pace(at); got < want*0.999 || got > want*1.001 {
			t.Fatalf("%s: pace at %v is %v, want %v", what, at, got, want)
		}
	}
	if !p.throttled(TrafficLive, 0, 0) {
		t.Error("the first cut of a full pace is not told")
	}
	step("cut to a half", 0, 5000)
	if p.throttled(TrafficLive, 999*time.Millisecond, 0) {
		t.Error("told again")
	}
	step("one cut per interval, recovery goes on", time.Second, 5000+10_000.0/120)
	p.throttled(TrafficLive, time.Second, 0)
	step("the next cut", time.Second, (5000+10_000.0/120)/2)
	step("recovered", 3*time.Minute, 10_000)
	for at := 3 * time.Minute; at < 4*time.Minute; at += time.Second {
		p.throttled(TrafficLive, at, 0)
	}
	step("never below a hundredth, plus what the last second recovered", 4*time.Minute, 100+10_000.0/120)
}

func TestPacerPausesForRetryAfter(t *testing.T) {
	t.Parallel()
	cfg := DefaultConfig("a")
	cfg.Ramp = 0
	cfg.QuotaRow = 1 // every 429 counts here
	p := newPacer(cfg, nil)
	p.throttled(TrafficLive, 0, 30*time.Second)
	p.throttled(TrafficLive, 5*time.Second, 40*time.Second) // sent before the pause, answered within
	p.throttled(TrafficLive, 6*time.Second, time.Second)
	if _, at, ok := p.take(TrafficLive, 6*time.Second); ok || at != 45*time.Second {
		t.Fatalf("take in a pause: %v %t, want 45s false", at, ok)
	}
	if pl, at, paused := p.join(TrafficLive, "a", 1, 6*time.Second, time.Minute); pl != nil || at != 45*time.Second || !paused {
		t.Fatalf("join in a pause: %v %t, want 45s true", at, paused)
	}
	if got := p.pace(6 * time.Second); got != 0 {
		t.Fatalf("pace in a pause is %v, want 0", got)
	}
	// Cut once, and recovering only since the pause ended.
	if got := p.pace(45 * time.Second); got != 5000 {
		t.Fatalf("pace after the pause is %v, want 5000", got)
	}
	if _, _, ok := p.take(TrafficLive, 45*time.Second); !ok {
		t.Fatal("nothing to take after the pause")
	}
}

func TestPacerIgnoresAFew429AmongManyAnswers(t *testing.T) {
	t.Parallel()
	cfg := DefaultConfig("a")
	cfg.Ramp = 0
	p := newPacer(cfg, nil)
	for range 1000 {
		p.answered()
	}
	for at := range 1000 { // 1 in 50: one device is over its rate, not the project
		p.throttled(TrafficLive, time.Duration(at)*time.Second, time.Minute)
		for range 49 {
			p.answered()
		}
	}
	if got := p.pace(1000 * time.Second); got != cfg.PerSecond {
		t.Fatalf("pace is %v, want %v", got, cfg.PerSecond)
	}
	for range 10 { // but a row of them is the project
		p.throttled(TrafficLive, 1000*time.Second, time.Minute)
	}
	if _, paused := p.pausedUntil(TrafficLive, 1000*time.Second); !paused {
		t.Fatal("a row of 429 does not pause")
	}
}

func TestPacerGiveBack(t *testing.T) {
	t.Parallel()
	cfg := DefaultConfig("a")
	cfg.Ramp, cfg.Burst, cfg.PerSecond = 0, 0, 10
	p := newPacer(cfg, nil)
	got, _, _ := p.take(TrafficLive, 0)
	if _, at, ok := p.take(TrafficLive, 0); ok || at != 100*time.Millisecond {
		t.Fatalf("the second is due at %v, want 100ms", at)
	}
	p.giveBack(0, got)
	if _, _, ok := p.take(TrafficLive, 0); !ok {
		t.Fatal("what was given back is lost")
	}
}

// No stretch of time sees more requests than the full pace and the burst allow,
// whatever is answered meanwhile and whoever waits or leaves, and none is let go in a pause.
func TestPacerNeverExceedsThePace(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		cfg := DefaultConfig("a")
		cfg.PerSecond = rapid.Float64Range(0.5, 2000).Draw(t, "perSecond")
		cfg.Burst = time.Duration(rapid.Int64Range(0, int64(time.Second)).Draw(t, "burst"))
		cfg.Ramp = time.Duration(rapid.Int64Range(0, int64(10*time.Second)).Draw(t, "ramp"))
		var now time.Duration
		p := newPacer(cfg, func() time.Duration { return now })
		p.timer = time.AfterFunc(time.Hour, func() {}) // the test turns the clock
		defer p.timer.Stop()
		var points []time.Duration
		var waiting []*place
		collect := func() {
			waiting = slices.DeleteFunc(waiting, func(pl *place) bool {
				select {
				case answer := <-pl.told:
					if answer.ok {
						points = append(points, now)
					}
					return true
				default:
					return false
				}
			})
		}
		for range rapid.IntRange(1, 400).Draw(t, "steps") {
			switch rapid.IntRange(0, 10).Draw(t, "step") {
			case 0:
				now += time.Duration(rapid.Int64Range(0, int64(5*time.Second)).Draw(t, "idle"))
				p.fire()
			case 1:
				p.throttled(TrafficLive, now, time.Duration(rapid.Int64Range(0, int64(2*time.Second)).Draw(t, "retryAfter")))
			case 2:
				p.answered()
			case 3:
				if len(waiting) > 0 {
					p.leave(waiting[0], now)
					waiting = waiting[1:]
				}
			case 4, 5:
				tenant := rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "tenant")
				if pl, _, _ := p.join(TrafficLive, tenant, rapid.IntRange(1, 100).Draw(t, "weight"), now, 10*time.Second); pl != nil {
					waiting = append(waiting, pl)
				}
			default:
				if got, _, ok := p.take(TrafficLive, now); ok {
					if until, paused := p.pausedUntil(TrafficLive, now); paused {
						t.Fatalf("taken at %v, paused until %v", now, until)
					}
					if points = append(points, now); rapid.IntRange(0, 9).Draw(t, "unused") == 0 {
						points = points[:len(points)-1]
						p.giveBack(now, got)
					}
				}
			}
			collect()
			if _, _, ok := p.take(TrafficLive, now); ok && len(waiting) > 0 {
				t.Fatal("somebody waits, and somebody else is let go")
			} else if ok {
				points = append(points, now)
			}
			if pace := p.pace(now); pace > cfg.PerSecond {
				t.Fatalf("pace %v over %v", pace, cfg.PerSecond)
			}
		}
		for i, from := range points {
			for j, to := range points[i:] {
				if most := cfg.PerSecond*(to-from+cfg.Burst).Seconds() + 1; float64(j+1) > most+1e-6 {
					t.Fatalf("%d points from %v to %v, at most %v allowed", j+1, from, to, most)
				}
			}
		}
	})
}

// A device over its own rate answers 429 too, and must not stop the others.
func TestPacerBearsALoneRefusal(t *testing.T) {
	t.Parallel()
	cfg := DefaultConfig("a")
	cfg.Ramp = 0
	p := newPacer(cfg, nil)
	p.throttled(TrafficLive, 0, time.Hour)
	if got := p.pace(time.Second); got != cfg.PerSecond {
		t.Errorf("after one 429 the pace is %v, want %v", got, cfg.PerSecond)
	}
	for range 9 {
		p.throttled(TrafficLive, 0, time.Minute)
	}
	if got := p.pace(time.Second); got != 0 {
		t.Errorf("after ten in a row the pace is %v, want a pause", got)
	}
}

// What worse traffic is refused pauses that and what is worse still.
func TestPacerPausesDownwards(t *testing.T) {
	t.Parallel()
	for _, from := range Traffics() {
		cfg := DefaultConfig("a")
		cfg.Ramp = 0
		p := newPacer(cfg, nil)
		for range 10 {
			p.throttled(from, 0, time.Minute)
		}
		for _, of := range Traffics() {
			_, paused := p.pausedUntil(of, time.Second)
			if _, _, ok := p.take(of, time.Second); paused != (of >= from) || ok == paused {
				t.Errorf("429 to %s: %s paused %t, may go %t", from, of, paused, ok)
			}
		}
	}
}
