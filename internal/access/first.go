package access

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

const firstName = "first-key" // the document of KindPlatform that says who makes the first key

// How long a process that is making the first key is waited for, by the watcher's own clock, and
// how often it is looked after.
const (
	firstPatience = 10 * time.Second
	firstLook     = 200 * time.Millisecond
)

// firstClaim says that the first key is being made, or was.
type firstClaim struct {
	Key   string    `json:"key"` // its id
	At    time.Time `json:"at"`
	Shown bool      `json:"shown"` // somebody has its text
}

// FirstKey makes the key of the platform's operator and hands its text to show, once in the life
// of a store, however many processes start at once: a claim comes first, then the key, then its
// text is shown, then the claim says so. What a crash cuts short, whoever comes next finds
// claimed and not shown for ten seconds: it ends the key that nobody may have seen, and makes
// another. An error of show leaves it to that.
func (d *Directory) FirstKey(ctx context.Context, show func(text string) error) error {
	const looks = int(firstPatience / firstLook)
	seen, left := int64(-1), looks
	for {
		claim, err := load[firstClaim](ctx, d, KindPlatform, firstName)
		absent := errors.Is(err, push.ErrNotFound)
		if err != nil && !absent || claim.Value.Shown {
			return err
		}
		if claim.Version != seen {
			seen, left = claim.Version, looks
		}
		if absent || left == 0 {
			if err := d.makeFirst(ctx, claim, show); !errors.Is(err, push.ErrConflict) {
				return err
			}
			continue
		}
		left--
		again := time.NewTimer(firstLook)
		select {
		case <-ctx.Done():
			again.Stop()
			return ctx.Err()
		case <-again.C:
		}
	}
}

// makeFirst makes the first key in the place of a claim; push.ErrConflict says that another
// process does.
func (d *Directory) makeFirst(ctx context.Context, claim Versioned[firstClaim], show func(string) error) error {
	const by = "first start"
	n := NewKey{Name: "first key", Role: RoleOwner}
	text, k := d.newKey(DefaultName, n.filled(), by)
	f := firstClaim{Key: k.ID, At: k.CreatedAt}
	if err := d.save(ctx, KindPlatform, firstName, claim.Version+1, f); err != nil {
		return err
	}
	if _, err := d.RevokeKey(ctx, DefaultName, claim.Value.Key, by); err != nil && !errors.Is(err, push.ErrNotFound) {
		return err
	}
	if err := d.save(ctx, KindKey, k.ID, 1, k); err != nil {
		return err
	}
	if err := show(text); err != nil {
		return fmt.Errorf("show the first API key: %w", err)
	}
	f.Shown = true
	const shown = 2 // writes: the claim, and this one
	err := d.save(ctx, KindPlatform, firstName, claim.Version+shown, f)
	if errors.Is(err, push.ErrConflict) { // it took so long that another process made one
		_, revoked := d.RevokeKey(ctx, DefaultName, k.ID, by)
		return errors.Join(err, revoked)
	}
	return err
}
