package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/belfry-push/belfry/internal/adapter/dynamo/table"
	"github.com/belfry-push/belfry/internal/push"
)

// Store is the DynamoDB driver of notifications and the lines of their chunks. It is
// safe for concurrent use by any number of goroutines and processes; every write is
// durable when it returns.
type Store struct {
	db *table.Client

	notifications, chunks string // table names
}

// New returns the driver on the tables whose names begin with prefix.
func New(db *table.Client, prefix string) *Store {
	return &Store{db: db, notifications: prefix + suffixNotifications, chunks: prefix + suffixChunks}
}

// errRetired is what a key gets that is used again while what it stood for is being erased.
var errRetired = push.WithOutage(push.OutageBusy, errors.New("the notification of that id is past its retention and is being removed"))

func notificationKey(id push.ID) table.Item { return table.Item{table.AttrID: table.Text(string(id))} }

// Create stores the notification unless its id exists; it returns what is
// stored now and whether this call stored it.
//
// A large body is written first, under a key that only this call uses: a crash
// before the head leaves an item that nothing points at and that TTL removes.
// The conditional put of the head is what decides.
func (s *Store) Create(ctx context.Context, n push.Notification) (push.Notification, bool, error) {
	stored, created, err := s.create(ctx, &n)
	if err != nil {
		return push.Notification{}, false, fmt.Errorf("create %s: %w", n.ID, err)
	}
	return stored, created, nil
}

func (s *Store) create(ctx context.Context, n *push.Notification) (push.Notification, bool, error) {
	w := s.db.NewNonce()
	head, body, err := s.encodeNotification(n, w)
	if err != nil {
		return push.Notification{}, false, err
	}
	if body != nil {
		if _, err := s.db.Put(ctx, s.notifications, body, table.Expression{}, false); err != nil {
			return push.Notification{}, false, err
		}
	}
	for range table.ConflictTries {
		var e table.Expression
		e.AbsentOrExpired(table.AttrID, s.db.Now().Unix())
		_, err := s.db.Put(ctx, s.notifications, head, e, false)
		if err == nil {
			return *n, true, nil
		}
		found, err := s.db.Winner(ctx, err)
		if err != nil {
			return push.Notification{}, false, err
		}
		if found.NonceAt(table.AttrWrite) == w {
			return *n, true, nil // our own write, whose answer got lost
		}
		if s.db.Live(found).Has(attrRetired) {
			return push.Notification{}, false, errRetired
		}
		stored, err := s.joined(ctx, found)
		if errors.Is(err, push.ErrNotFound) {
			continue // it expired meanwhile
		}
		if err != nil {
			return push.Notification{}, false, err
		}
		if body != nil { // nothing will ever point at it; if this fails, TTL removes it
			_ = s.db.Remove(ctx, s.notifications, body.Key(table.AttrID), table.Expression{})
		}
		return stored, false, nil
	}
	return push.Notification{}, false, push.ErrConflict
}

// Notification returns the stored notification or push.ErrNotFound.
func (s *Store) Notification(ctx context.Context, id push.ID) (push.Notification, error) {
	head, err := s.db.Get(ctx, s.notifications, notificationKey(id))
	var n push.Notification
	if err == nil {
		n, err = s.joined(ctx, head)
	}
	if err != nil {
		return push.Notification{}, fmt.Errorf("notification %s: %w", id, err)
	}
	return n, nil
}

// joined returns the notification of a head, which may be nil, expired, or
// without its body.
func (s *Store) joined(ctx context.Context, head table.Item) (push.Notification, error) {
	if s.live(head) == nil {
		return push.Notification{}, push.ErrNotFound
	}
	body := head
	if at := head.Text(attrBodyAt); at != "" {
		var err error
		if body, err = s.db.Get(ctx, s.notifications, notificationKey(push.ID(at))); err != nil {
			return push.Notification{}, err
		}
		if body == nil {
			return push.Notification{}, fmt.Errorf("its body has expired: %w", push.ErrNotFound)
		}
	}
	return decodeNotification(head, body)
}

// Advance replaces the progress on condition that the stored version is
// next.Version-1; otherwise push.ErrConflict.
func (s *Store) Advance(ctx context.Context, id push.ID, next push.Progress) error {
	if err := s.advance(ctx, id, &next); err != nil {
		return fmt.Errorf("advance %s to version %d: %w", id, next.Version, err)
	}
	return nil
}

func (s *Store) advance(ctx context.Context, id push.ID, next *push.Progress) error {
	progress, err := json.Marshal(next)
	if err != nil {
		return err
	}
	w := s.db.NewNonce()
	var e table.Expression
	e.Set(table.AttrVersion, table.Number(next.Version))
	e.Set(attrProgress, table.Text(string(progress)))
	e.Set(table.AttrWrite, w.Value())
	e.Set(table.TTLAttribute, table.Number(s.db.Expiry(s.db.Retention)))
	if partition := s.outboxOf(id, next); partition != "" {
		e.Set(attrOutbox, table.Text(partition))
	} else {
		e.Drop(attrOutbox)
	}
	e.Equal(table.AttrVersion, table.Number(next.Version-1))
	err = s.db.Update(ctx, s.notifications, notificationKey(id), e)
	if err == nil {
		return nil
	}
	found, err := s.db.Winner(ctx, err)
	if err != nil {
		return err
	}
	if found.NonceAt(table.AttrWrite) == w {
		return nil
	}
	return push.ErrConflict
}
