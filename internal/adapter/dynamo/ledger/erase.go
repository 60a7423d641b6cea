package ledger

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"

	"github.com/belfry-push/belfry/internal/adapter/dynamo/table"
	"github.com/belfry-push/belfry/internal/push"
)

// EraseRecipients applies change to a notification as it is stored, and stores what that makes of
// its target and message. It returns push.ErrNotFound if there is no such notification.
//
// A body apart is written anew under another key, then the head points at it, then the old one
// goes. A crash before the head leaves an item that nothing points at, and one after it the old
// body: the next erasure of the same notification does not find that, and TTL removes it.
func (s *Store) EraseRecipients(ctx context.Context, id push.ID, change func(n *push.Notification) bool) error {
	err := table.UntilDone(func() (bool, error) { return s.eraseOnce(ctx, id, change) })
	if err != nil {
		return fmt.Errorf("erase recipients of %s: %w", id, err)
	}
	return nil
}

func (s *Store) eraseOnce(ctx context.Context, id push.ID, change func(n *push.Notification) bool) (bool, error) {
	head, err := s.db.Get(ctx, s.notifications, notificationKey(id))
	if err != nil {
		return false, err
	}
	stored, err := s.joined(ctx, head)
	if err != nil {
		return false, err
	}
	n := stored
	if !change(&n) {
		return true, nil
	}
	stored.Target, stored.Message, stored.Progress = n.Target, n.Message, push.Progress{}
	packed, err := table.PackJSON(stored)
	if err != nil {
		return false, err
	}
	w := s.db.NewNonce()
	var e table.Expression
	e.Set(table.AttrWrite, w.Value())
	before := head.NonceAt(table.AttrWrite)
	e.Equal(table.AttrWrite, before.Value())
	apart := head.Text(attrBodyAt)
	if apart == "" {
		e.Set(table.AttrBody, table.Blob(packed))
	} else {
		body := table.Item{
			table.AttrID: table.Text(bodyID(id, w)), table.AttrBody: table.Blob(packed),
			table.TTLAttribute: table.Number(s.db.Expiry(2 * s.db.Retention)),
		}
		if _, err := s.db.Put(ctx, s.notifications, body, table.Expression{}, false); err != nil {
			return false, err
		}
		e.Set(attrBodyAt, body[table.AttrID])
	}
	err = s.db.Update(ctx, s.notifications, notificationKey(id), e)
	if err != nil {
		found, err := s.db.Winner(ctx, err)
		if err != nil {
			return false, err
		}
		if found.NonceAt(table.AttrWrite) != w {
			return false, nil // somebody else wrote it: again
		}
	}
	if apart == "" {
		return true, nil
	}
	return true, s.db.Remove(ctx, s.notifications, notificationKey(push.ID(apart)), table.Expression{})
}

// EraseHashes replaces the hashes of some cells of a plan by another. Without the plan it changes
// nothing.
func (s *Store) EraseHashes(ctx context.Context, ref push.ChunkRef, cells []int, hash uint64) error {
	err := table.UntilDone(func() (bool, error) { return s.eraseHashesOnce(ctx, ref, cells, hash) })
	if err != nil {
		return fmt.Errorf("erase hashes of %s: %w", ref, err)
	}
	return nil
}

func (s *Store) eraseHashesOnce(ctx context.Context, ref push.ChunkRef, cells []int, hash uint64) (bool, error) {
	item, err := s.db.Get(ctx, s.chunks, planKey(ref))
	if err != nil || item == nil {
		return err == nil, err
	}
	old := item.Bytes(attrHashes)
	hashes := bytes.Clone(old)
	for _, c := range cells {
		if at := c * hashSize; c >= 0 && at+hashSize <= len(hashes) {
			binary.BigEndian.PutUint64(hashes[at:], hash)
		}
	}
	if bytes.Equal(old, hashes) {
		return true, nil
	}
	var e table.Expression
	e.Set(attrHashes, table.Blob(hashes))
	e.Equal(attrHashes, table.Blob(old))
	if err := s.db.Update(ctx, s.chunks, planKey(ref), e); err != nil {
		_, err = s.db.Winner(ctx, err)
		return false, err // changed meanwhile, maybe by this very call: look again
	}
	return true, nil
}
