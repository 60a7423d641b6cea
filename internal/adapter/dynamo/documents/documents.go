package documents

import (
	"context"
	"fmt"
	"time"

	"github.com/belfry-push/belfry/internal/adapter/dynamo/table"
	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/push"
)

// Store is the DynamoDB driver of configuration documents. It is
// safe for concurrent use by any number of goroutines and processes; every write is
// durable when it returns.
type Store struct {
	db *table.Client

	config string // table name
}

// New returns the driver on the tables whose names begin with prefix.
func New(db *table.Client, prefix string) *Store {
	return &Store{db: db, config: prefix + table.SuffixConfig}
}

// Document returns one document, or push.ErrNotFound.
func (s *Store) Document(ctx context.Context, kind, name string) (document.Document, error) {
	found, err := s.db.Get(ctx, s.config, table.ConfigKey(kind, name))
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
	w := s.db.NewNonce()
	i := table.Item{
		table.AttrKind: table.Text(d.Kind), table.AttrName: table.Text(d.Name), table.AttrVersion: table.Number(d.Version),
		table.AttrBody: table.Blob(d.Body), table.AttrWrite: w.Value(),
		table.AttrUpdated: table.Number(d.UpdatedAt.UnixMicro()),
	}
	var e table.Expression
	if d.Version == 1 {
		e.Absent(table.AttrKind)
	} else {
		e.Equal(table.AttrVersion, table.Number(d.Version-1))
	}
	_, err := s.db.Put(ctx, s.config, i, e, false)
	if err == nil {
		return nil
	}
	found, err := s.db.Winner(ctx, err)
	if err == nil && found.NonceAt(table.AttrWrite) != w {
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
	if err := s.deleteDocument(ctx, table.ConfigKey(kind, name), version); err != nil {
		return fmt.Errorf("delete version %d of %s %q: %w", version, kind, name, err)
	}
	return nil
}

// deleteDocument looks first: then a document that is gone at the deletion was
// deleted by this call, in a try whose answer got lost, or by another's at the
// same moment, which is the same to the caller.
func (s *Store) deleteDocument(ctx context.Context, key table.Item, version int64) error {
	found, err := s.db.Get(ctx, s.config, key)
	switch {
	case err != nil:
		return err
	case found == nil:
		return push.ErrNotFound
	case found.Number(table.AttrVersion) != version:
		return push.ErrConflict
	}
	var e table.Expression
	e.Equal(table.AttrVersion, table.Number(version))
	if err = s.db.Remove(ctx, s.config, key, e); err == nil {
		return nil
	}
	found, err = s.db.Winner(ctx, err)
	if err == nil && found != nil {
		err = push.ErrConflict
	}
	return err
}

// Documents lists a kind by name.
func (s *Store) Documents(ctx context.Context, kind, after string, limit int) ([]document.Document, string, error) {
	const listing = "documents"
	limit = table.Limit(limit)
	place, err := table.CursorPlace(listing, after)
	if err != nil {
		return nil, "", err
	}
	var e table.Expression
	cond := e.Name(table.AttrKind) + " = " + e.Value("kind", table.Text(kind))
	if place != "" {
		cond += " AND " + e.Name(table.AttrName) + " > " + e.Value("after", table.Text(place))
	}
	most := int32(limit + 1) //nolint:gosec // limit is at most maxList
	m := s.db.Merge(table.AttrName, false, table.Queries{{
		TableName: &s.config, KeyConditionExpression: &cond, Limit: &most, ConsistentRead: new(true),
		ExpressionAttributeNames: e.Names, ExpressionAttributeValues: e.Values,
	}})
	found, err := m.Take(ctx, limit+1)
	if err != nil {
		return nil, "", fmt.Errorf("list %s documents: %w", kind, err)
	}
	all := make([]document.Document, len(found))
	for i := range found {
		all[i] = decodeDocument(found[i])
	}
	page, next := table.Cut(listing, all, limit, func(d *document.Document) string { return d.Name })
	return page, next, nil
}

func decodeDocument(i table.Item) document.Document {
	return document.Document{
		Kind: i.Text(table.AttrKind), Name: i.Text(table.AttrName), Version: i.Number(table.AttrVersion), Body: i.Bytes(table.AttrBody),
		UpdatedAt: time.UnixMicro(i.Number(table.AttrUpdated)).UTC(),
	}
}
