package ledger

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/belfry-push/belfry/internal/adapter/dynamo/table"
	"github.com/belfry-push/belfry/internal/push"
)

// listing is the name of the listing of notifications, in its cursors.
const listing = "notifications"

// Behind returns the cursor with which Notifications goes on behind a place.
func (*Store) Behind(accepted time.Time, id push.ID) string {
	return table.Cursor(listing, atID(accepted, id))
}

// Notifications lists a tenant's notifications, newest first. It merges the
// tenant's shards, whose index may trail the table by moments.
func (s *Store) Notifications(ctx context.Context, tenant, after string, limit int) ([]push.Notification, string, error) {
	limit = table.Limit(limit)
	place, err := table.CursorPlace(listing, after)
	if err != nil {
		return nil, "", err
	}
	if place == "" {
		place = "g" // behind every hexadecimal digit
	} else if err := checkAtID(place); err != nil {
		return nil, "", fmt.Errorf("cursor of %s: %w", listing, push.ErrCursor)
	}
	var queries []*dynamodb.QueryInput
	for shard := range listShards {
		q := table.IndexQuery(s.notifications, indexByTenant, attrTenantShard, tenantShard(tenant, shard), attrAtID, "<", place)
		q.Limit = table.Ahead(limit+1, listShards)
		queries = append(queries, q)
	}
	all, err := s.collect(ctx, s.db.Merge(attrAtID, true, queries), limit+1, func(push.Notification) bool { return true })
	if err != nil {
		return nil, "", fmt.Errorf("list notifications: %w", err)
	}
	page, next := table.Cut(listing, all, limit, func(n *push.Notification) string { return atID(n.AcceptedAt, n.ID) })
	return page, next, nil
}

// Accepted lists a tenant's notifications behind a place and before a time, oldest first.
// The index may trail the table by moments; heads are read as they are.
func (s *Store) Accepted(ctx context.Context, tenant string, after time.Time, id push.ID, before time.Time, limit int,
) ([]push.Notification, error) {
	limit = table.Limit(limit)
	from, to := atID(after, id)+"\x00", table.Sortable(before)
	if from > to {
		return nil, nil
	}
	var queries []*dynamodb.QueryInput
	for shard := range listShards {
		queries = append(queries, s.between(indexByTenant, attrTenantShard, tenantShard(tenant, shard), from, to, limit))
	}
	all, err := s.collect(ctx, s.db.Merge(attrAtID, false, queries), limit, func(push.Notification) bool { return true })
	if err != nil {
		return nil, fmt.Errorf("list what was accepted: %w", err)
	}
	return all, nil
}

// between returns the query of a partition of an index from one place to another, both included.
func (s *Store) between(index, attribute, partition, from, to string, limit int) *dynamodb.QueryInput {
	var e table.Expression
	cond := e.Name(attribute) + " = " + e.Value("partition", table.Text(partition)) +
		" AND " + e.Name(attrAtID) + " BETWEEN " + e.Value("from", table.Text(from)) + " AND " + e.Value("to", table.Text(to))
	return &dynamodb.QueryInput{
		TableName: &s.notifications, IndexName: &index, KeyConditionExpression: &cond, Limit: table.Ahead(limit, listShards),
		ExpressionAttributeNames: e.Names, ExpressionAttributeValues: e.Values,
	}
}

// Unenqueued returns up to limit notifications in the outbox that were accepted
// before the given time, oldest first. What the index still shows although it
// was enqueued moments ago is left out.
func (s *Store) Unenqueued(ctx context.Context, before time.Time, limit int) ([]push.Notification, error) {
	limit = table.Limit(limit)
	var queries []*dynamodb.QueryInput
	for shard := range listShards {
		q := table.IndexQuery(s.notifications, indexOutbox, attrOutbox, strconv.Itoa(shard), attrAtID, "<", table.Sortable(before))
		q.Limit = table.Ahead(limit, listShards)
		queries = append(queries, q)
	}
	all, err := s.collect(ctx, s.db.Merge(attrAtID, false, queries), limit, func(n push.Notification) bool { return inOutbox(&n.Progress) })
	if err != nil {
		return nil, fmt.Errorf("read the outbox: %w", err)
	}
	return all, nil
}

// Unfinished lists the notifications that are not in the outbox, of which
// something may be open, and that were accepted before the given time. The index
// may trail by moments; heads are read as they are.
func (s *Store) Unfinished(ctx context.Context, before time.Time, after string, limit int) ([]push.Notification, string, error) {
	const listing = "unfinished"
	limit = table.Limit(limit)
	place, err := table.CursorPlace(listing, after)
	if err != nil {
		return nil, "", err
	}
	if place == "" {
		place = "0" // before every time
	} else if err := checkAtID(place); err != nil {
		return nil, "", fmt.Errorf("cursor of %s: %w", listing, push.ErrCursor)
	} else {
		place += "\x00" // just behind it
	}
	end := table.Sortable(before)
	if place > end {
		return nil, "", nil
	}
	var queries []*dynamodb.QueryInput
	for shard := range listShards {
		queries = append(queries, s.between(indexOutbox, attrOutbox, onItsWay+strconv.Itoa(shard), place, end, limit+1))
	}
	keep := func(n push.Notification) bool { return n.Progress.Unfinished() && !inOutbox(&n.Progress) }
	all, err := s.collect(ctx, s.db.Merge(attrAtID, false, queries), limit+1, keep)
	if err != nil {
		return nil, "", fmt.Errorf("list what is not finished: %w", err)
	}
	page, next := table.Cut(listing, all, limit, func(n *push.Notification) string { return atID(n.AcceptedAt, n.ID) })
	return page, next, nil
}

// collect reads the notifications of index entries, in the entries' order, until
// it has want that keep takes. Heads are read as they are now: the index says
// only where they are.
func (s *Store) collect(ctx context.Context, m *table.Merger, want int, keep func(push.Notification) bool) ([]push.Notification, error) {
	var out []push.Notification
	for len(out) < want {
		entries, err := m.Take(ctx, want-len(out))
		if err != nil || len(entries) == 0 {
			return out, err
		}
		found, err := s.heads(ctx, entries)
		if err != nil {
			return nil, err
		}
		for _, n := range found {
			if keep(n) {
				out = append(out, n)
			}
		}
	}
	return out, nil
}

// heads returns the live notifications among index entries, in their order.
func (s *Store) heads(ctx context.Context, entries []table.Item) ([]push.Notification, error) {
	heads, err := s.byID(ctx, entries, func(i table.Item) string { return i.Text(table.AttrID) })
	if err != nil {
		return nil, err
	}
	var apart []table.Item
	for _, h := range heads {
		if h.Has(attrBodyAt) {
			apart = append(apart, h)
		}
	}
	bodies, err := s.byID(ctx, apart, func(i table.Item) string { return i.Text(attrBodyAt) })
	if err != nil {
		return nil, err
	}
	out := make([]push.Notification, 0, len(entries))
	for _, entry := range entries {
		head := s.live(heads[entry.Text(table.AttrID)])
		if head == nil {
			continue
		}
		body := head
		if at := head.Text(attrBodyAt); at != "" {
			if body = bodies[at]; body == nil {
				continue
			}
		}
		n, err := decodeNotification(head, body)
		if err != nil {
			return nil, err
		}
		out = append(out, n)
	}
	return out, nil
}

// byID reads the items of a table of notifications that others name.
func (s *Store) byID(ctx context.Context, from []table.Item, name func(table.Item) string) (map[string]table.Item, error) {
	keys := make([]table.Item, len(from))
	for i := range from {
		keys[i] = notificationKey(push.ID(name(from[i])))
	}
	found, err := s.db.BatchGet(ctx, s.notifications, keys, true)
	if err != nil {
		return nil, err
	}
	out := make(map[string]table.Item, len(found))
	for _, x := range found {
		out[x.Text(table.AttrID)] = x
	}
	return out, nil
}
