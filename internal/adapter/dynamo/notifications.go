package dynamo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/belfry-push/belfry/internal/push"
)

func notificationKey(id push.ID) item { return item{attrID: text(string(id))} }

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
	w := s.newNonce()
	head, body, err := s.encodeNotification(n, w)
	if err != nil {
		return push.Notification{}, false, err
	}
	if body != nil {
		if _, err := s.put(ctx, s.notifications, body, expression{}, false); err != nil {
			return push.Notification{}, false, err
		}
	}
	for range conflictTries {
		var e expression
		e.absentOrExpired(attrID, s.now().Unix())
		_, err := s.put(ctx, s.notifications, head, e, false)
		if err == nil {
			return *n, true, nil
		}
		found, err := s.winner(ctx, err)
		if err != nil {
			return push.Notification{}, false, err
		}
		if found.nonceAt(attrWrite) == w {
			return *n, true, nil // our own write, whose answer got lost
		}
		stored, err := s.joined(ctx, found)
		if errors.Is(err, push.ErrNotFound) {
			continue // it expired meanwhile
		}
		if err != nil {
			return push.Notification{}, false, err
		}
		if body != nil { // nothing will ever point at it; if this fails, TTL removes it
			_ = s.remove(ctx, s.notifications, body.key(attrID), expression{})
		}
		return stored, false, nil
	}
	return push.Notification{}, false, push.ErrConflict
}

// Notification returns the stored notification or push.ErrNotFound.
func (s *Store) Notification(ctx context.Context, id push.ID) (push.Notification, error) {
	head, err := s.get(ctx, s.notifications, notificationKey(id))
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
func (s *Store) joined(ctx context.Context, head item) (push.Notification, error) {
	if s.live(head) == nil {
		return push.Notification{}, push.ErrNotFound
	}
	body := head
	if at := head.text(attrBodyAt); at != "" {
		var err error
		if body, err = s.get(ctx, s.notifications, notificationKey(push.ID(at))); err != nil {
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
	w := s.newNonce()
	var e expression
	e.set(attrVersion, number(next.Version))
	e.set(attrProgress, text(string(progress)))
	e.set(attrWrite, w.value())
	e.set(TTLAttribute, number(s.expiry(s.retention)))
	if partition := outboxOf(id, next); partition != "" {
		e.set(attrOutbox, text(partition))
	} else {
		e.drop(attrOutbox)
	}
	e.equal(attrVersion, number(next.Version-1))
	err = s.update(ctx, s.notifications, notificationKey(id), e)
	if err == nil {
		return nil
	}
	found, err := s.winner(ctx, err)
	if err != nil {
		return err
	}
	if found.nonceAt(attrWrite) == w {
		return nil
	}
	return push.ErrConflict
}
