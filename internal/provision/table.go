package provision

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/belfry-push/belfry/internal/adapter/awsconf"
	"github.com/belfry-push/belfry/internal/adapter/dynamo"
)

// tableWait bounds how long a table may take to become active; AWS needs some
// ten seconds.
const tableWait = 5 * time.Minute

type tableDriver struct {
	client *dynamodb.Client
	table  dynamo.Table
}

func (d tableDriver) what() string { return "table " + d.table.Name }

func (d tableDriver) read(ctx context.Context) (map[string]string, bool, error) {
	out, err := d.client.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &d.table.Name})
	err = awsconf.Explain(err, d.what())
	if awsconf.KindOf(err) == awsconf.KindMissing {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	have := describe(out.Table)
	if have[attrTTL], err = d.ttl(ctx); err != nil {
		return nil, false, err
	}
	if have[attrRecovery], err = d.recovery(ctx); err != nil {
		return nil, false, err
	}
	return have, true, nil
}

// describe puts a table's description into the form of tableAttributes.
func describe(t *types.TableDescription) map[string]string {
	have := map[string]string{attrPrimaryKey: keyText(keyOf(t.KeySchema)), attrBilling: string(types.BillingModeProvisioned)}
	for _, x := range t.GlobalSecondaryIndexes {
		partition, sort := keyOf(x.KeySchema)
		projection := ""
		if x.Projection != nil {
			projection = string(x.Projection.ProjectionType)
		}
		have[attrIndex+aws.ToString(x.IndexName)] = indexText(partition, sort, projection)
	}
	if b := t.BillingModeSummary; b != nil {
		have[attrBilling] = string(b.BillingMode)
	}
	if e := t.SSEDescription; e != nil && e.SSEType == types.SSETypeKms &&
		(e.Status == types.SSEStatusEnabled || e.Status == types.SSEStatusEnabling || e.Status == types.SSEStatusUpdating) {
		have[attrEncryption] = valueKMS
	}
	return have
}

func keyOf(schema []types.KeySchemaElement) (partition, sort string) {
	for _, e := range schema {
		if e.KeyType == types.KeyTypeHash {
			partition = aws.ToString(e.AttributeName)
		} else {
			sort = aws.ToString(e.AttributeName)
		}
	}
	return partition, sort
}

func (d tableDriver) ttl(ctx context.Context) (string, error) {
	out, err := d.client.DescribeTimeToLive(ctx, &dynamodb.DescribeTimeToLiveInput{TableName: &d.table.Name})
	if err != nil {
		return "", d.excuse(err)
	}
	t := out.TimeToLiveDescription
	if t == nil || t.TimeToLiveStatus != types.TimeToLiveStatusEnabled && t.TimeToLiveStatus != types.TimeToLiveStatusEnabling {
		return "", nil
	}
	return aws.ToString(t.AttributeName), nil
}

func (d tableDriver) recovery(ctx context.Context) (string, error) {
	out, err := d.client.DescribeContinuousBackups(ctx, &dynamodb.DescribeContinuousBackupsInput{TableName: &d.table.Name})
	if err != nil {
		return "", d.excuse(err)
	}
	if c := out.ContinuousBackupsDescription; c != nil && c.PointInTimeRecoveryDescription != nil &&
		c.PointInTimeRecoveryDescription.PointInTimeRecoveryStatus == types.PointInTimeRecoveryStatusEnabled {
		return valueOn, nil
	}
	return "", nil
}

func (d tableDriver) excuse(err error) error {
	if excused(StandIn(d.client.Options().BaseEndpoint), err) {
		return nil
	}
	return awsconf.Explain(err, d.what())
}

// create makes the table with keys, indexes, billing and encryption, which its
// one call takes, and waits until the table can be used.
func (d tableDriver) create(ctx context.Context) ([]string, error) {
	_, err := d.client.CreateTable(ctx, d.table.CreateInput())
	if _, exists := errors.AsType[*types.ResourceInUseException](err); err != nil && !exists {
		return nil, awsconf.Explain(err, d.what())
	}
	var given []string
	for _, a := range tableAttributes(d.table) {
		if a.Name != attrTTL && a.Name != attrRecovery {
			given = append(given, a.Name)
		}
	}
	return given, d.wait(ctx)
}

// wait returns when the table is active: while one change of it is under way
// DynamoDB refuses the next.
func (d tableDriver) wait(ctx context.Context) error {
	waiter := dynamodb.NewTableExistsWaiter(d.client, func(o *dynamodb.TableExistsWaiterOptions) {
		o.MinDelay, o.MaxDelay = 50*time.Millisecond, 5*time.Second
	})
	err := waiter.Wait(ctx, &dynamodb.DescribeTableInput{TableName: &d.table.Name}, tableWait)
	return awsconf.Explain(err, d.what())
}

func (d tableDriver) set(ctx context.Context, attributes []string) error {
	if err := d.wait(ctx); err != nil {
		return err
	}
	var err error
	switch attribute := attributes[0]; {
	case attribute == attrTTL:
		_, err = d.client.UpdateTimeToLive(ctx, &dynamodb.UpdateTimeToLiveInput{
			TableName:               &d.table.Name,
			TimeToLiveSpecification: &types.TimeToLiveSpecification{AttributeName: &d.table.TTL, Enabled: aws.Bool(true)},
		})
	case attribute == attrRecovery:
		_, err = d.client.UpdateContinuousBackups(ctx, &dynamodb.UpdateContinuousBackupsInput{
			TableName:                        &d.table.Name,
			PointInTimeRecoverySpecification: &types.PointInTimeRecoverySpecification{PointInTimeRecoveryEnabled: aws.Bool(true)},
		})
	case attribute == attrBilling:
		_, err = d.client.UpdateTable(ctx, &dynamodb.UpdateTableInput{TableName: &d.table.Name, BillingMode: types.BillingModePayPerRequest})
	case attribute == attrEncryption:
		_, err = d.client.UpdateTable(ctx, &dynamodb.UpdateTableInput{
			TableName:        &d.table.Name,
			SSESpecification: &types.SSESpecification{Enabled: aws.Bool(true), SSEType: types.SSETypeKms},
		})
	case strings.HasPrefix(attribute, attrIndex), attribute == attrPrimaryKey: // fixed: never asked for
		return errors.New("cannot be changed")
	}
	return awsconf.Explain(err, d.what())
}
