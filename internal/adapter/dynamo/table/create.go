package table

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
)

// createWait bounds how long a new table may take to become active; AWS needs
// some ten seconds.
const createWait = 5 * time.Minute

// Create makes the table if it does not exist, waits until it is active, and turns on
// what has calls of its own: TTL and point-in-time recovery.
func Create(ctx context.Context, client *dynamodb.Client, t Table) error {
	_, err := client.CreateTable(ctx, t.CreateInput())
	if _, exists := errors.AsType[*types.ResourceInUseException](err); err != nil && !exists {
		return classify("CreateTable", t.Name, err)
	}
	name := &dynamodb.DescribeTableInput{TableName: aws.String(t.Name)}
	waiter := dynamodb.NewTableExistsWaiter(client, func(o *dynamodb.TableExistsWaiterOptions) {
		o.MinDelay, o.MaxDelay = 50*time.Millisecond, 5*time.Second
	})
	if err := waiter.Wait(ctx, name, createWait); err != nil {
		return classify("DescribeTable", t.Name, err)
	}
	if err := enableTTL(ctx, client, t); err != nil {
		return err
	}
	return enableRecovery(ctx, client, t)
}

// enableTTL looks first: turning on what is on is a validation error.
func enableTTL(ctx context.Context, client *dynamodb.Client, t Table) error {
	if t.TTL == "" {
		return nil
	}
	now, err := client.DescribeTimeToLive(ctx, &dynamodb.DescribeTimeToLiveInput{TableName: aws.String(t.Name)})
	if err != nil {
		return excused(classify("DescribeTimeToLive", t.Name, err))
	}
	if d := now.TimeToLiveDescription; d != nil && aws.ToString(d.AttributeName) == t.TTL &&
		(d.TimeToLiveStatus == types.TimeToLiveStatusEnabled || d.TimeToLiveStatus == types.TimeToLiveStatusEnabling) {
		return nil
	}
	_, err = client.UpdateTimeToLive(ctx, &dynamodb.UpdateTimeToLiveInput{
		TableName:               aws.String(t.Name),
		TimeToLiveSpecification: &types.TimeToLiveSpecification{AttributeName: aws.String(t.TTL), Enabled: aws.Bool(true)},
	})
	return excused(classify("UpdateTimeToLive", t.Name, err))
}

func enableRecovery(ctx context.Context, client *dynamodb.Client, t Table) error {
	if !t.PointInTimeRecovery {
		return nil
	}
	_, err := client.UpdateContinuousBackups(ctx, &dynamodb.UpdateContinuousBackupsInput{
		TableName:                        aws.String(t.Name),
		PointInTimeRecoverySpecification: &types.PointInTimeRecoverySpecification{PointInTimeRecoveryEnabled: aws.Bool(true)},
	})
	return excused(classify("UpdateContinuousBackups", t.Name, err))
}

// excused passes over an operation that the endpoint does not have, which AWS
// answers never and a stand-in as the protocol says
// (https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/CommonErrors.html).
func excused(err error) error {
	if api, ok := errors.AsType[smithy.APIError](err); ok && api.ErrorCode() == "UnknownOperationException" {
		return nil
	}
	return err
}
