package privacy

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
)

// erase does what is left of an erasure. Every step may be repeated: what it has done already
// is not there any more, or bears the request's mark and is counted by it.
func (r *Room) erase(ctx context.Context, q *Request) error {
	for {
		next, err := r.eraseStep(ctx, q)
		if err != nil {
			return fmt.Errorf("privacy request %s: %s: %w", q.ID, q.Step, err)
		}
		q.Step = next
		if err := r.save(ctx, q); err != nil {
			return err
		}
		if q.State == StateDone {
			return nil
		}
	}
}

// eraseStep does one step, and returns the next.
func (r *Room) eraseStep(ctx context.Context, q *Request) (step, error) {
	switch q.Step {
	case stepBury:
		if err := r.cfg.Tombstones.Bury(ctx, q.Tenant, q.ID, q.Hashes); err != nil {
			return "", err
		}
		if err := pause(ctx, q.CreatedAt.Add(r.cfg.Grace).Sub(r.cfg.Now())); err != nil {
			return "", err
		}
		return stepDevices, r.findAgain(ctx, q)
	case stepDevices:
		return stepWalk, r.eraseDevices(ctx, q)
	case stepWalk:
		return r.eraseNotifications(ctx, q)
	case stepLetters:
		return stepReceipt, r.eraseLetters(ctx, q)
	case stepReceipt:
	}
	return "", r.conclude(ctx, q)
}

// pause waits so long, but not for longer than any grace: a clock that was set back must not hold
// an erasure up.
func pause(ctx context.Context, d time.Duration) error {
	const longest = time.Minute
	t := time.NewTimer(min(max(0, d), longest))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// findAgain adds what was registered for the user after the request came: it counts as before.
func (r *Room) findAgain(ctx context.Context, q *Request) error {
	before := len(q.Hashes)
	if err := r.find(ctx, q); err != nil || len(q.Hashes) == before {
		return err
	}
	return r.cfg.Tombstones.Bury(ctx, q.Tenant, q.ID, q.Hashes)
}

func (r *Room) eraseDevices(ctx context.Context, q *Request) error {
	for _, id := range q.Devices {
		if err := r.cfg.Devices.DeleteDevice(ctx, q.Tenant, id); err != nil && !errors.Is(err, push.ErrNotFound) {
			return fmt.Errorf("remove a device: %w", err)
		}
	}
	q.Counts.Devices = int64(len(q.Devices))
	return nil
}

// eraseNotifications goes through one page of notifications.
func (r *Room) eraseNotifications(ctx context.Context, q *Request) (step, error) {
	p := newPerson(q, r.cfg.Keys)
	counts, next, err := r.walk(ctx, p, q.Cursor, func(ctx context.Context, f *found) error {
		if _, err := r.lines(ctx, f); err != nil { // counts what is open
			return err
		}
		return r.eraseFound(ctx, p, f)
	})
	if err != nil {
		return "", err
	}
	q.Counts.add(&counts)
	if q.Cursor = next; next != "" {
		return stepWalk, nil
	}
	return stepLetters, nil
}

// eraseFound erases the person from a notification. The rows go last: by them a repetition finds
// the cells.
func (r *Room) eraseFound(ctx context.Context, p *person, f *found) error {
	for i := range f.chunks {
		if c := &f.chunks[i]; len(c.stale) > 0 {
			if err := r.cfg.Chunks.EraseHashes(ctx, c.ref, c.stale, p.mark); err != nil {
				return fmt.Errorf("erase hashes of %s: %w", c.ref, err)
			}
		}
	}
	for i := range f.pages {
		if err := r.erasePage(ctx, p, f, &f.pages[i]); err != nil {
			return err
		}
	}
	if len(f.sources) == 0 {
		return nil
	}
	err := r.cfg.Notifications.EraseRecipients(ctx, f.n.ID, func(n *push.Notification) bool { return eraseTarget(p, n) })
	if err != nil && !errors.Is(err, push.ErrNotFound) {
		return fmt.Errorf("erase recipients of %s: %w", f.n.ID, err)
	}
	return nil
}

func (r *Room) erasePage(ctx context.Context, p *person, f *found, page *foundPage) error {
	data, err := wire.EraseRecipients(page.data, func(rcp *push.Recipient) bool {
		if !p.is(rcp) || rcp.ErasedBy(p.q.ID) {
			return false
		}
		rcp.Erase(p.q.ID)
		return true
	})
	if err != nil || data == nil {
		return err
	}
	err = r.cfg.Pages.ReplacePage(ctx, f.n.ID, page.kind, page.n, data)
	if err != nil && !errors.Is(err, push.ErrNotFound) {
		return fmt.Errorf("erase from %s page %d of %s: %w", page.kind, page.n, f.n.ID, err)
	}
	return nil
}

// erasedMessage stands in place of what was sent to nobody but erased users.
const erasedMessage = `{"notification":{"title":"(erased)"}}`

// eraseTarget replaces the person in a target, in place, so that every recipient keeps its cell.
// If nobody else is in it, the message goes too: it was written to them. It reports whether it
// has changed anything.
func eraseTarget(p *person, n *push.Notification) (changed bool) {
	t := n.Target
	t.Tokens, changed = eraseAddresses(p, push.KindToken, t.Tokens, changed)
	t.FIDs, changed = eraseAddresses(p, push.KindFID, t.FIDs, changed)
	t.UserIDs, changed = eraseNames(p, t.UserIDs, func(u string) push.Recipient { return push.Recipient{UserID: u} }, changed)
	t.DeviceIDs, changed = eraseNames(p, t.DeviceIDs, func(d push.ID) push.Recipient { return push.Recipient{DeviceID: d} }, changed)
	if !changed {
		return false
	}
	n.Target = t
	for _, rcp := range t.Recipients() {
		if !rcp.Erased() {
			return true
		}
	}
	n.Message = push.Message(erasedMessage)
	return true
}

func eraseAddresses(p *person, kind push.Kind, all []push.Token, changed bool) ([]push.Token, bool) {
	out := append([]push.Token(nil), all...)
	for i := range out {
		rcp := push.Recipient{Address: push.Address{Kind: kind, Value: out[i]}}
		if p.is(&rcp) && !rcp.Erased() {
			rcp.Erase(p.q.ID)
			out[i], changed = rcp.Address.Value, true
		}
	}
	return out, changed
}

// eraseNames does the same to users and devices.
func eraseNames[T ~string](p *person, all []T, as func(T) push.Recipient, changed bool) ([]T, bool) {
	out := append([]T(nil), all...)
	for i := range out {
		rcp := as(out[i])
		if p.is(&rcp) && !push.IsErased(string(out[i])) {
			out[i], changed = T(push.ErasedMark(p.q.ID)), true
		}
	}
	return out, changed
}

// drainFor is how long the dead-letter queues are drained before letters are looked at: what
// stays on them is stopped by the tombstones when it is sent again.
const drainFor = 20 * time.Second

// eraseLetters discards the person's dead letters and removes them from all that have them.
func (r *Room) eraseLetters(ctx context.Context, q *Request) error {
	if r.cfg.Drain != nil {
		if err := r.cfg.Drain(ctx, drainFor); err != nil {
			return fmt.Errorf("drain: %w", err)
		}
	}
	p := newPerson(q, r.cfg.Keys)
	q.Counts.DeadLetters = 0
	for cursor := ""; ; {
		ls, next, err := r.cfg.Letters.Letters(ctx, push.LetterFilter{Tenant: q.Tenant, OldestFirst: true}, cursor, pageSize)
		if err != nil {
			return fmt.Errorf("list dead letters: %w", err)
		}
		for i := range ls {
			if p.letter(&ls[i]) {
				q.Counts.DeadLetters++
				if err := r.eraseLetter(ctx, p, &ls[i]); err != nil {
					return err
				}
			}
		}
		if cursor = next; cursor == "" {
			return nil
		}
	}
}

func (r *Room) eraseLetter(ctx context.Context, p *person, l *push.Letter) error {
	if l.State == push.LetterParked && l.Kind == push.LetterRecipient {
		_, err := r.cfg.Letters.MoveLetters(ctx, []push.LetterMove{{
			ID: l.ID, Version: l.Version, State: push.LetterDiscarded, At: r.cfg.Now().UTC(), Reason: "erased by " + string(p.q.ID), By: p.q.By,
		}})
		if err != nil {
			return fmt.Errorf("discard dead letter %s: %w", l.ID, err)
		}
	}
	err := r.cfg.Letters.EraseLetter(ctx, l.ID, func(l *push.Letter) {
		if l.Kind == push.LetterMessage {
			l.Body = p.scrub(l.Body)
			return
		}
		if !l.Recipient.ErasedBy(p.q.ID) {
			l.Recipient.Erase(p.q.ID)
			if l.Recipient.Address.Kind != "" {
				l.Recipient.Address.Value = push.Token(push.ErasedMark(p.q.ID))
			}
			l.Body, l.Detail = nil, string(p.scrub([]byte(l.Detail)))
		}
	})
	if err != nil {
		return fmt.Errorf("erase dead letter %s: %w", l.ID, err)
	}
	return nil
}

// conclude makes the receipt, and forgets whom the request was about; also in exports that are
// about the same.
func (r *Room) conclude(ctx context.Context, q *Request) error {
	if err := r.forgetExports(ctx, q); err != nil {
		return err
	}
	now := r.cfg.Now().UTC()
	q.Counts.Tombstones = int64(len(q.Hashes))
	receipt, err := r.cfg.Keys.sign(q, now)
	if err != nil {
		return err
	}
	q.State, q.EndedAt, q.Receipt = StateDone, now, receipt
	q.forget()
	return nil
}

func (r *Room) forgetExports(ctx context.Context, q *Request) error {
	mine := setOf(q.Hashes).has
	for cursor := ""; ; {
		rs, next, err := r.List(ctx, q.Tenant, cursor, pageSize)
		if err != nil {
			return err
		}
		for i := range rs {
			e := &rs[i]
			if e.Action != Export || e.State != StateReady || !overlap(e.Hashes, mine) {
				continue
			}
			if err := r.expire(ctx, e); err != nil && !errors.Is(err, push.ErrConflict) {
				return err
			}
		}
		if cursor = next; cursor == "" {
			return nil
		}
	}
}

func overlap(hs []Hash, with map[Hash]bool) bool {
	for _, h := range hs {
		if with[h] {
			return true
		}
	}
	return false
}

// expire ends an export.
func (r *Room) expire(ctx context.Context, q *Request) error {
	q.State, q.EndedAt = StateExpired, r.cfg.Now().UTC()
	q.forget()
	return r.save(ctx, q)
}
