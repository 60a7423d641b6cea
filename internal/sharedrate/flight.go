package sharedrate

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/worker"
)

// purpose is what an exchange with the store is for.
type purpose uint8

const (
	purposeLease    purpose = iota // more tokens
	purposeGiveBack                // all that is left goes back
	purposeRemove                  // the document, if the bucket is full
	purposeLook                    // nothing but how it stands
)

// flight is an exchange with the store that is under way: one at a time for a bucket.
type flight struct {
	done chan struct{}
}

// fly starts an exchange, or returns the one that is under way. It returns nil if the store is not worth asking: the set
// is closed, or the store was away a moment ago. In that case it has paid out what the share gives.
func (b *Bucket) fly(p purpose) *flight {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.away.since > 0 && p == purposeLease {
		b.payOut()
	}
	if b.flight != nil {
		if b.away.since > 0 {
			return nil
		}
		return b.flight
	}
	now := b.set.elapsed()
	if b.away.since > 0 && now-b.away.tried < probeEvery {
		return nil
	}
	f := &flight{done: make(chan struct{})}
	if !b.set.launch(p, func() { b.run(f, p) }) {
		return nil
	}
	b.flight = f
	b.flying.Store(true)
	if b.away.since > 0 {
		b.away.tried = now
		return nil // it goes on beside whoever lives on the share
	}
	return f
}

// launch runs f beside the caller, unless the set is closed, or is being closed and more is to be leased.
func (s *Set) launch(p purpose, f func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.closing && p != purposeGiveBack {
		return false
	}
	s.flights.Go(f)
	return true
}

// run outlives whoever made it start: others wait for it too.
// So it has a context of its own.
//
//nolint:contextcheck,nolintlint // see above
func (b *Bucket) run(f *flight, p purpose) {
	b.set.slots <- struct{}{}
	defer func() { <-b.set.slots }()
	ctx, cancel := context.WithTimeout(context.Background(), b.set.cfg.Timeout)
	defer cancel()
	var err error
	switch p {
	case purposeLease:
		err = b.lease(ctx)
	case purposeGiveBack:
		err = b.giveBack(ctx)
	case purposeRemove:
		err = b.remove(ctx)
	case purposeLook:
		if err = b.read(ctx); err == nil {
			b.saw()
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.landed(err)
	b.flight = nil
	b.flying.Store(false)
	close(f.done)
}

// landed notes how an exchange ended. That others were quicker every time says nothing about the store.
func (b *Bucket) landed(err error) {
	now := b.set.elapsed()
	switch {
	case err == nil:
		b.away = away{good: now}
		b.gone.Store(false)
		b.set.says(nil)
	case errors.Is(err, push.ErrConflict):
	default:
		if b.away.since == 0 {
			b.away.since, b.away.paid = now, now
			b.away.start(b.view, now, b.limit.Load(), &b.set.cfg)
			b.share.Store(math.Float64bits(b.away.rate))
		}
		b.gone.Store(true)
		b.away.tried = now
		b.payOut()
		b.set.says(err)
	}
}

// record is the stored bucket as a flight knows it; only flights use it, one at a time.
type record struct {
	item    item
	version int64 // 0: not stored

	timeline

	alone bool // nobody else wrote between our last two writes, so that it need not be read first

	demand float64 // tokens a second
	last   time.Duration
	took   time.Duration // how long the last exchange took
	gave   int64         // what was leased last
}

// read reads the bucket anew.
func (b *Bucket) read(ctx context.Context) error {
	r := &b.record
	var i item
	version, err := document.Load(ctx, b.set.cfg.Documents, Kind, b.name, &i)
	if errors.Is(err, push.ErrNotFound) {
		i, err = newItem(string(push.NewID("bkt")), *b.limit.Load()), nil
	}
	if err != nil {
		return err
	}
	r.item, r.version = i, version
	r.sync(&r.item, b.set.elapsed())
	return nil
}

// timeline tells a bucket's time by ours.
type timeline struct {
	base, baseAt time.Duration // the bucket's time, and ours, when it was read
	epoch        string
}

// sync fits our idea of the bucket's time to what was read. What is read is late and never early.
func (l *timeline) sync(i *item, now time.Duration) {
	if i.Epoch != l.epoch || i.At > l.time(now) {
		l.epoch, l.base, l.baseAt = i.Epoch, i.At, now
	}
}

// time returns the bucket's time, in whole milliseconds that have passed.
func (l *timeline) time(now time.Duration) time.Duration {
	return (l.base + now - l.baseAt).Truncate(time.Millisecond)
}

// changes is how often an exchange is tried anew when others are quicker.
const changes = 10

// change has the bucket changed by f, which is called anew on what is stored for every try. f returns false if nothing
// is to be stored.
func (b *Bucket) change(ctx context.Context, f func(i *item) bool) error {
	r := &b.record
	for try := range changes {
		if !r.alone || try > 0 {
			if err := b.read(ctx); err != nil {
				return err
			}
		}
		next := r.item.clone()
		if !f(&next) {
			return nil
		}
		err := document.Save(ctx, b.set.cfg.Documents, Kind, b.name, r.version+1, next, time.Now())
		if err == nil {
			r.alone = try == 0 && len(next.Members) <= 1
			r.item, r.version = next, r.version+1
			b.stored.Store(true)
			return nil
		}
		r.alone = false
		if !errors.Is(err, push.ErrConflict) {
			return err
		}
		most := time.Duration(try+1) * 4 * time.Millisecond
		if !worker.Wait(ctx, rand.N(most)) { //nolint:gosec // jitter
			return ctx.Err()
		}
	}
	return fmt.Errorf("%s: others changed it %d times: %w", b.name, changes, push.ErrConflict)
}

// The span that a block is for: longer where many share the bucket, so that they do not get into each other's way, and
// where the store is slow.
const (
	spanLeast = 200 * time.Millisecond
	spanMost  = 2 * time.Second
)

func (b *Bucket) span() time.Duration {
	span := max(spanLeast, time.Duration(len(b.record.item.Members))*50*time.Millisecond, 3*b.record.took)
	return min(span, spanMost)
}

// lease has more tokens leased.
func (b *Bucket) lease(ctx context.Context) error {
	begun := b.set.elapsed()
	r, limit := &b.record, *b.limit.Load()
	r.reckon(begun, b.asked.Swap(0))
	waiting, span := b.waiting.Load(), b.span()
	wants := r.demand + float64(waiting)/span.Seconds()
	if waiting > 0 && b.left.Load() < waiting { // what it had did not do: how much would, is only to be found out
		wants = max(wants, 2*float64(r.gave)/span.Seconds())
	}
	a := ask{
		id: b.id, lease: b.set.cfg.Lease, wants: wants, need: b.need.Swap(0),
		block: min(limit.Burst, max(1, limit.Burst/128, waiting, int64(math.Ceil(wants*span.Seconds())))),
	}
	if int64(begun) >= b.until.Load() {
		b.left.Store(0) // the lease is over
	}
	known, spare := r.version, b.comeBack()
	a.cut = b.takeCut()
	var gave int64
	err := b.change(ctx, func(i *item) bool {
		spare.settle(&a, known == r.version)
		a.left, a.at = b.left.Load(), r.time(b.set.elapsed())
		before := i.member(b.id)
		gave = i.exchange(a, limit)
		return gave > 0 || a.lost > 0 || a.idle || a.cut != nil || !before.likes(i.member(b.id), b.set.cfg.Lease)
	})
	if err != nil {
		b.putBack(spare, a.cut)
		return err
	}
	b.until.Store(int64(begun + b.set.cfg.Lease - 2*time.Millisecond)) // the bucket's time is in whole milliseconds
	b.told.Store(a.left + gave)
	left := b.left.Add(gave)
	if gave > 0 {
		r.gave = gave
	}
	b.holds.Store(true)
	b.low.Store(left / 2)
	r.took = b.set.elapsed() - begun
	b.saw()
	return nil
}

// takeCut takes what is to be cut.
func (b *Bucket) takeCut() (c *cut) {
	b.mu.Lock()
	defer b.mu.Unlock()
	c, b.cut = b.cut, nil
	return c
}

func (b *Bucket) cutting() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.cut != nil
}

// putBack keeps what could not be told to the store for the next time.
func (b *Bucket) putBack(spare *account, c *cut) {
	if spare != nil {
		b.left.Add(spare.left)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.cut == nil {
		b.cut = c
	}
}

// reckon brings the demand up to date.
func (r *record) reckon(now time.Duration, asked int64) {
	since := (now - r.last).Seconds()
	if since <= 0 {
		since = time.Microsecond.Seconds()
	}
	r.last = now
	r.demand += (float64(asked)/since - r.demand) * (1 - math.Exp(-since))
}

// saw notes what the exchange told for those who take.
func (b *Bucket) saw() {
	b.mu.Lock()
	defer b.mu.Unlock()
	i := &b.record.item
	level := i.clone()
	now := b.set.elapsed()
	level.advance(max(i.At, b.record.time(now)), *b.limit.Load())
	rate := level.rate(*b.limit.Load())
	b.view = view{level: float64(level.Level) / micro, at: now, members: max(1, len(i.Members)), rate: rate, known: true}
	b.share.Store(math.Float64bits(level.fairRate(ask{id: b.id, wants: math.Inf(1)}, *b.limit.Load())))
	b.next.Store(int64(now + spaceOf(*b.limit.Load(), b.view.members)))
}

// giveBack returns what is left. What cannot be given back is forfeit when the lease is over.
func (b *Bucket) giveBack(ctx context.Context) error {
	left := b.left.Swap(0)
	b.told.Store(0)
	err := b.change(ctx, func(i *item) bool {
		i.giveBack(b.id, left, b.record.time(b.set.elapsed()), *b.limit.Load())
		return true
	})
	b.holds.Store(false)
	if err == nil {
		b.saw()
	}
	return err
}

// remove removes the document of a bucket that is full, and of which nobody has leased anything: without it, it is as
// full.
func (b *Bucket) remove(ctx context.Context) error {
	if err := b.read(ctx); err != nil {
		return err
	}
	r := &b.record
	r.item.advance(max(r.item.At, r.time(b.set.elapsed())), *b.limit.Load())
	b.stored.Store(false)
	if r.version == 0 || !r.item.full() {
		return nil // others watch it
	}
	r.alone = false
	err := b.set.cfg.Documents.DeleteDocument(ctx, Kind, b.name, r.version)
	if errors.Is(err, push.ErrConflict) || errors.Is(err, push.ErrNotFound) {
		return nil
	}
	return err
}
