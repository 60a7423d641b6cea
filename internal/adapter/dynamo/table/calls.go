package table

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Reader is the part of the SDK client that reads.
type Reader interface {
	GetItem(ctx context.Context, in *dynamodb.GetItemInput, opts ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error)
	BatchGetItem(ctx context.Context, in *dynamodb.BatchGetItemInput, opts ...func(*dynamodb.Options)) (*dynamodb.BatchGetItemOutput, error)
	Query(ctx context.Context, in *dynamodb.QueryInput, opts ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error)
}

// Writer is the part of the SDK client that writes.
type Writer interface {
	PutItem(ctx context.Context, in *dynamodb.PutItemInput, opts ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error)
	UpdateItem(ctx context.Context, in *dynamodb.UpdateItemInput, opts ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error)
	DeleteItem(ctx context.Context, in *dynamodb.DeleteItemInput, opts ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error)
}

var (
	_ Reader = (*dynamodb.Client)(nil)
	_ Writer = (*dynamodb.Client)(nil)
)

// LostError is the error of a write whose condition did not hold.
type LostError struct {
	table string
	key   Item
	found Item // what is stored, where the endpoint says so
}

func (*LostError) Error() string { return "condition not met" }

// Get reads one item as it is after every acknowledged write; nil if there is
// none.
func (c *Client) Get(ctx context.Context, table string, key Item) (Item, error) {
	const op = "GetItem"
	out, err := c.reader.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: aws.String(table), Key: key, ConsistentRead: aws.Bool(true), ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal,
	})
	if err != nil {
		c.meter.Consumed(op, 0, 0)
		return nil, classify(op, table, err)
	}
	c.meter.Consumed(op, units(out.ConsumedCapacity), 0)
	return out.Item, nil
}

// query runs one page of a query.
func (c *Client) query(ctx context.Context, in *dynamodb.QueryInput) ([]map[string]types.AttributeValue, Item, error) {
	const op = "Query"
	in.ReturnConsumedCapacity = types.ReturnConsumedCapacityTotal
	out, err := c.reader.Query(ctx, in)
	if err != nil {
		c.meter.Consumed(op, 0, 0)
		return nil, nil, classify(op, aws.ToString(in.TableName), err)
	}
	c.meter.Consumed(op, units(out.ConsumedCapacity), 0)
	return out.Items, out.LastEvaluatedKey, nil
}

// Put writes a whole item if the condition holds, and returns the one that it
// replaced where returnOld says so. A condition that fails is a [*LostError].
func (c *Client) Put(ctx context.Context, table string, i Item, e Expression, returnOld bool) (Item, error) {
	const op = "PutItem"
	in := &dynamodb.PutItemInput{
		TableName: aws.String(table), Item: i, ConditionExpression: e.when(),
		ExpressionAttributeNames: e.Names, ExpressionAttributeValues: e.Values,
		ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal, ReturnValuesOnConditionCheckFailure: e.tell(),
	}
	if returnOld {
		in.ReturnValues = types.ReturnValueAllOld
	}
	out, err := c.writer.PutItem(ctx, in)
	if err != nil {
		return nil, c.refused(op, table, i, err)
	}
	c.meter.Consumed(op, 0, units(out.ConsumedCapacity))
	return out.Attributes, nil
}

// Update changes attributes of one item if the condition holds.
func (c *Client) Update(ctx context.Context, table string, key Item, e Expression) error {
	_, err := c.Change(ctx, table, key, e, "")
	return err
}

// Change is Update, and returns what it is asked to: the item before, after, or
// nothing.
func (c *Client) Change(ctx context.Context, table string, key Item, e Expression, what types.ReturnValue) (Item, error) {
	const op = "UpdateItem"
	out, err := c.writer.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: aws.String(table), Key: key, UpdateExpression: e.change(), ConditionExpression: e.when(),
		ExpressionAttributeNames: e.Names, ExpressionAttributeValues: e.Values, ReturnValues: what,
		ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal, ReturnValuesOnConditionCheckFailure: e.tell(),
	})
	if err != nil {
		return nil, c.refused(op, table, key, err)
	}
	c.meter.Consumed(op, 0, units(out.ConsumedCapacity))
	return out.Attributes, nil
}

// Remove deletes one item if the condition holds.
func (c *Client) Remove(ctx context.Context, table string, key Item, e Expression) error {
	const op = "DeleteItem"
	out, err := c.writer.DeleteItem(ctx, &dynamodb.DeleteItemInput{
		TableName: aws.String(table), Key: key, ConditionExpression: e.when(),
		ExpressionAttributeNames: e.Names, ExpressionAttributeValues: e.Values,
		ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal, ReturnValuesOnConditionCheckFailure: e.tell(),
	})
	if err != nil {
		return c.refused(op, table, key, err)
	}
	c.meter.Consumed(op, 0, units(out.ConsumedCapacity))
	return nil
}

// refused turns the SDK's error of a write into [*LostError] or [*Error].
func (c *Client) refused(op, table string, i Item, err error) error {
	failed, ok := errors.AsType[*types.ConditionalCheckFailedException](err)
	if !ok {
		c.meter.Consumed(op, 0, 0)
		return classify(op, table, err)
	}
	c.meter.Consumed(op, 0, 1)
	return &LostError{table: table, key: c.keyOf(table, i), found: failed.Item}
}

// keyOf returns the primary key's attributes of an item of a table.
func (c *Client) keyOf(table string, i Item) Item { return i.Key(c.keys[table].names()...) }

// Winner reports whether err says that a conditional write lost, and returns what
// is stored instead, nil if nothing is: from the refusal itself where the
// endpoint sends it along, else by a consistent read. Any other error is
// returned as it is.
func (c *Client) Winner(ctx context.Context, err error) (Item, error) {
	l, ok := errors.AsType[*LostError](err)
	if !ok {
		return nil, err
	}
	if len(l.found) > 0 {
		return l.found, nil
	}
	return c.Get(ctx, l.table, l.key)
}

func units(used *types.ConsumedCapacity) float64 {
	if used == nil || used.CapacityUnits == nil {
		return 0
	}
	return *used.CapacityUnits
}

// UnlessLost passes any error on but that a condition did not hold.
func UnlessLost(err error) error {
	if _, ok := errors.AsType[*LostError](err); ok {
		return nil
	}
	return err
}
