package app

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/adapter/awsconf"
	"github.com/belfry-push/belfry/internal/adapter/awsmeter"
	"github.com/belfry-push/belfry/internal/adapter/dynamo"
	"github.com/belfry-push/belfry/internal/adapter/s3"
	"github.com/belfry-push/belfry/internal/adapter/sns"
	"github.com/belfry-push/belfry/internal/adapter/sqs"
	"github.com/belfry-push/belfry/internal/batch"
	"github.com/belfry-push/belfry/internal/config"
	"github.com/belfry-push/belfry/internal/provision"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/telemetry"
)

// awsStore drives the storage ports: pages on S3, everything else on DynamoDB.
type awsStore struct {
	*dynamo.Store
	batch.Pages
}

// pollers is how many long polls a process may have open: two of fanout, and
// one each of events and the three lanes. A drain has four for each of five
// queues, which fit beside its other calls.
const pollers = 6

// openAWS opens queues, tables, bucket and topic in the account and region of
// the standard AWS environment. What is missing is an error that names it;
// `belfry provision` makes it.
func openAWS(ctx context.Context, c config.Store, log *zap.Logger, reg prometheus.Registerer) (*Backend, error) {
	cfg, err := awsconf.Load(ctx, awsconf.Options{Pollers: pollers, Version: telemetry.Version()})
	if err != nil {
		return nil, err
	}
	meter := awsmeter.New(reg)
	if err := registerCost(reg, meter); err != nil {
		return nil, err
	}
	cfg = awsconf.Observe(cfg, log, meter)
	account, err := awsconf.WhoAmI(ctx, cfg, meter)
	if err != nil {
		return nil, err
	}
	want := provision.Desired(c.AWS.Prefix, account, provision.Options{Bucket: c.AWS.Bucket})
	pages := s3.New(cfg, want.Bucket.Name, meter)
	if err := pages.Check(ctx); err != nil {
		return nil, err
	}
	tables := dynamo.New(dynamodb.NewFromConfig(cfg), dynamo.Config{Prefix: c.AWS.Prefix, Meter: consumed{meter}})
	outcomes := sns.New(cfg, account.TopicARN(c.AWS.Prefix+"-outcomes"), meter)
	if err := outcomes.Check(ctx); err != nil {
		return nil, err
	}
	bus := NewBus()
	b := &Backend{
		Store: awsStore{tables, pages}, Queues: map[string]Queue{}, Bus: bus, Events: tee{bus, outcomes}, Meter: meter, Visibility: c.Visibility,
		Kept: dynamo.DefaultRetention,
	}
	b.Pulses = Pulses{Ledger: tables.Pulse, Pages: pages.Check, Events: outcomes.Check, Queues: depths(b.Queues)}
	return b, openQueues(ctx, b, cfg, c.AWS.Prefix, meter)
}

// openQueues opens every source queue and its dead-letter queue.
func openQueues(ctx context.Context, b *Backend, cfg aws.Config, prefix string, meter *awsmeter.Meter) error {
	client := sqs.New(cfg, meter)
	var opened []*sqs.Queue
	b.Close = func(ctx context.Context) error {
		// Polls that are still open hand back what they bring; see sqs.Queue.Close.
		const patience = 2 * time.Second
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		errs := make(chan error, len(opened))
		for _, q := range opened {
			go func() { errs <- q.Close(ctx) }()
		}
		var all []error
		for range opened {
			all = append(all, <-errs)
		}
		return errors.Join(all...)
	}
	for _, source := range push.Queues() {
		for _, name := range []string{source, push.DeadLetterQueue(source)} {
			q, err := client.Open(ctx, provision.QueueName(prefix, name))
			if err != nil {
				return errors.Join(err, b.Close(context.WithoutCancel(ctx)))
			}
			b.Queues[name] = q
			opened = append(opened, q)
		}
	}
	return nil
}

// consumed tells the meter what DynamoDB says that calls consumed.
type consumed struct{ meter *awsmeter.Meter }

// Consumed implements dynamo.Meter.
func (c consumed) Consumed(op string, read, write float64) {
	c.meter.Call(awsmeter.DynamoDB, op, awsmeter.ReadUnits, read)
	c.meter.Add(awsmeter.DynamoDB, awsmeter.WriteUnits, write)
}
