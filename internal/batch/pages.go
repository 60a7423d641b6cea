// Package batch is a batch's life: upload lines become pages, pages wait to be
// planned, and the caller starts, pauses, resumes or cancels the whole.
package batch

import (
	"context"

	"github.com/belfry-push/belfry/internal/push"
)

// Pages stores pages until their notification is done with them. Nothing changes them but
// the erasure of a user.
// Safe for concurrent use by several processes; a stored page is durable.
type Pages interface {
	// PutPage stores data unless the page exists; it returns what is stored now.
	PutPage(ctx context.Context, id push.ID, kind push.PageKind, n int, data []byte) ([]byte, error)
	// Page returns a page, or push.ErrNotFound.
	Page(ctx context.Context, id push.ID, kind push.PageKind, n int) ([]byte, error)
	// ReplacePage stores other data in place of a page's, or returns push.ErrNotFound. It is for
	// one writer at a time: of two, one is lost.
	ReplacePage(ctx context.Context, id push.ID, kind push.PageKind, n int, data []byte) error
	// DeletePages removes all pages of a notification.
	DeletePages(ctx context.Context, id push.ID) error
}
