// Package document keeps small versioned configuration documents: one JSON body
// per kind and name, changed by compare-and-swap.
package document

import (
	"context"
	"time"
)

// MaxBytes bounds a body, so that a document is one item on every backend.
const MaxBytes = 256 << 10

// Document is one configuration document.
type Document struct {
	Kind      string // "credential", "tenant", …; 1..64 of [a-z0-9_-]
	Name      string // within the kind; 1..128 printable ASCII
	Version   int64  // from 1, grows by one with every change
	Body      []byte // JSON
	UpdatedAt time.Time
}

// Store keeps documents. Safe for concurrent use by several processes; every
// successful write is durable.
type Store interface {
	// Document returns one document, or push.ErrNotFound.
	Document(ctx context.Context, kind, name string) (Document, error)
	// PutDocument stores d if the stored version is d.Version-1 (0: absent),
	// else push.ErrConflict.
	PutDocument(ctx context.Context, d Document) error
	// DeleteDocument removes it if the stored version is version, else
	// push.ErrConflict; push.ErrNotFound when absent.
	DeleteDocument(ctx context.Context, kind, name string, version int64) error
	// Documents lists a kind by name. cursor is "" or what the last call
	// returned; "" comes back at the end. limit is 1..1000.
	Documents(ctx context.Context, kind, cursor string, limit int) ([]Document, string, error)
}
