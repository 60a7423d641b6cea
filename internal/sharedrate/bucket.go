package sharedrate

import (
	"context"
	"errors"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/belfry-push/belfry/internal/worker"
)

// ErrAway is the error of an Ask while the store cannot be asked and the process has no share to go on with.
var ErrAway = errors.New("sharedrate: the store of shared rates cannot be asked")

// Bucket is one shared bucket as this process sees it. Safe for concurrent use.
type Bucket struct {
	set  *Set
	name string
	id   string // of this bucket in this process, among the members

	limit atomic.Pointer[Limit]

	// What a take needs. Times are durations since the set was made.
	left    atomic.Int64 // tokens of the lease
	until   atomic.Int64 // when the lease is over
	low     atomic.Int64 // below it more is asked for in advance
	told    atomic.Int64 // tokens of the lease that the store thinks are not spent
	next    atomic.Int64 // when that is asked for at the earliest
	touched atomic.Int64 // when it was last used
	asked   atomic.Int64 // tokens, since the last exchange
	flying  atomic.Bool

	waiting atomic.Int64  // tokens that are waited for
	need    atomic.Int64  // the most that one waits for
	share   atomic.Uint64 // see Share; bits of a float64, 0: nothing is known yet
	gone    atomic.Bool   // the store is away
	holds   atomic.Bool   // the stored bucket may have a lease of ours
	stored  atomic.Bool   // the bucket may be stored

	record record // flights' alone

	mu     sync.Mutex
	cut    *cut // to be told to the store
	flight *flight
	marked timeline // of marks
	view   view
	away   away
}

// view is what the last exchange told; guarded by Bucket.mu.
type view struct {
	level   float64       // tokens that nobody had leased
	at      time.Duration // when
	members int           // processes with a lease, this one too
	rate    float64       // of the bucket, tokens a second
	known   bool
}

// Answer is what a bucket answers to an Ask.
type Answer struct {
	OK         bool
	Remaining  int64         // how many may still be taken, as far as is known; others may take some too
	RetryAfter time.Duration // when n tokens may be there if nobody else takes any; [Never] if they never are
	Away       bool          // the store cannot be asked, and this process lives on its last known share
}

// Never is the RetryAfter of what an allotment no longer has, and of more than a bucket holds.
const Never = never

// Take takes n tokens, 1 or more, of what this process has leased, and reports whether it had as many. It returns at
// once, and has more leased in the background when they get few.
func (b *Bucket) Take(n int64) bool {
	now := b.set.elapsed()
	b.touched.Store(int64(now))
	if !b.spend(n, now) {
		return false
	}
	b.asked.Add(n)
	if b.left.Load() < b.low.Load() && int64(now) >= b.next.Load() && !b.flying.Load() {
		b.fly(purposeLease)
	}
	return true
}

func (b *Bucket) spend(n int64, now time.Duration) bool {
	if int64(now) >= b.until.Load() {
		return false
	}
	for {
		left := b.left.Load()
		if left < n {
			return false
		}
		if b.left.CompareAndSwap(left, left-n) {
			return true
		}
	}
}

// Share returns how many tokens a second this process may count on if it takes all it can get: what the others leave, or
// an even part, as of the last exchange; the whole rate before the first. Away tells that the store cannot be asked.
func (b *Bucket) Share() (perSecond float64, away bool) {
	if share := math.Float64frombits(b.share.Load()); share > 0 {
		return share, b.gone.Load()
	}
	return b.limit.Load().rate(), b.gone.Load()
}

// Cut has the bucket give to times its present rate, for all processes; it begins to recover after pause. What is cut
// less than a second after another cut has begun to recover is no cut, so that many processes can say what they all
// noticed. It returns at once. A limit that does not recover is not cut.
func (b *Bucket) Cut(to float64, pause time.Duration) {
	b.mu.Lock()
	b.cut = &cut{to: to, pause: pause}
	b.mu.Unlock()
	b.fly(purposeLease)
}

// Return puts n tokens back that were taken and not used. It returns at once.
func (b *Bucket) Return(n int64) {
	if int64(b.set.elapsed()) < b.until.Load() {
		b.left.Add(n)
	}
}

// Ask takes n tokens, 1 or more: of what this process has leased, else it has more leased and waits for the store, but
// not for the bucket to fill. The error is that ctx ended, or [ErrAway].
func (b *Bucket) Ask(ctx context.Context, n int64) (Answer, error) {
	b.waiting.Add(n)
	defer b.waiting.Add(-n)
	a, err := b.ask(ctx, n)
	if err == nil && !a.OK {
		b.asked.Add(n) // a refusal is demand as well
	}
	return a, err
}

// Wait takes n tokens and waits until they are there. The error is that ctx ended, or that the store has been away for
// longer than the grace, or that they never come.
func (b *Bucket) Wait(ctx context.Context, n int64) error {
	if b.Take(n) {
		return nil
	}
	b.waiting.Add(n)
	defer b.waiting.Add(-n)
	for {
		if !worker.Wait(ctx, b.space(n)) {
			return ctx.Err()
		}
		a, err := b.ask(ctx, n)
		switch {
		case err != nil:
			return err
		case a.OK:
			return nil
		case a.RetryAfter >= Never:
			return ErrNever
		}
		if !worker.Wait(ctx, min(a.RetryAfter, pollMost)) {
			return ctx.Err()
		}
	}
}

// space returns how long to let the bucket fill first: whoever waits asks for a piece of some time's worth, not for
// every token.
func (b *Bucket) space(n int64) time.Duration {
	if b.left.Load() >= n {
		return 0
	}
	return max(0, time.Duration(b.next.Load())-b.set.elapsed())
}

// The least and the most between two exchanges of one that is always short; the most grows with the number of those
// who share the bucket, so that together they change it at most some eighty times a second.
const (
	spaceLeast = 10 * time.Millisecond
	spaceMost  = 100 * time.Millisecond
)

// spaceOf returns the time between exchanges with a bucket that members share: a quarter of what it needs to fill. What
// they have leased counts as there until they tell that it is spent; if that comes near the burst, nothing is refilled.
func spaceOf(limit Limit, members int) time.Duration {
	most := spaceMost * time.Duration(max(1, members/8))
	return min(max(limit.takes(float64(limit.Burst))/4, spaceLeast), most)
}

// ErrNever is the error of a Wait for tokens that never come.
var ErrNever = errors.New("sharedrate: the bucket never has as many tokens")

// pollMost is how long whoever waits goes without looking: others may give back what they do not need.
const pollMost = 100 * time.Millisecond

// ask tries what is leased, and at most three exchanges: one may have begun before this caller said what he needs, and
// others may be quicker to spend what another brought.
func (b *Bucket) ask(ctx context.Context, n int64) (Answer, error) {
	for range 3 {
		if b.Take(n) {
			return b.answer(n, true), nil
		}
		if b.closed(n) {
			return b.answer(n, false), nil
		}
		raise(&b.need, n)
		f := b.fly(purposeLease)
		if f == nil { // the store is away, or the set is closed
			if b.Take(n) {
				return b.answer(n, true), nil
			}
			if b.lost() {
				return Answer{Away: true}, ErrAway
			}
			return b.answer(n, false), nil
		}
		select {
		case <-f.done:
		case <-ctx.Done():
			return Answer{}, ctx.Err()
		}
	}
	return b.answer(n, b.Take(n)), nil
}

// raise sets a to n if it is less.
func raise(a *atomic.Int64, n int64) {
	for {
		old := a.Load()
		if old >= n || a.CompareAndSwap(old, n) {
			return
		}
	}
}

// there returns the tokens that may be had now, as far as is known.
func (b *Bucket) there(now time.Duration) float64 {
	limit := b.limit.Load()
	left := float64(0)
	if int64(now) < b.until.Load() {
		left = float64(b.left.Load())
	}
	if b.away.since > 0 {
		return left + b.away.rate*(now-b.away.paid).Seconds()
	}
	if !b.view.known {
		return float64(limit.Burst)
	}
	return min(b.view.level+b.view.rate*(now-b.view.at).Seconds(), float64(limit.Burst)) + left
}

// closed reports whether the store need not be asked for n tokens: it said of late that they are not there, and not
// enough time has passed, and it knows of all that was spent. So a flood of refused takes does not become a flood of calls.
func (b *Bucket) closed(n int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.set.elapsed()
	if !b.view.known || now-b.view.at > pollMost || b.away.since > 0 || b.told.Load() > b.left.Load() {
		return false
	}
	return b.there(now) < float64(n)
}

func (b *Bucket) answer(n int64, ok bool) Answer {
	b.mu.Lock()
	defer b.mu.Unlock()
	limit := b.limit.Load()
	there := b.there(b.set.elapsed())
	a := Answer{OK: ok, Remaining: max(0, min(int64(there), limit.Burst)), Away: b.away.since > 0}
	if ok {
		return a
	}
	if a.RetryAfter = limit.takes(float64(n) - there); n > limit.Burst {
		a.RetryAfter = never
	}
	a.RetryAfter = max(a.RetryAfter, time.Millisecond)
	return a
}

// fills returns how long an empty bucket needs to be full, 0 for an allotment.
func (b *Bucket) fills(limit *Limit) time.Duration {
	if limit.Tokens == 0 {
		return 0
	}
	return limit.takes(float64(limit.Burst))
}

// Look has the store asked how the bucket stands if this process has not heard of it for so long, beside the caller. It
// leases nothing.
func (b *Bucket) Look(older time.Duration) {
	b.mu.Lock()
	known := b.view.known && b.set.elapsed()-b.view.at < older
	b.mu.Unlock()
	if !known {
		b.fly(purposeLook)
	}
}

// Ascertain asks the store how the bucket stands, and returns it. Others may take meanwhile. The error is that ctx ended;
// what is known stands while the store is away.
func (b *Bucket) Ascertain(ctx context.Context) (Answer, error) {
	if f := b.fly(purposeLook); f != nil {
		select {
		case <-f.done:
		case <-ctx.Done():
			return Answer{}, ctx.Err()
		}
	}
	return b.Standing(), nil
}

// Standing returns how the bucket stands as far as this process knows, and takes nothing. It asks nobody.
func (b *Bucket) Standing() Answer { return b.answer(0, true) }
