package batchtest

import (
	"context"

	"github.com/belfry-push/belfry/internal/batch"
	"github.com/belfry-push/belfry/internal/push"
)

// Around is a page store whose calls go through Do, which decides what a caller
// gets to see: it may run effect and return its error, run it and return another
// (the answer was lost), not run it (the store is away), or wait before or after
// it. op is the method's name. A nil Do lets all calls pass.
type Around struct {
	batch.Pages

	Do func(op string, effect func() error) error
}

func (a Around) call(op string, effect func() error) error {
	if a.Do == nil {
		return effect()
	}
	return a.Do(op, effect)
}

// PutPage implements [batch.Pages].
func (a Around) PutPage(ctx context.Context, id push.ID, kind push.PageKind, n int, data []byte) (stored []byte, err error) {
	err = a.call("PutPage", func() (err error) { stored, err = a.Pages.PutPage(ctx, id, kind, n, data); return err })
	return stored, err
}

// Page implements [batch.Pages].
func (a Around) Page(ctx context.Context, id push.ID, kind push.PageKind, n int) (data []byte, err error) {
	err = a.call("Page", func() (err error) { data, err = a.Pages.Page(ctx, id, kind, n); return err })
	return data, err
}

// ReplacePage implements [batch.Pages].
func (a Around) ReplacePage(ctx context.Context, id push.ID, kind push.PageKind, n int, data []byte) error {
	return a.call("ReplacePage", func() error { return a.Pages.ReplacePage(ctx, id, kind, n, data) })
}

// DeletePages implements [batch.Pages].
func (a Around) DeletePages(ctx context.Context, id push.ID) error {
	return a.call("DeletePages", func() error { return a.Pages.DeletePages(ctx, id) })
}
