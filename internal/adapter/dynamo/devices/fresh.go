package devices

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/belfry-push/belfry/internal/adapter/dynamo/table"
)

// A device is found by its user through the index by_user, which trails the
// table: by a fraction of a second as a rule, by minutes while it is throttled
// (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html).
// Who greets a user on the device that was registered just now must not find
// nobody. So a registration that gives a user a device, or one of them another
// address, first leaves a note where the user's devices are looked up too, by a
// consistent read:
//
//	kind fresh#<tenant>#<user>   name <partition key of the device, or its id if only sends knew it>
//
// in the table of configuration, which forgets it by its TTL when the index has
// long caught up. The note says where to look and nothing else: what is there
// now decides whose device it is. One without a device is a registration that
// did not happen. Devices of before the notes are in the index.
const freshPrefix = "fresh#"

// keepFresh is longer than any index trails.
const keepFresh = time.Hour

func freshKey(user, device string) table.Item { return table.ConfigKey(freshPrefix+user, device) }

// noteFresh notes that a device is about to be the user's, unless it is there
// already, and has been found that way before.
func (s *Store) noteFresh(ctx context.Context, device, before table.Item) error {
	user := device.Text(attrUser)
	if user == "" || before.Text(attrUser) == user && before.Text(table.AttrID) == device.Text(table.AttrID) {
		return nil
	}
	i := freshKey(user, placeName(device))
	i[table.TTLAttribute] = table.Number(s.db.Expiry(keepFresh))
	_, err := s.db.Put(ctx, s.config, i, table.Expression{}, false)
	return err
}

// userEntries returns where the devices of a user may be, each place once: the
// entries of the index and the notes.
func (s *Store) userEntries(ctx context.Context, tenant, userID string) ([]table.Item, error) {
	user := userKey(tenant, userID)
	var e table.Expression
	cond := e.Name(table.AttrKind) + " = " + e.Value("kind", table.Text(freshPrefix+user))
	notes := &dynamodb.QueryInput{
		TableName: &s.config, KeyConditionExpression: &cond, ConsistentRead: new(true),
		ExpressionAttributeNames: e.Names, ExpressionAttributeValues: e.Values,
	}
	mergers := []*table.Merger{
		s.db.Merge(table.AttrID, false, table.Queries{table.IndexQuery(s.devices, indexByUser, attrUser, user, table.AttrID, "", "")}),
		s.db.Merge(table.AttrName, false, table.Queries{notes}),
	}
	found := make([][]table.Item, len(mergers))
	err := table.Concurrently(ctx, len(mergers), func(ctx context.Context, i int) error {
		for {
			entry, err := mergers[i].Next(ctx)
			if err != nil || entry == nil {
				return err
			}
			found[i] = append(found[i], entry)
		}
	})
	if err != nil {
		return nil, err
	}
	entries, seen := found[0], map[string]bool{}
	for _, entry := range entries {
		seen[placeName(entry)] = true
	}
	for _, note := range found[1] {
		if place := note.Text(table.AttrName); !seen[place] {
			entry := placeNamed(tenant, place)
			entry[attrUser] = table.Text(user)
			entries = append(entries, entry)
		}
	}
	return entries, nil
}
