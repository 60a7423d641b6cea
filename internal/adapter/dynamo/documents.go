package dynamo

import (
	"context"
	"fmt"
	"time"

	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/push"
)

// Attributes of the table of configuration. Documents and idempotency records
// share it: a document's kind has no '#', a record's always has.
const (
	attrKind    = "kind"
	attrName    = "name"
	attrUpdated = "updated_at" // microseconds since 1970
)

func documentKey(kind, name string) item { return item{attrKind: text(kind), attrName: text(name)} }

// Document returns one document, or push.ErrNotFound.
func (s *Store) Document(ctx context.Context, kind, name string) (document.Document, error) {
	found, err := s.get(ctx, s.config, documentKey(kind, name))
	if err == nil && found == nil {
		err = push.ErrNotFound
	}
	if err != nil {
		return document.Document{}, fmt.Errorf("%s %q: %w", kind, name, err)
	}
	return decodeDocument(found), nil
}

// PutDocument stores d if the stored version is d.Version-1 (0: absent), else
// push.ErrConflict.
func (s *Store) PutDocument(ctx context.Context, d document.Document) error {
	w := s.newNonce()
	i := item{
		attrKind: text(d.Kind), attrName: text(d.Name), attrVersion: number(d.Version), attrBody: blob(d.Body), attrWrite: w.value(),
		attrUpdated: number(d.UpdatedAt.UnixMicro()),
	}
	var e expression
	if d.Version == 1 {
		e.absent(attrKind)
	} else {
		e.equal(attrVersion, number(d.Version-1))
	}
	_, err := s.put(ctx, s.config, i, e, false)
	if err == nil {
		return nil
	}
	found, err := s.winner(ctx, err)
	if err == nil && found.nonceAt(attrWrite) != w {
		err = push.ErrConflict
	}
	if err != nil {
		return fmt.Errorf("put version %d of %s %q: %w", d.Version, d.Kind, d.Name, err)
	}
	return nil
}

// DeleteDocument removes it if the stored version is version, else
// push.ErrConflict; push.ErrNotFound when absent.
func (s *Store) DeleteDocument(ctx context.Context, kind, name string, version int64) error {
	if err := s.deleteDocument(ctx, documentKey(kind, name), version); err != nil {
		return fmt.Errorf("delete version %d of %s %q: %w", version, kind, name, err)
	}
	return nil
}

// deleteDocument looks first: then a document that is gone at the deletion was
// deleted by this call, in a try whose answer got lost, or by another's at the
// same moment, which is the same to the caller.
func (s *Store) deleteDocument(ctx context.Context, key item, version int64) error {
	found, err := s.get(ctx, s.config, key)
	switch {
	case err != nil:
		return err
	case found == nil:
		return push.ErrNotFound
	case found.number(attrVersion) != version:
		return push.ErrConflict
	}
	var e expression
	e.equal(attrVersion, number(version))
	if err = s.remove(ctx, s.config, key, e); err == nil {
		return nil
	}
	found, err = s.winner(ctx, err)
	if err == nil && found != nil {
		err = push.ErrConflict
	}
	return err
}

// Documents lists a kind by name.
func (s *Store) Documents(ctx context.Context, kind, after string, limit int) ([]document.Document, string, error) {
	const listing = "documents"
	limit = listLimit(limit)
	place, err := cursorPlace(listing, after)
	if err != nil {
		return nil, "", err
	}
	var e expression
	cond := e.name(attrKind) + " = " + e.value("kind", text(kind))
	if place != "" {
		cond += " AND " + e.name(attrName) + " > " + e.value("after", text(place))
	}
	most := int32(limit + 1) //nolint:gosec // limit is at most maxList
	m := s.merge(attrName, false, queries{{
		TableName: &s.config, KeyConditionExpression: &cond, Limit: &most, ConsistentRead: new(true),
		ExpressionAttributeNames: e.names, ExpressionAttributeValues: e.values,
	}})
	found, err := m.take(ctx, limit+1)
	if err != nil {
		return nil, "", fmt.Errorf("list %s documents: %w", kind, err)
	}
	all := make([]document.Document, len(found))
	for i := range found {
		all[i] = decodeDocument(found[i])
	}
	page, next := cutPage(listing, all, limit, func(d *document.Document) string { return d.Name })
	return page, next, nil
}

func decodeDocument(i item) document.Document {
	return document.Document{
		Kind: i.text(attrKind), Name: i.text(attrName), Version: i.number(attrVersion), Body: i.bytes(attrBody),
		UpdatedAt: time.UnixMicro(i.number(attrUpdated)).UTC(),
	}
}
