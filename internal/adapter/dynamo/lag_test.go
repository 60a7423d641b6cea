package dynamo

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/belfry-push/belfry/internal/adapter/dynamo/table"
	"github.com/belfry-push/belfry/internal/device"
	"github.com/belfry-push/belfry/internal/device/devicetest"
	"github.com/belfry-push/belfry/internal/push"
)

// trailing is a DynamoDB whose index by_user stands still, and whose eventually
// consistent reads answer as of one write ago.
type trailing struct {
	*dynamodb.Client

	mu   sync.Mutex
	past map[string]table.Item // items as they were before their last write; nil: they were not there
}

func newTrailing(client *dynamodb.Client) *trailing {
	return &trailing{Client: client, past: map[string]table.Item{}}
}

func nameOf(name string, key table.Item) string {
	return fmt.Sprintf("%s %q %q", name, key.Text(table.AttrPK), key.Text(table.AttrSK))
}

// before keeps an item as it is before a write.
func (d *trailing) before(ctx context.Context, name string, key table.Item) {
	out, err := d.GetItem(ctx, &dynamodb.GetItemInput{TableName: &name, Key: key, ConsistentRead: aws.Bool(true)})
	if err != nil {
		return // the write will tell
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.past[nameOf(name, key)] = out.Item
}

func (d *trailing) PutItem(ctx context.Context, in *dynamodb.PutItemInput,
	opts ...func(*dynamodb.Options),
) (*dynamodb.PutItemOutput, error) {
	if i := table.Item(in.Item); i.Has(table.AttrPK) {
		d.before(ctx, *in.TableName, i.Key(table.AttrPK, table.AttrSK))
	}
	return d.Client.PutItem(ctx, in, opts...)
}

func (d *trailing) DeleteItem(ctx context.Context, in *dynamodb.DeleteItemInput,
	opts ...func(*dynamodb.Options),
) (*dynamodb.DeleteItemOutput, error) {
	if table.Item(in.Key).Has(table.AttrPK) {
		d.before(ctx, *in.TableName, in.Key)
	}
	return d.Client.DeleteItem(ctx, in, opts...)
}

// Query answers from an index that has seen nothing.
func (d *trailing) Query(ctx context.Context, in *dynamodb.QueryInput, opts ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	if in.IndexName != nil {
		return &dynamodb.QueryOutput{}, nil
	}
	return d.Client.Query(ctx, in, opts...)
}

func (d *trailing) BatchGetItem(ctx context.Context, in *dynamodb.BatchGetItemInput,
	opts ...func(*dynamodb.Options),
) (*dynamodb.BatchGetItemOutput, error) {
	out, err := d.Client.BatchGetItem(ctx, in, opts...)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for name, asked := range in.RequestItems {
		if aws.ToBool(asked.ConsistentRead) {
			continue
		}
		var then []map[string]types.AttributeValue
		for _, i := range out.Responses[name] {
			if _, written := d.past[nameOf(name, table.Item(i).Key(table.AttrPK, table.AttrSK))]; !written {
				then = append(then, i)
			}
		}
		for _, key := range asked.Keys {
			if i := d.past[nameOf(name, key)]; i != nil {
				then = append(then, i)
			}
		}
		out.Responses[name] = then
	}
	return out, nil
}

// However far index and cheap reads trail, a send right after a registration
// finds the device, and one right after its end does not.
func TestSendsFindWhatWasJustRegistered(t *testing.T) {
	t.Parallel()
	x := newTables(t)
	devicetest.RunFresh(t, func(*testing.T) device.Store {
		d := newTrailing(x.client)
		return newStore(d, d, Config{Prefix: x.prefix})
	})
}

// Devices of before the notes are found through the index.
func TestDevicesOfOlderVersionsAreFoundByUser(t *testing.T) {
	t.Parallel()
	x := newTables(t)
	s := x.store()
	old := newDevice("tenant", "old", token(1).Reveal())
	must(t, s.PutDevices(t.Context(), []push.Device{old}))
	config := aws.String(x.prefix + table.SuffixConfig)
	notes, err := x.client.Scan(t.Context(), &dynamodb.ScanInput{TableName: config})
	must(t, err)
	if len(notes.Items) != 1 || !table.Item(notes.Items[0]).Has(table.TTLAttribute) {
		t.Fatalf("the notes are %v, want one that DynamoDB removes", notes.Items)
	}
	_, err = x.client.DeleteItem(t.Context(),
		&dynamodb.DeleteItemInput{TableName: config, Key: table.Item(notes.Items[0]).Key(table.AttrKind, table.AttrName)})
	must(t, err)
	found, err := s.DevicesByUser(t.Context(), "tenant", []string{old.UserID})
	must(t, err)
	if len(found[old.UserID]) != 1 {
		t.Errorf("found %v, want the device", found)
	}
}
