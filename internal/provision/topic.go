package provision

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"

	"github.com/belfry-push/belfry/internal/adapter/awsconf"
)

type topicDriver struct {
	client *sns.Client
	topic  Topic
	arn    string
}

func (d topicDriver) what() string { return "topic " + d.topic.Name }

func (d topicDriver) read(ctx context.Context) (map[string]string, bool, error) {
	out, err := d.client.GetTopicAttributes(ctx, &sns.GetTopicAttributesInput{TopicArn: &d.arn})
	err = awsconf.Explain(err, d.what())
	if awsconf.KindOf(err) == awsconf.KindMissing {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	have := map[string]string{}
	if out.Attributes[attrKey] != "" { // a key of the operator's is as good
		have[attrKey] = d.topic.Key
	}
	return have, true, nil
}

func (d topicDriver) create(ctx context.Context) ([]string, error) {
	in := &sns.CreateTopicInput{Name: &d.topic.Name, Attributes: map[string]string{}}
	var given []string
	for _, a := range d.topic.Attributes() {
		in.Attributes[a.Name] = a.Value
		given = append(given, a.Name)
	}
	_, err := d.client.CreateTopic(ctx, in)
	return given, awsconf.Explain(err, d.what())
}

func (d topicDriver) set(ctx context.Context, attributes []string) error {
	for _, a := range d.topic.Attributes() {
		if a.Name != attributes[0] {
			continue
		}
		_, err := d.client.SetTopicAttributes(ctx, &sns.SetTopicAttributesInput{
			TopicArn: &d.arn, AttributeName: &a.Name, AttributeValue: &a.Value,
		})
		return awsconf.Explain(err, d.what())
	}
	return nil
}

type subscriptionDriver struct {
	client *sns.Client
	sub    Subscription
}

func (d subscriptionDriver) what() string { return "subscription " + d.sub.Name() }

// find returns the subscription's ARN, "" if there is none.
func (d subscriptionDriver) find(ctx context.Context) (string, error) {
	pages := sns.NewListSubscriptionsByTopicPaginator(d.client, &sns.ListSubscriptionsByTopicInput{TopicArn: &d.sub.Topic})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err := awsconf.Explain(err, d.what()); awsconf.KindOf(err) == awsconf.KindMissing {
			return "", nil // not even the topic
		} else if err != nil {
			return "", err
		}
		for _, s := range page.Subscriptions {
			if aws.ToString(s.Protocol) == protocolSQS && aws.ToString(s.Endpoint) == d.sub.Queue {
				return aws.ToString(s.SubscriptionArn), nil
			}
		}
	}
	return "", nil
}

const protocolSQS = "sqs"

func (d subscriptionDriver) read(ctx context.Context) (map[string]string, bool, error) {
	arn, err := d.find(ctx)
	if err != nil || arn == "" {
		return nil, false, err
	}
	out, err := d.client.GetSubscriptionAttributes(ctx, &sns.GetSubscriptionAttributesInput{SubscriptionArn: &arn})
	if err != nil {
		return nil, false, awsconf.Explain(err, d.what())
	}
	return map[string]string{attrRaw: out.Attributes[attrRaw], attrRedrive: canonical(out.Attributes[attrRedrive])}, true, nil
}

// create subscribes; a queue of the same account needs no confirmation.
func (d subscriptionDriver) create(ctx context.Context) ([]string, error) {
	attributes := map[string]string{}
	var given []string
	for _, a := range d.sub.Attributes() {
		attributes[a.Name] = a.Value
		given = append(given, a.Name)
	}
	_, err := d.client.Subscribe(ctx, &sns.SubscribeInput{
		TopicArn: &d.sub.Topic, Protocol: aws.String(protocolSQS), Endpoint: &d.sub.Queue, ReturnSubscriptionArn: true, Attributes: attributes,
	})
	return given, awsconf.Explain(err, d.what())
}

func (d subscriptionDriver) set(ctx context.Context, attributes []string) error {
	arn, err := d.find(ctx)
	if err != nil {
		return err
	}
	for _, a := range d.sub.Attributes() {
		if a.Name != attributes[0] {
			continue
		}
		_, err = d.client.SetSubscriptionAttributes(ctx, &sns.SetSubscriptionAttributesInput{
			SubscriptionArn: &arn, AttributeName: &a.Name, AttributeValue: &a.Value,
		})
		return awsconf.Explain(err, d.what())
	}
	return nil
}
