package documenttest

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/push"
)

// Memory is the document store in a map: the contract in its shortest form, which
// passes the suite. The zero value is ready; safe for concurrent use.
type Memory struct {
	mu   sync.Mutex
	docs map[[2]string]document.Document // by kind and name
}

var _ document.Store = (*Memory)(nil)

// Document implements [document.Store].
func (m *Memory) Document(ctx context.Context, kind, name string) (document.Document, error) {
	if err := ctx.Err(); err != nil {
		return document.Document{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	d, ok := m.docs[[2]string{kind, name}]
	if !ok {
		return d, push.ErrNotFound
	}
	return d, nil
}

// PutDocument implements [document.Store].
func (m *Memory) PutDocument(ctx context.Context, d document.Document) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	key := [2]string{d.Kind, d.Name}
	if m.docs[key].Version != d.Version-1 {
		return push.ErrConflict
	}
	if m.docs == nil {
		m.docs = map[[2]string]document.Document{}
	}
	d.Body = slices.Clone(d.Body)
	m.docs[key] = d
	return nil
}

// DeleteDocument implements [document.Store].
func (m *Memory) DeleteDocument(ctx context.Context, kind, name string, version int64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	key := [2]string{kind, name}
	switch d, ok := m.docs[key]; {
	case !ok:
		return push.ErrNotFound
	case d.Version != version:
		return push.ErrConflict
	}
	delete(m.docs, key)
	return nil
}

// Documents implements [document.Store]; its cursor is the last name, with a
// mark that no other listing gives.
func (m *Memory) Documents(ctx context.Context, kind, cursor string, limit int) (page []document.Document, next string, err error) {
	if err := ctx.Err(); err != nil {
		return nil, "", err
	}
	const mark = "after:"
	after, ok := strings.CutPrefix(cursor, mark)
	if !ok && cursor != "" {
		return nil, "", push.ErrCursor
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, d := range m.docs {
		if d.Kind == kind && d.Name > after {
			page = append(page, d)
		}
	}
	slices.SortFunc(page, func(a, b document.Document) int { return strings.Compare(a.Name, b.Name) })
	if len(page) > limit {
		page = page[:limit]
		next = mark + page[limit-1].Name
	}
	return page, next, nil
}
