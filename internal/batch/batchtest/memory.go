package batchtest

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/belfry-push/belfry/internal/batch"
	"github.com/belfry-push/belfry/internal/push"
)

// Memory is the page store in a map, for tests of what stands on it: the contract
// of [batch.Pages] in its shortest form, which passes the suite. The zero value is
// ready; safe for concurrent use.
//
// A test may set and remove single pages past all conditions, by [Memory.SetPage]
// and [Memory.ForgetPage]. Faults are put around it with [Around].
type Memory struct {
	mu    sync.Mutex
	pages map[key][]byte
}

type key struct {
	id   push.ID
	kind push.PageKind
	n    int
}

var _ batch.Pages = (*Memory)(nil)

// SetPage stores a page in place of the one that is there.
func (m *Memory) SetPage(id push.ID, kind push.PageKind, n int, data []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.set(key{id, kind, n}, data)
}

func (m *Memory) set(k key, data []byte) {
	if m.pages == nil {
		m.pages = map[key][]byte{}
	}
	m.pages[k] = slices.Clone(data)
}

// ForgetPage removes a page.
func (m *Memory) ForgetPage(id push.ID, kind push.PageKind, n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.pages, key{id, kind, n})
}

// AllPages returns a notification's pages of one kind, by number.
func (m *Memory) AllPages(id push.ID, kind push.PageKind) map[int][]byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := map[int][]byte{}
	for k, data := range m.pages {
		if k.id == id && k.kind == kind {
			all[k.n] = slices.Clone(data)
		}
	}
	return all
}

// Len returns how many pages there are, of all notifications and kinds.
func (m *Memory) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.pages)
}

// PutPage implements [batch.Pages].
func (m *Memory) PutPage(ctx context.Context, id push.ID, kind push.PageKind, n int, data []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	k := key{id, kind, n}
	if _, there := m.pages[k]; !there {
		m.set(k, data)
	}
	return slices.Clone(m.pages[k]), nil
}

// Page implements [batch.Pages].
func (m *Memory) Page(ctx context.Context, id push.ID, kind push.PageKind, n int) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	data, there := m.pages[key{id, kind, n}]
	if !there {
		return nil, push.ErrNotFound
	}
	return slices.Clone(data), nil
}

// ReplacePage implements [batch.Pages].
func (m *Memory) ReplacePage(ctx context.Context, id push.ID, kind push.PageKind, n int, data []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, there := m.pages[key{id, kind, n}]; !there {
		return push.ErrNotFound
	}
	m.set(key{id, kind, n}, data)
	return nil
}

// DeletePages implements [batch.Pages].
func (m *Memory) DeletePages(ctx context.Context, id push.ID) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	maps.DeleteFunc(m.pages, func(k key, _ []byte) bool { return k.id == id })
	return nil
}
