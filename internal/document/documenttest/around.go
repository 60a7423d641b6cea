package documenttest

import (
	"context"

	"github.com/belfry-push/belfry/internal/document"
)

// Around is a document store whose calls go through Do, which decides what a
// caller gets to see: whether effect runs, when, and which error comes back. op is
// the method's name.
type Around struct {
	document.Store

	Do func(op string, effect func() error) error
}

// Document implements [document.Store].
func (a Around) Document(ctx context.Context, kind, name string) (d document.Document, err error) {
	err = a.Do("Document", func() (err error) { d, err = a.Store.Document(ctx, kind, name); return err })
	return d, err
}

// PutDocument implements [document.Store].
func (a Around) PutDocument(ctx context.Context, d document.Document) error {
	return a.Do("PutDocument", func() error { return a.Store.PutDocument(ctx, d) })
}

// DeleteDocument implements [document.Store].
func (a Around) DeleteDocument(ctx context.Context, kind, name string, version int64) error {
	return a.Do("DeleteDocument", func() error { return a.Store.DeleteDocument(ctx, kind, name, version) })
}

// Documents implements [document.Store].
func (a Around) Documents(ctx context.Context, kind, cursor string, limit int) (page []document.Document, next string, err error) {
	err = a.Do("Documents", func() (err error) { page, next, err = a.Store.Documents(ctx, kind, cursor, limit); return err })
	return page, next, err
}
