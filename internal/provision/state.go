package provision

import (
	"time"

	"github.com/belfry-push/belfry/internal/adapter/awsconf"
	"github.com/belfry-push/belfry/internal/adapter/dynamo"
	"github.com/belfry-push/belfry/internal/push"
)

// How long things are kept.
const (
	// queueRetention is SQS's default. Nothing healthy waits that long: a
	// notification expires after 24 hours unless its caller says otherwise.
	queueRetention = 4 * 24 * time.Hour
	// deadRetention is the longest that SQS has, because a dead letter must wait
	// for people.
	deadRetention = 14 * 24 * time.Hour
	// visibility is how soon the messages of a killed worker come back; a living
	// one prolongs it (config.Store.Visibility).
	visibility = 30 * time.Second
	// maxMessageBytes is SQS's limit since August 2025; queues that are older
	// kept 256 KiB.
	maxMessageBytes = 1 << 20

	// pageDays outlives the ledger, whose reports read pages for line numbers:
	// 90 days (dynamo.DefaultRetention) and a month for batches that waited to be
	// started.
	pageDays   = 120
	reportDays = 30
	// uploadDays is after how long the parts of an abandoned multipart upload,
	// which are billed like objects, are removed.
	uploadDays = 7
)

// managedTopicKey is the account's own KMS key for SNS. Principals of the account need no
// permission for it; publishers of other accounts, and AWS services such as
// EventBridge, cannot use it and need a key of yours
// (https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html).
const managedTopicKey = "alias/aws/sns"

// The topics, by the names behind the prefix (see [TopicName]).
const (
	TopicEvents   = "events"   // inbound: other services publish, the events queue subscribes
	TopicOutcomes = "outcomes" // outbound: Belfry publishes
)

// State is everything that Belfry needs of one account and region.
type State struct {
	Account       awsconf.Account
	Queues        []Queue // dead-letter queues before those that name them
	Topics        []Topic
	Subscriptions []Subscription
	Tables        []dynamo.Table
	Bucket        Bucket
}

// Queue is a standard queue.
type Queue struct {
	Name       string
	Retention  time.Duration
	Visibility time.Duration
	MaxBytes   int  // of one message
	Encrypted  bool // at rest with SQS's own key (SSE-SQS), which is free

	// DeadLetters is the ARN of the queue that takes messages which were received
	// MaxReceives times without a verdict; "" for a dead-letter queue.
	DeadLetters string
	MaxReceives int
	// Senders are statements of the queue's policy, by their id.
	Senders []Statement
}

// Topic is a standard topic.
type Topic struct {
	Name string
	Key  string // KMS key of the messages at rest; "" for none of the caller's choice
}

// Subscription is a queue's to a topic.
type Subscription struct {
	Topic, Queue string // ARNs
	Raw          bool   // deliver what was published, without SNS's envelope
	// DeadLetters is the ARN of the queue that takes what SNS cannot deliver to
	// Queue; without one SNS drops it
	// (https://docs.aws.amazon.com/sns/latest/dg/sns-dead-letter-queues.html).
	DeadLetters string
}

// Bucket is the bucket of pages and reports.
type Bucket struct {
	Name      string
	Region    string
	Encrypted bool // at rest with S3's own key (SSE-S3), which is free
	Private   bool // public access is blocked, whatever a policy says
	Rules     []Rule
}

// Rule is one lifecycle rule of a bucket.
type Rule struct {
	ID     string
	Prefix string // of keys; "" for all
	// ExpireDays is after how many days objects are removed; 0 for never.
	ExpireDays int
	// AbortDays is after how many days an unfinished upload is removed; 0 for never.
	AbortDays int
}

// Options are what an installation chooses.
type Options struct {
	Bucket   string // name of the bucket; "" means <prefix>-pages-<account>-<region>
	TopicKey string // KMS key of the topics; "" means the account's alias/aws/sns
}

// Desired returns what an installation with that prefix needs in an account.
func Desired(prefix string, account awsconf.Account, o Options) State {
	if o.Bucket == "" {
		o.Bucket = BucketName(prefix, account)
	}
	if o.TopicKey == "" {
		o.TopicKey = managedTopicKey
	}
	inbound := account.TopicARN(TopicName(prefix, TopicEvents))
	s := State{
		Account: account,
		Topics: []Topic{
			{Name: TopicName(prefix, TopicEvents), Key: o.TopicKey},
			{Name: TopicName(prefix, TopicOutcomes), Key: o.TopicKey},
		},
		Subscriptions: []Subscription{
			{
				Topic: inbound, Queue: account.QueueARN(QueueName(prefix, push.QueueEvents)), Raw: true,
				// The same that the queue gives up to: it is drained and has its alarms.
				DeadLetters: account.QueueARN(QueueName(prefix, push.DeadLetterQueue(push.QueueEvents))),
			},
		},
		Tables: dynamo.Tables(prefix),
		Bucket: Bucket{
			Name: o.Bucket, Region: account.Region, Encrypted: true, Private: true,
			Rules: []Rule{
				{ID: "belfry-pages", Prefix: "pages/", ExpireDays: pageDays},
				{ID: "belfry-reports", Prefix: "reports/", ExpireDays: reportDays},
				{ID: "belfry-uploads", AbortDays: uploadDays},
			},
		},
	}
	for _, name := range push.Queues() {
		q := deadLetterQueue(QueueName(prefix, push.DeadLetterQueue(name)))
		if name == push.QueueEvents {
			q.Senders = []Statement{mayPublish(inbound, account.QueueARN(q.Name))}
		}
		s.Queues = append(s.Queues, q)
	}
	for _, name := range push.Queues() {
		q := Queue{
			Name: QueueName(prefix, name), Retention: queueRetention, Visibility: visibility, MaxBytes: maxMessageBytes, Encrypted: true,
			DeadLetters: account.QueueARN(QueueName(prefix, push.DeadLetterQueue(name))), MaxReceives: push.MaxReceives,
		}
		if name == push.QueueEvents {
			q.Senders = []Statement{mayPublish(inbound, account.QueueARN(q.Name))}
		}
		s.Queues = append(s.Queues, q)
	}
	return s
}

func deadLetterQueue(name string) Queue {
	return Queue{Name: name, Retention: deadRetention, Visibility: visibility, MaxBytes: maxMessageBytes, Encrypted: true}
}

// QueueName returns the name in AWS of one of the pipeline's queues, or of its
// dead-letter queue (push.DeadLetterQueue).
func QueueName(prefix, queue string) string { return prefix + "-" + queue }

// TopicName returns the name in AWS of one of the topics.
func TopicName(prefix, topic string) string { return prefix + "-" + topic }

// BucketName returns the default name of the bucket. Names of buckets are
// shared by everybody, hence account and region.
func BucketName(prefix string, account awsconf.Account) string {
	return prefix + "-pages-" + account.ID + "-" + account.Region
}

// standInAccount is the account number of every stand-in that we know.
const standInAccount = "000000000000"

// StandInAccount is the account that stands in for one where there is no AWS.
func StandInAccount(region string) awsconf.Account {
	return awsconf.Account{ID: standInAccount, Partition: "aws", Region: region}
}
