package letterstest

import (
	"context"
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

// Around is a dead-letter store whose calls go through Do, which decides what a
// caller gets to see: whether effect runs, when, and which error comes back. op is
// the method's name.
type Around struct {
	Store

	Do func(op string, effect func() error) error
}

// PutLetters implements [Store].
func (a Around) PutLetters(ctx context.Context, ls []push.Letter) (n int, err error) {
	err = a.Do("PutLetters", func() (err error) { n, err = a.Store.PutLetters(ctx, ls); return err })
	return n, err
}

// Letter implements [Store].
func (a Around) Letter(ctx context.Context, id push.ID) (l push.Letter, err error) {
	err = a.Do("Letter", func() (err error) { l, err = a.Store.Letter(ctx, id); return err })
	return l, err
}

// Letters implements [Store].
func (a Around) Letters(ctx context.Context, f push.LetterFilter, cursor string, limit int) (ls []push.Letter, next string, err error) {
	err = a.Do("Letters", func() (err error) { ls, next, err = a.Store.Letters(ctx, f, cursor, limit); return err })
	return ls, next, err
}

// LetterGroups implements [Store].
func (a Around) LetterGroups(ctx context.Context, f push.LetterFilter) (gs []push.LetterGroup, err error) {
	err = a.Do("LetterGroups", func() (err error) { gs, err = a.Store.LetterGroups(ctx, f); return err })
	return gs, err
}

// MoveLetters implements [Store].
func (a Around) MoveLetters(ctx context.Context, moves []push.LetterMove) (moved []bool, err error) {
	err = a.Do("MoveLetters", func() (err error) { moved, err = a.Store.MoveLetters(ctx, moves); return err })
	return moved, err
}

// LetterTally implements [Store].
func (a Around) LetterTally(ctx context.Context, replay push.ID) (t push.LetterTally, err error) {
	err = a.Do("LetterTally", func() (err error) { t, err = a.Store.LetterTally(ctx, replay); return err })
	return t, err
}

// EraseLetter implements [Store].
func (a Around) EraseLetter(ctx context.Context, id push.ID, change func(l *push.Letter)) error {
	return a.Do("EraseLetter", func() error { return a.Store.EraseLetter(ctx, id, change) })
}

// PurgeLetters implements [Store].
func (a Around) PurgeLetters(ctx context.Context, before time.Time, limit int) (n int, err error) {
	err = a.Do("PurgeLetters", func() (err error) { n, err = a.Store.PurgeLetters(ctx, before, limit); return err })
	return n, err
}
