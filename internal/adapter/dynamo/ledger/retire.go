package ledger

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/belfry-push/belfry/internal/adapter/dynamo/table"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

// What is kept for as long as the tables keep anything goes by TTL, which costs nothing. TTL
// knows neither dead letters nor usage, and a batch's first lines rest weeks before its last:
// so what is kept for a shorter time is removed by whoever asks for it here, as it is from a data
// directory, and TTL is for what that leaves.

const (
	// ended is what the partitions of the outbox index begin with in which the notifications stand
	// that rest and are kept for so many days: "k<days>#<shard>".
	ended = "k"
	// leaving is what those begin with of the retired ones.
	leaving = "r"
	// leastKeep is the least number of days that anything is kept (access.LeastKeepDays). Were there
	// notifications with less, TTL would remove them.
	leastKeep = 3
)

func endedPartition(days, shard int) string {
	return ended + strconv.Itoa(days) + "#" + strconv.Itoa(shard)
}

// sweeps reports whether notifications that are kept for so many days are removed before TTL does.
func (s *Store) sweeps(days int) bool {
	return days > 0 && ledger.KeepFor(days, s.db.Retention) < s.db.Retention
}

// live returns a head unless it is absent for readers.
func (s *Store) live(head table.Item) table.Item {
	if i := s.db.Live(head); i == nil || i.Has(attrRetired) {
		return nil
	}
	return head
}

// Keeps lists the numbers of days of which there may be notifications to retire: all that are
// shorter than what TTL does by itself.
func (s *Store) Keeps(context.Context) (keeps []int, err error) {
	for days := leastKeep; s.sweeps(days); days++ {
		keeps = append(keeps, days)
	}
	return keeps, nil
}

// Aged lists up to limit notifications that rest, are kept for so many days and not retired, behind
// a place, in the order in which they were accepted.
func (s *Store) Aged(ctx context.Context, days int, after string, limit int) ([]ledger.Aged, error) {
	aged, err := s.aged(ctx, days, after, table.Limit(limit))
	if err != nil {
		return nil, fmt.Errorf("list old notifications: %w", err)
	}
	return aged, nil
}

func (s *Store) aged(ctx context.Context, days int, after string, limit int) (out []ledger.Aged, err error) {
	operator := ""
	if after != "" {
		operator = ">"
		if err := checkAtID(after); err != nil {
			return nil, fmt.Errorf("%w: %w", err, push.ErrCursor)
		}
	}
	var queries []*dynamodb.QueryInput
	for shard := range listShards {
		q := table.IndexQuery(s.notifications, indexOutbox, attrOutbox, endedPartition(days, shard), attrAtID, operator, after)
		q.Limit = table.Ahead(limit, listShards)
		queries = append(queries, q)
	}
	m := s.db.Merge(attrAtID, false, queries)
	for len(out) < limit {
		entries, err := m.Take(ctx, limit-len(out))
		if err != nil || len(entries) == 0 {
			return out, err
		}
		heads, err := s.byID(ctx, entries, func(i table.Item) string { return i.Text(table.AttrID) })
		if err != nil {
			return nil, err
		}
		for _, entry := range entries {
			head := s.live(heads[entry.Text(table.AttrID)])
			if head == nil || head.Text(attrOutbox) != entry.Text(attrOutbox) {
				continue // it moved since
			}
			a, err := s.decodeAged(head)
			if err != nil {
				return nil, err
			}
			out = append(out, a)
		}
	}
	return out, nil
}

// decodeAged reads of a head what retention goes by. Its last change is what its TTL counts from.
func (s *Store) decodeAged(head table.Item) (ledger.Aged, error) {
	id := head.Text(table.AttrID)
	a := ledger.Aged{
		Place: head.Text(attrAtID), ID: push.ID(id), ChangedAt: time.Unix(head.Number(table.TTLAttribute), 0).Add(-s.db.Retention).UTC(),
	}
	if err := checkAtID(a.Place); err != nil {
		return a, fmt.Errorf("stored notification %s: %w", id, err)
	}
	var err error
	if a.AcceptedAt, err = table.ParseSortable(a.Place[:table.SortableLen]); err != nil {
		return a, fmt.Errorf("stored notification %s: %w", id, err)
	}
	_, a.Tenant, _ = strings.Cut(head.Text(attrTenantShard), "#")
	if err := json.Unmarshal([]byte(head.Text(attrProgress)), &a.Progress); err != nil {
		return a, fmt.Errorf("stored progress of %s: %w", id, err)
	}
	return a, nil
}

// Retire makes notifications absent for every reader, and tells which it did: not those that were
// changed since they were listed. Their items stay for [Store.Erase].
func (s *Store) Retire(ctx context.Context, ns []ledger.Aged, at time.Time) ([]bool, error) {
	done := make([]bool, len(ns))
	err := table.Concurrently(ctx, len(ns), func(ctx context.Context, i int) (err error) {
		done[i], err = s.retire(ctx, &ns[i], at)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("retire %d notifications: %w", len(ns), err)
	}
	return done, nil
}

func (s *Store) retire(ctx context.Context, a *ledger.Aged, at time.Time) (bool, error) {
	shard := shardOf(a.ID)
	w := s.db.NewNonce()
	var e table.Expression
	// The version moves on, so that whoever has read the notification cannot change it.
	e.Set(table.AttrVersion, table.Number(a.Progress.Version+1))
	e.Set(attrRetired, table.Number(at.UnixMicro()))
	e.Set(attrOutbox, table.Text(leaving+strconv.Itoa(shard)))
	e.Set(table.AttrWrite, w.Value())
	e.Equal(table.AttrVersion, table.Number(a.Progress.Version))
	e.Equal(attrOutbox, table.Text(endedPartition(a.Progress.KeepDays, shard)))
	err := s.db.Update(ctx, s.notifications, notificationKey(a.ID), e)
	if err == nil {
		return true, nil
	}
	found, err := s.db.Winner(ctx, err)
	return found != nil && found.NonceAt(table.AttrWrite) == w, err
}

// Retired lists up to limit notifications that were retired before the given time.
func (s *Store) Retired(ctx context.Context, before time.Time, limit int) (ids []push.ID, err error) {
	limit = table.Limit(limit)
	var queries []*dynamodb.QueryInput
	for shard := range listShards {
		q := table.IndexQuery(s.notifications, indexOutbox, attrOutbox, leaving+strconv.Itoa(shard), attrAtID, "", "")
		q.Limit = table.Ahead(limit, listShards)
		queries = append(queries, q)
	}
	m := s.db.Merge(attrAtID, false, queries)
	for len(ids) < limit {
		entries, err := m.Take(ctx, limit-len(ids))
		if err != nil {
			return nil, fmt.Errorf("list retired notifications: %w", err)
		}
		if len(entries) == 0 {
			break
		}
		heads, err := s.byID(ctx, entries, func(i table.Item) string { return i.Text(table.AttrID) })
		if err != nil {
			return nil, fmt.Errorf("list retired notifications: %w", err)
		}
		for _, entry := range entries {
			id := entry.Text(table.AttrID)
			if head := heads[id]; head.Has(attrRetired) && head.Number(attrRetired) < before.UnixMicro() {
				ids = append(ids, push.ID(id))
			}
		}
	}
	return ids, nil
}

// Erase removes up to so many items of retired notifications, and returns how many of them are
// gone. A notification's head goes last, by which the rest is found.
func (s *Store) Erase(ctx context.Context, ids []push.ID, most int) (gone int, err error) {
	for left := most; gone < len(ids) && left > 0; gone++ {
		n, whole, err := s.erase(ctx, ids[gone], left)
		if err != nil {
			return 0, fmt.Errorf("erase %s: %w", ids[gone], err)
		}
		if !whole {
			break
		}
		left -= n
	}
	return gone, nil
}

// erase removes up to so many items of a notification, and reports whether that was all.
func (s *Store) erase(ctx context.Context, id push.ID, most int) (removed int, whole bool, err error) {
	head, err := s.db.Get(ctx, s.notifications, notificationKey(id))
	if err != nil || !head.Has(attrRetired) {
		return 0, err == nil, err // somebody else was faster
	}
	var over table.Queries
	shards := shardsOf(id)
	for shard := range shards {
		over = append(over, table.Between(s.chunks, chunkPartition(id, shard), sortAttempts, sortPlan+"~", table.Ahead(most, shards)))
	}
	items, err := s.db.Merge(table.AttrSK, false, over).Take(ctx, most)
	if err != nil {
		return 0, false, err
	}
	err = table.Concurrently(ctx, len(items), func(ctx context.Context, i int) error {
		return s.db.Remove(ctx, s.chunks, items[i].Key(table.AttrPK, table.AttrSK), table.Expression{})
	})
	if err != nil || len(items) == most {
		return len(items), false, err
	}
	if at := head.Text(attrBodyAt); at != "" {
		if err := s.db.Remove(ctx, s.notifications, notificationKey(push.ID(at)), table.Expression{}); err != nil {
			return 0, false, err
		}
	}
	var e table.Expression
	e.Equal(attrRetired, head[attrRetired]) // the id may have been given again, once TTL had removed it
	// A refusal says that it is gone: by somebody else, or by this very call, which the SDK repeated.
	err = table.UnlessLost(s.db.Remove(ctx, s.notifications, notificationKey(id), e))
	return len(items) + 1, err == nil, err
}
