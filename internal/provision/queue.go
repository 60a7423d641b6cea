package provision

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/belfry-push/belfry/internal/adapter/awsconf"
)

type queueDriver struct {
	client *sqs.Client
	queue  Queue
}

func (d queueDriver) what() string { return "queue " + d.queue.Name }

func (d queueDriver) url(ctx context.Context) (*string, error) {
	out, err := d.client.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: &d.queue.Name})
	if err != nil {
		return nil, awsconf.Explain(err, d.what())
	}
	return out.QueueUrl, nil
}

func (d queueDriver) read(ctx context.Context) (map[string]string, bool, error) {
	url, err := d.url(ctx)
	if awsconf.KindOf(err) == awsconf.KindMissing {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	has, err := d.attributes(ctx, url)
	if err != nil {
		return nil, false, err
	}
	have := map[string]string{}
	for _, name := range []string{attrRetention, attrVisibility, attrMaxBytes} {
		have[name] = has[name]
	}
	if has[attrManagedKey] == valueTrue || has[attrKey] != "" { // a key of the operator's is as good
		have[attrManagedKey] = valueTrue
	}
	have[attrRedrive] = redriveText(has[attrRedrive])
	p, err := parsePolicy(has[attrPolicy])
	if err != nil {
		return nil, false, fmt.Errorf("%s: %w", d.what(), err)
	}
	for _, s := range d.queue.Senders {
		have[attrStatement+s.ID] = p.find(s.ID)
	}
	return have, true, nil
}

func (d queueDriver) attributes(ctx context.Context, url *string) (map[string]string, error) {
	out, err := d.client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
		QueueUrl: url, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameAll},
	})
	if err != nil {
		return nil, awsconf.Explain(err, d.what())
	}
	return out.Attributes, nil
}

// redriveText reads a RedrivePolicy into the form of [redrive]; the count may
// be a number or a text of one.
func redriveText(text string) string {
	var p struct {
		Target string `json:"deadLetterTargetArn"` //nolint:tagliatelle // AWS's
		Count  any    `json:"maxReceiveCount"`     //nolint:tagliatelle // AWS's
	}
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		return text
	}
	n, err := strconv.Atoi(fmt.Sprint(p.Count))
	if err != nil {
		return text
	}
	return redrive(p.Target, n)
}

// create gives the queue all of its attributes in one call, which fails if the
// queue exists by now with others.
func (d queueDriver) create(ctx context.Context) ([]string, error) {
	attributes := map[string]string{}
	var given []string
	for _, a := range d.queue.Attributes() {
		given = append(given, a.Name)
		if !strings.HasPrefix(a.Name, attrStatement) {
			attributes[a.Name] = a.Value
		}
	}
	if len(d.queue.Senders) > 0 {
		text, err := d.policy("")
		if err != nil {
			return nil, err
		}
		attributes[attrPolicy] = text
	}
	_, err := d.client.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: &d.queue.Name, Attributes: attributes})
	return given, awsconf.Explain(err, d.what())
}

// policy returns a policy with the senders put into it, as text.
func (d queueDriver) policy(now string) (string, error) {
	p, err := parsePolicy(now)
	if err != nil {
		return "", fmt.Errorf("%s: %w", d.what(), err)
	}
	for _, s := range d.queue.Senders {
		p = p.with(s)
	}
	return mustCanonical(p), nil
}

// set writes all statements of the senders together with the others' that the
// policy has.
func (d queueDriver) set(ctx context.Context, attributes []string) error {
	url, err := d.url(ctx)
	if err != nil {
		return err
	}
	name, value := attributes[0], ""
	if strings.HasPrefix(name, attrStatement) {
		has, err := d.attributes(ctx, url)
		if err != nil {
			return err
		}
		name = attrPolicy
		if value, err = d.policy(has[attrPolicy]); err != nil {
			return err
		}
	}
	for _, a := range d.queue.Attributes() {
		if a.Name == name {
			value = a.Value
		}
	}
	_, err = d.client.SetQueueAttributes(ctx, &sqs.SetQueueAttributesInput{QueueUrl: url, Attributes: map[string]string{name: value}})
	return awsconf.Explain(err, d.what())
}
