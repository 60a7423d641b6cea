package sharedrate

import (
	"time"
)

// away is what a process lives on while the store cannot be asked; guarded by Bucket.mu.
type away struct {
	good  time.Duration // when an exchange last went well
	since time.Duration // 0: the store is there
	tried time.Duration // when it was last tried
	paid  time.Duration // until when the share was paid out
	ends  time.Duration // until when there is a share

	rate   float64 // tokens a second: the share
	stake  float64 // tokens that it gives once: a share of what was there
	staked int64   // that it gave so
	burst  float64 // the most that it pays out at once
	rest   float64 // of a token
	minted int64   // tokens paid out
}

// probeEvery is how often the store is tried while it is away.
const probeEvery = 500 * time.Millisecond

// start fixes the share: an even part among those who had a lease when the store was last asked.
func (a *away) start(v view, now time.Duration, limit *Limit, cfg *Config) {
	if !v.known {
		return
	}
	n := float64(v.members)
	a.rate, a.burst = v.rate/n, max(1, float64(limit.Burst)/n)
	a.stake = max(0, min(v.level+v.rate*(now-v.at).Seconds(), float64(limit.Burst))) / n
	a.staked = int64(a.stake)
	if a.ends = a.good + cfg.Grace; now < a.ends {
		a.ends = max(a.ends, now+cfg.Keep)
	}
}

// payOut adds to the lease what the share has given since it was last paid. Whoever has not used the bucket for long when
// the store goes away has no share in it.
func (b *Bucket) payOut() {
	a, now := &b.away, b.set.elapsed()
	if b.lostNow(now) {
		b.left.Store(0)
		return
	}
	due := min(a.rest+a.stake+a.rate*(now-a.paid).Seconds(), a.burst)
	a.paid, a.stake = now, 0
	pay := int64(due)
	a.rest = due - float64(pay)
	a.minted += pay
	if int64(now) >= b.until.Load() {
		b.left.Store(0)
	}
	b.until.Store(int64(min(now+b.set.cfg.Lease, a.ends)))
	b.left.Add(pay)
}

func (b *Bucket) lostNow(now time.Duration) bool {
	a := &b.away
	return a.since > 0 && (a.burst == 0 || now > a.ends)
}

// lost reports whether the store is away and there is no share to go on with, or no longer.
func (b *Bucket) lost() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.lostNow(b.set.elapsed())
}

// account is what a process has to say when the store is back.
type account struct {
	left   int64 // it has not spent
	spent  int64 // of what was paid out
	staked int64 // of that, what was in the bucket before
}

// comeBack takes what is left out of use until the store has answered, if the store was away; else it returns nil.
func (b *Bucket) comeBack() *account {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.away.since == 0 {
		return nil
	}
	left := b.left.Swap(0)
	spent := max(0, b.away.minted-left)
	return &account{left: left, spent: spent, staked: min(spent, b.away.staked)}
}

// settle says how the bucket is to be corrected. If nobody has changed it since, the store was away for all, and all
// lived on their shares: the bucket gets nothing for that time, and each pays for his part of what was in it. Else
// others went on without us, and what we spent is taken from what they left.
func (c *account) settle(a *ask, unchanged bool) {
	if c == nil {
		return
	}
	if a.idle, a.lost = unchanged, c.spent; unchanged {
		a.lost = c.staked
	}
}
