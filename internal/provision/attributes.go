package provision

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/belfry-push/belfry/internal/adapter/dynamo"
)

// Kind is what sort of thing a resource is.
type Kind string

// The kinds, in the order in which they are made.
const (
	KindQueue        Kind = "queue"
	KindTopic        Kind = "topic"
	KindSubscription Kind = "subscription"
	KindTable        Kind = "table"
	KindBucket       Kind = "bucket"
)

// Attribute is one property that a resource must have. Names and values are
// AWS's own where AWS keeps the property as text (queues, topics,
// subscriptions), and else a short text in a fixed form.
type Attribute struct {
	Name, Value string
	// Fixed properties are given when the resource is made and cannot be changed.
	Fixed bool
	// Vital properties are those without which Belfry loses or never sees work.
	// The others are about safety, cost and convenience, and a stand-in for AWS
	// may lack them.
	Vital bool
}

// Resource is one thing of a [State] in the form in which it is compared.
type Resource struct {
	Kind       Kind
	Name       string
	Attributes []Attribute
}

// Resources returns all of the state in the order in which it is made.
func (s State) Resources() []Resource {
	var all []Resource
	for _, q := range s.Queues {
		all = append(all, Resource{KindQueue, q.Name, q.Attributes()})
	}
	for _, t := range s.Topics {
		all = append(all, Resource{KindTopic, t.Name, t.Attributes()})
	}
	for _, x := range s.Subscriptions {
		all = append(all, Resource{KindSubscription, x.Name(), x.Attributes()})
	}
	for _, t := range s.Tables {
		all = append(all, Resource{KindTable, t.Name, tableAttributes(t)})
	}
	return append(all, Resource{KindBucket, s.Bucket.Name, s.Bucket.Attributes()})
}

// The names of attributes: of queues
// (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html),
// of topics and of subscriptions
// (https://docs.aws.amazon.com/sns/latest/api/API_SetTopicAttributes.html,
// https://docs.aws.amazon.com/sns/latest/api/API_SetSubscriptionAttributes.html).
const (
	attrRetention  = "MessageRetentionPeriod" // seconds
	attrVisibility = "VisibilityTimeout"      // seconds
	attrMaxBytes   = "MaximumMessageSize"
	attrManagedKey = "SqsManagedSseEnabled"
	attrRedrive    = "RedrivePolicy" // of a queue and, with the target alone, of a subscription
	attrPolicy     = "Policy"
	attrKey        = "KmsMasterKeyId"
	attrRaw        = "RawMessageDelivery"
)

// attrDeadLetters is the target in a redrive policy.
const attrDeadLetters = "deadLetterTargetArn"

// Names of attributes that AWS keeps otherwise than as text.
const (
	attrPrimaryKey = "key"
	attrBilling    = "billing"
	attrTTL        = "ttl"
	attrRecovery   = "point-in-time recovery"
	attrEncryption = "encryption"
	attrPublic     = "public access"
	attrIndex      = "index "     // and the index's name
	attrStatement  = "statement " // of the queue's policy, and its id
	attrRule       = "lifecycle " // and the rule's id
)

// document names what AWS keeps an attribute in: most are kept by themselves,
// but all statements are one policy and all rules one configuration, which can
// be written only as a whole.
func document(attribute string) string {
	for _, whole := range []string{attrStatement, attrRule} {
		if strings.HasPrefix(attribute, whole) {
			return whole
		}
	}
	return attribute
}

// Values of those attributes.
const (
	valueOn       = "on"
	valueKMS      = "KMS"
	valueS3Key    = "AES256"
	valueBlocked  = "blocked"
	valueOnDemand = "PAY_PER_REQUEST"
	valueTrue     = "true"
)

// Attributes returns what the queue must be.
func (q Queue) Attributes() []Attribute {
	all := []Attribute{
		{Name: attrRetention, Value: seconds(q.Retention)},
		{Name: attrVisibility, Value: seconds(q.Visibility)},
		{Name: attrMaxBytes, Value: strconv.Itoa(q.MaxBytes)},
	}
	if q.Encrypted {
		all = append(all, Attribute{Name: attrManagedKey, Value: valueTrue})
	}
	if q.DeadLetters != "" {
		all = append(all, Attribute{Name: attrRedrive, Value: redrive(q.DeadLetters, q.MaxReceives), Vital: true})
	}
	for _, s := range q.Senders {
		all = append(all, Attribute{Name: attrStatement + s.ID, Value: s.JSON, Vital: true})
	}
	return all
}

func seconds(d time.Duration) string { return strconv.Itoa(int(d / time.Second)) }

// redrive is a queue's RedrivePolicy, canonical.
func redrive(deadLetters string, maxReceives int) string {
	return mustCanonical(map[string]any{attrDeadLetters: deadLetters, "maxReceiveCount": maxReceives})
}

// Attributes returns what the topic must be.
func (t Topic) Attributes() []Attribute {
	if t.Key == "" {
		return nil
	}
	return []Attribute{{Name: attrKey, Value: t.Key}}
}

// Name returns the subscription as topic -> queue.
func (x Subscription) Name() string { return lastPart(x.Topic) + " -> " + lastPart(x.Queue) }

// lastPart is the resource's name in the ARN of a topic or queue.
func lastPart(arn string) string { return arn[strings.LastIndexByte(arn, ':')+1:] }

// Attributes returns what the subscription must be. Messages with and without
// SNS's envelope are both read, so that raw delivery is no vital matter.
func (x Subscription) Attributes() []Attribute {
	all := []Attribute{{Name: attrRaw, Value: strconv.FormatBool(x.Raw)}}
	if x.DeadLetters != "" {
		all = append(all, Attribute{Name: attrRedrive, Value: mustCanonical(map[string]any{attrDeadLetters: x.DeadLetters}), Vital: true})
	}
	return all
}

func tableAttributes(t dynamo.Table) []Attribute {
	all := []Attribute{{Name: attrPrimaryKey, Value: keyText(t.Key.Partition, t.Key.Sort), Fixed: true, Vital: true}}
	for _, x := range t.Indexes {
		// An index can be added to a table with items, but then it fills for hours
		// while it is not to be trusted.
		all = append(all,
			Attribute{Name: attrIndex + x.Name, Value: indexText(x.Key.Partition, x.Key.Sort, projection), Fixed: true, Vital: true})
	}
	if t.OnDemand {
		all = append(all, Attribute{Name: attrBilling, Value: valueOnDemand})
	}
	if t.TTL != "" {
		all = append(all, Attribute{Name: attrTTL, Value: t.TTL})
	}
	if t.PointInTimeRecovery {
		all = append(all, Attribute{Name: attrRecovery, Value: valueOn})
	}
	if t.Encrypted {
		all = append(all, Attribute{Name: attrEncryption, Value: valueKMS})
	}
	return all
}

// projection is that of every index (dynamo.Index).
const projection = "KEYS_ONLY"

func keyText(partition, sort string) string {
	if sort == "" {
		return partition
	}
	return partition + ", " + sort
}

func indexText(partition, sort, projection string) string {
	return keyText(partition, sort) + " " + projection
}

// Attributes returns what the bucket must be.
func (b Bucket) Attributes() []Attribute {
	var all []Attribute
	if b.Encrypted {
		all = append(all, Attribute{Name: attrEncryption, Value: valueS3Key})
	}
	if b.Private {
		all = append(all, Attribute{Name: attrPublic, Value: valueBlocked})
	}
	for _, r := range b.Rules {
		all = append(all, Attribute{Name: attrRule + r.ID, Value: r.String()})
	}
	return all
}

// String returns the rule in words: pages/: expire after 120 days.
func (r Rule) String() string {
	var says []string
	if r.ExpireDays > 0 {
		says = append(says, fmt.Sprintf("expire after %d days", r.ExpireDays))
	}
	if r.AbortDays > 0 {
		says = append(says, fmt.Sprintf("abort uploads after %d days", r.AbortDays))
	}
	return r.Prefix + ": " + strings.Join(says, ", ")
}
