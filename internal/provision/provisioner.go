package provision

import (
	"context"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/belfry-push/belfry/internal/adapter/awsconf"
)

// Clients are the SDK's clients of the services that hold the resources.
type Clients struct {
	SQS      *sqs.Client
	SNS      *sns.Client
	DynamoDB *dynamodb.Client
	S3       *s3.Client
}

// NewClients makes the clients of one configuration; load it with awsconf.
func NewClients(cfg aws.Config) Clients {
	return Clients{
		SQS: sqs.NewFromConfig(cfg), SNS: sns.NewFromConfig(cfg), DynamoDB: dynamodb.NewFromConfig(cfg),
		S3: NewS3Client(cfg),
	}
}

// NewS3Client makes a client that puts a bucket's name into the path where the
// endpoint is a stand-in's: there is no DNS name for each bucket on loopback.
func NewS3Client(cfg aws.Config) *s3.Client {
	return s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = StandIn(o.BaseEndpoint) })
}

// StandIn reports whether an endpoint, as of a client's Options, is something
// else than AWS: it is set, and not a name of AWS's, such as that of an
// interface endpoint of a VPC.
func StandIn(endpoint *string) bool {
	if aws.ToString(endpoint) == "" {
		return false
	}
	u, err := url.Parse(*endpoint)
	if err != nil {
		return true
	}
	host := "." + u.Hostname()
	for _, own := range []string{".amazonaws.com", ".amazonaws.com.cn", ".api.aws"} {
		if strings.HasSuffix(host, own) {
			return false
		}
	}
	return true
}

// excused reports whether an error means that a stand-in does not know an
// operation. Their answers differ, so that any refusal counts.
func excused(standIn bool, err error) bool {
	if !standIn {
		return false
	}
	switch awsconf.KindOf(err) {
	case "", awsconf.KindUnreachable, awsconf.KindThrottled, awsconf.KindMissing:
		return false
	case awsconf.KindDenied, awsconf.KindExpired, awsconf.KindCredentials, awsconf.KindClock, awsconf.KindRegion, awsconf.KindUnavailable,
		awsconf.KindUnclassified, awsconf.KindEncryption, awsconf.KindTooLarge, awsconf.KindConditional, awsconf.KindValidation,
		awsconf.KindDeletedLate:
	}
	return true
}

// Provisioner compares an account with a [State] and changes it. Safe for
// concurrent use.
type Provisioner struct {
	clients Clients
	state   State
}

// New returns a provisioner.
func New(clients Clients, state State) *Provisioner {
	return &Provisioner{clients: clients, state: state}
}

// driver reads and changes one resource. Errors say what to do (awsconf).
type driver interface {
	// read returns the attributes that the resource has; those that are not set,
	// and those that a stand-in does not know, are absent or "".
	read(ctx context.Context) (have map[string]string, found bool, err error)
	// create makes the resource and returns the attributes that it gave it. That
	// it exists by now is no error.
	create(ctx context.Context) (given []string, err error)
	// set gives the resource the desired values of attributes of one [document],
	// in one write.
	set(ctx context.Context, attributes []string) error
}

// part is a resource with its driver.
type part struct {
	Resource
	driver  driver
	standIn bool
}

// parts returns the state's resources with their drivers, in the order of
// [State.Resources].
func (p *Provisioner) parts() []part {
	var drivers []driver
	for _, q := range p.state.Queues {
		drivers = append(drivers, queueDriver{p.clients.SQS, q})
	}
	for _, t := range p.state.Topics {
		drivers = append(drivers, topicDriver{p.clients.SNS, t, p.state.Account.TopicARN(t.Name)})
	}
	for _, s := range p.state.Subscriptions {
		drivers = append(drivers, subscriptionDriver{p.clients.SNS, s})
	}
	for _, t := range p.state.Tables {
		drivers = append(drivers, tableDriver{p.clients.DynamoDB, t})
	}
	drivers = append(drivers, bucketDriver{p.clients.S3, p.state.Bucket})

	var parts []part
	for i, r := range p.state.Resources() {
		parts = append(parts, part{Resource: r, driver: drivers[i], standIn: p.standIn(r.Kind)})
	}
	return parts
}

func (p *Provisioner) standIn(k Kind) bool {
	switch k {
	case KindQueue:
		return StandIn(p.clients.SQS.Options().BaseEndpoint)
	case KindTopic, KindSubscription:
		return StandIn(p.clients.SNS.Options().BaseEndpoint)
	case KindTable:
		return StandIn(p.clients.DynamoDB.Options().BaseEndpoint)
	case KindBucket:
	}
	return StandIn(p.clients.S3.Options().BaseEndpoint)
}
