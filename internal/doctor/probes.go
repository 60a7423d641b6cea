package doctor

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dynamotypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	snstypes "github.com/aws/aws-sdk-go-v2/service/sns/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/belfry-push/belfry/internal/adapter/dynamo"
)

// absentKey is a key that no item and no object has.
const absentKey = "belfry-doctor-no-such-key"

// queueProbes are batches without entries, and a receive of more messages than
// SQS has: it refuses all of them
// (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html:
// EmptyBatchRequest; API_ReceiveMessage.html: MaxNumberOfMessages 1 to 10).
func queueProbes(client *sqs.Client, name string) []probe {
	with := func(call func(ctx context.Context, url *string) error) func(context.Context) error {
		return func(ctx context.Context) error {
			out, err := client.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: &name})
			if err != nil {
				return err
			}
			return call(ctx, out.QueueUrl)
		}
	}
	return []probe{
		{"sqs:SendMessage", name, with(func(ctx context.Context, url *string) error {
			_, err := client.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: url, Entries: []sqstypes.SendMessageBatchRequestEntry{}})
			return err
		})},
		{"sqs:DeleteMessage", name, with(func(ctx context.Context, url *string) error {
			_, err := client.DeleteMessageBatch(ctx,
				&sqs.DeleteMessageBatchInput{QueueUrl: url, Entries: []sqstypes.DeleteMessageBatchRequestEntry{}})
			return err
		})},
		{"sqs:ChangeMessageVisibility", name, with(func(ctx context.Context, url *string) error {
			_, err := client.ChangeMessageVisibilityBatch(ctx, &sqs.ChangeMessageVisibilityBatchInput{
				QueueUrl: url, Entries: []sqstypes.ChangeMessageVisibilityBatchRequestEntry{},
			})
			return err
		})},
		{"sqs:ReceiveMessage", name, with(func(ctx context.Context, url *string) error {
			const tooMany = 11
			_, err := client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: url, MaxNumberOfMessages: tooMany})
			return err
		})},
	}
}

// topicProbe is a batch without entries
// (https://docs.aws.amazon.com/sns/latest/api/API_PublishBatch.html: EmptyBatchRequest).
func topicProbe(client *sns.Client, arn, name string) probe {
	return probe{"sns:Publish", name, func(ctx context.Context) error {
		_, err := client.PublishBatch(ctx,
			&sns.PublishBatchInput{TopicArn: &arn, PublishBatchRequestEntries: []snstypes.PublishBatchRequestEntry{}})
		return err
	}}
}

// tableProbes read what is not there, and write under a condition that nothing
// meets. They cost a few units.
func tableProbes(client *dynamodb.Client, t dynamo.Table) []probe {
	name := aws.String(t.Name)
	key := map[string]dynamotypes.AttributeValue{t.Key.Partition: &dynamotypes.AttributeValueMemberS{Value: absentKey}}
	if t.Key.Sort != "" {
		key[t.Key.Sort] = &dynamotypes.AttributeValueMemberS{Value: absentKey}
	}
	names := map[string]string{"#key": t.Key.Partition}
	never := aws.String("attribute_exists(#key) AND attribute_not_exists(#key)")
	query := func(index *string, partition string) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := client.Query(ctx, &dynamodb.QueryInput{
				TableName: name, IndexName: index, Limit: aws.Int32(1), KeyConditionExpression: aws.String("#key = :key"),
				ExpressionAttributeNames:  map[string]string{"#key": partition},
				ExpressionAttributeValues: map[string]dynamotypes.AttributeValue{":key": &dynamotypes.AttributeValueMemberS{Value: absentKey}},
			})
			return err
		}
	}
	probes := []probe{
		{"dynamodb:GetItem", t.Name, func(ctx context.Context) error {
			_, err := client.GetItem(ctx, &dynamodb.GetItemInput{TableName: name, Key: key})
			return err
		}},
		{"dynamodb:BatchGetItem", t.Name, func(ctx context.Context) error {
			_, err := client.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{RequestItems: map[string]dynamotypes.KeysAndAttributes{
				t.Name: {Keys: []map[string]dynamotypes.AttributeValue{key}},
			}})
			return err
		}},
		{"dynamodb:Query", t.Name, query(nil, t.Key.Partition)},
		{"dynamodb:PutItem", t.Name, func(ctx context.Context) error {
			_, err := client.PutItem(ctx,
				&dynamodb.PutItemInput{TableName: name, Item: key, ConditionExpression: never, ExpressionAttributeNames: names})
			return err
		}},
		{"dynamodb:UpdateItem", t.Name, func(ctx context.Context) error {
			_, err := client.UpdateItem(ctx,
				&dynamodb.UpdateItemInput{TableName: name, Key: key, ConditionExpression: never, ExpressionAttributeNames: names})
			return err
		}},
		{"dynamodb:DeleteItem", t.Name, func(ctx context.Context) error {
			_, err := client.DeleteItem(ctx,
				&dynamodb.DeleteItemInput{TableName: name, Key: key, ConditionExpression: never, ExpressionAttributeNames: names})
			return err
		}},
	}
	for _, x := range t.Indexes {
		probes = append(probes, probe{"dynamodb:Query", t.Name + "/index/" + x.Name, query(aws.String(x.Name), x.Key.Partition)})
	}
	return probes
}

// bucketProbes read and delete what is not there, and begin an upload that they
// give up at once.
func bucketProbes(client *s3.Client, bucket string) []probe {
	key := aws.String("pages/" + absentKey)
	return []probe{
		{"s3:ListBucket", bucket, func(ctx context.Context) error {
			_, err := client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &bucket, MaxKeys: aws.Int32(1)})
			return err
		}},
		{"s3:GetObject", bucket, func(ctx context.Context) error {
			out, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: key})
			if err != nil {
				return err
			}
			return out.Body.Close()
		}},
		{"s3:PutObject", bucket, func(ctx context.Context) error {
			out, err := client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: &bucket, Key: key})
			if err != nil {
				return err
			}
			_, err = client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &bucket, Key: key, UploadId: out.UploadId})
			return err
		}},
		{"s3:DeleteObject", bucket, func(ctx context.Context) error {
			_, err := client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &bucket, Key: key})
			return err
		}},
	}
}
