package dynamo

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// reader is the part of the SDK client that reads.
type reader interface {
	GetItem(ctx context.Context, in *dynamodb.GetItemInput, opts ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error)
	BatchGetItem(ctx context.Context, in *dynamodb.BatchGetItemInput, opts ...func(*dynamodb.Options)) (*dynamodb.BatchGetItemOutput, error)
	Query(ctx context.Context, in *dynamodb.QueryInput, opts ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error)
}

// writer is the part of the SDK client that writes.
type writer interface {
	PutItem(ctx context.Context, in *dynamodb.PutItemInput, opts ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error)
	UpdateItem(ctx context.Context, in *dynamodb.UpdateItemInput, opts ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error)
	DeleteItem(ctx context.Context, in *dynamodb.DeleteItemInput, opts ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error)
}

var (
	_ reader = (*dynamodb.Client)(nil)
	_ writer = (*dynamodb.Client)(nil)
)

// lost is the error of a write whose condition did not hold.
type lost struct {
	table string
	key   item
	found item // what is stored, where the endpoint says so
}

func (*lost) Error() string { return "condition not met" }

// get reads one item as it is after every acknowledged write; nil if there is
// none.
func (s *Store) get(ctx context.Context, table string, key item) (item, error) {
	const op = "GetItem"
	out, err := s.reader.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: aws.String(table), Key: key, ConsistentRead: aws.Bool(true), ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal,
	})
	if err != nil {
		s.meter.Consumed(op, 0, 0)
		return nil, classify(op, table, err)
	}
	s.meter.Consumed(op, units(out.ConsumedCapacity), 0)
	return out.Item, nil
}

// query runs one page of a query.
func (s *Store) query(ctx context.Context, in *dynamodb.QueryInput) ([]map[string]types.AttributeValue, item, error) {
	const op = "Query"
	in.ReturnConsumedCapacity = types.ReturnConsumedCapacityTotal
	out, err := s.reader.Query(ctx, in)
	if err != nil {
		s.meter.Consumed(op, 0, 0)
		return nil, nil, classify(op, aws.ToString(in.TableName), err)
	}
	s.meter.Consumed(op, units(out.ConsumedCapacity), 0)
	return out.Items, out.LastEvaluatedKey, nil
}

// put writes a whole item if the condition holds, and returns the one that it
// replaced where returnOld says so. A condition that fails is a [*lost].
func (s *Store) put(ctx context.Context, table string, i item, e expression, returnOld bool) (item, error) {
	const op = "PutItem"
	in := &dynamodb.PutItemInput{
		TableName: aws.String(table), Item: i, ConditionExpression: e.when(),
		ExpressionAttributeNames: e.names, ExpressionAttributeValues: e.values,
		ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal, ReturnValuesOnConditionCheckFailure: e.tell(),
	}
	if returnOld {
		in.ReturnValues = types.ReturnValueAllOld
	}
	out, err := s.writer.PutItem(ctx, in)
	if err != nil {
		return nil, s.refused(op, table, i, err)
	}
	s.meter.Consumed(op, 0, units(out.ConsumedCapacity))
	return out.Attributes, nil
}

// update changes attributes of one item if the condition holds.
func (s *Store) update(ctx context.Context, table string, key item, e expression) error {
	_, err := s.change(ctx, table, key, e, "")
	return err
}

// change is update, and returns what it is asked to: the item before, after, or
// nothing.
func (s *Store) change(ctx context.Context, table string, key item, e expression, what types.ReturnValue) (item, error) {
	const op = "UpdateItem"
	out, err := s.writer.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: aws.String(table), Key: key, UpdateExpression: e.change(), ConditionExpression: e.when(),
		ExpressionAttributeNames: e.names, ExpressionAttributeValues: e.values, ReturnValues: what,
		ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal, ReturnValuesOnConditionCheckFailure: e.tell(),
	})
	if err != nil {
		return nil, s.refused(op, table, key, err)
	}
	s.meter.Consumed(op, 0, units(out.ConsumedCapacity))
	return out.Attributes, nil
}

// remove deletes one item if the condition holds.
func (s *Store) remove(ctx context.Context, table string, key item, e expression) error {
	const op = "DeleteItem"
	out, err := s.writer.DeleteItem(ctx, &dynamodb.DeleteItemInput{
		TableName: aws.String(table), Key: key, ConditionExpression: e.when(),
		ExpressionAttributeNames: e.names, ExpressionAttributeValues: e.values,
		ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal, ReturnValuesOnConditionCheckFailure: e.tell(),
	})
	if err != nil {
		return s.refused(op, table, key, err)
	}
	s.meter.Consumed(op, 0, units(out.ConsumedCapacity))
	return nil
}

// refused turns the SDK's error of a write into [*lost] or [*Error].
func (s *Store) refused(op, table string, i item, err error) error {
	failed, ok := errors.AsType[*types.ConditionalCheckFailedException](err)
	if !ok {
		s.meter.Consumed(op, 0, 0)
		return classify(op, table, err)
	}
	s.meter.Consumed(op, 0, 1)
	return &lost{table: table, key: s.keyOf(table, i), found: failed.Item}
}

// keyOf returns the primary key's attributes of an item of a table.
func (s *Store) keyOf(table string, i item) item {
	switch table {
	case s.notifications:
		return i.key(attrID)
	case s.config:
		return i.key(attrKind, attrName)
	default: // chunks and devices
		return i.key(attrPK, attrSK)
	}
}

// winner tells whether err says that a conditional write lost, and returns what
// is stored instead, nil if nothing is: from the refusal itself where the
// endpoint sends it along, else by a consistent read. Any other error is
// returned as it is.
func (s *Store) winner(ctx context.Context, err error) (item, error) {
	l, ok := errors.AsType[*lost](err)
	if !ok {
		return nil, err
	}
	if len(l.found) > 0 {
		return l.found, nil
	}
	return s.get(ctx, l.table, l.key)
}

func units(c *types.ConsumedCapacity) float64 {
	if c == nil || c.CapacityUnits == nil {
		return 0
	}
	return *c.CapacityUnits
}
