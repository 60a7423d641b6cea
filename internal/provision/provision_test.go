package provision

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/google/go-cmp/cmp"

	"github.com/belfry-push/belfry/internal/push"
)

// From nothing to everything; then there is nothing left to do.
func TestApplyMakesEverything(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	p := g.provisioner()
	plan, err := p.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if plan.Missing() != len(plan.Steps) || plan.Settled() {
		t.Fatalf("before: %d of %d missing, settled %v", plan.Missing(), len(plan.Steps), plan.Settled())
	}
	done, err := p.Apply(t.Context(), plan, false)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range done.Steps {
		if s.Outcome != OutcomeCreated {
			t.Errorf("%s %s: %q", s.Kind, s.Name, s.Outcome)
		}
	}
	if !done.Settled() {
		t.Error("not settled after everything was made")
	}
	again, err := p.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if again.Missing() != 0 || !again.Settled() {
		t.Errorf("a second plan: %+v", again)
	}
	// What the stand-ins are known to lack, and nothing else, is left out.
	lacks := map[string]bool{}
	for _, s := range again.Steps {
		for _, c := range s.Changes {
			lacks[string(s.Kind)+" "+c.Attribute] = c.Effect == EffectUnsupported
		}
	}
	want := map[string]bool{
		"queue SqsManagedSseEnabled": true,
		"table ttl":                  true, "table point-in-time recovery": true, "table encryption": true,
		"bucket encryption": true, "bucket public access": true,
		"bucket lifecycle belfry-pages": true, "bucket lifecycle belfry-reports": true, "bucket lifecycle belfry-uploads": true,
	}
	if d := cmp.Diff(want, lacks); d != "" {
		t.Errorf("left out by the stand-ins (-want +got):\n%s", d)
	}
	if after, err := p.Apply(t.Context(), again, true); err != nil || after.Steps[0].Outcome != "" {
		t.Errorf("applying it again: %v, %+v", err, after.Steps[0])
	}
}

// A message published to the inbound topic arrives in the events queue, raw.
func TestTopicFeedsTheEventsQueue(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	p := g.provisioner()
	plan, err := p.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Apply(t.Context(), plan, false); err != nil {
		t.Fatal(err)
	}
	_, err = g.clients.SNS.Publish(t.Context(),
		&sns.PublishInput{TopicArn: aws.String(g.account.TopicARN(g.prefix + "-events")), Message: aws.String("hello")})
	if err != nil {
		t.Fatal(err)
	}
	out, err := g.clients.SQS.ReceiveMessage(t.Context(),
		&sqs.ReceiveMessageInput{QueueUrl: g.queueURL(t, push.QueueEvents), WaitTimeSeconds: 10})
	if err != nil || len(out.Messages) != 1 || aws.ToString(out.Messages[0].Body) != "hello" {
		t.Errorf("received %v, %v", out.Messages, err)
	}
}

// A subscription of an older installation gets a place for what SNS cannot
// deliver, and SNS may send to it.
func TestSubscriptionGetsDeadLetters(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	p := g.provisioner()
	plan, err := p.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Apply(t.Context(), plan, false); err != nil {
		t.Fatal(err)
	}
	d := subscriptionDriver{g.clients.SNS, g.state().Subscriptions[0]}
	arn, err := d.find(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, err = g.clients.SNS.SetSubscriptionAttributes(t.Context(), &sns.SetSubscriptionAttributesInput{
		SubscriptionArn: &arn, AttributeName: aws.String(attrRedrive), AttributeValue: aws.String(""),
	})
	if err != nil {
		t.Fatal(err)
	}
	plan, err = p.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	dead := QueueName(g.prefix, push.DeadLetterQueue(push.QueueEvents))
	want := Change{Attribute: attrRedrive, To: `{"deadLetterTargetArn":"` + g.account.QueueARN(dead) + `"}`, Effect: EffectAdd, Vital: true}
	for _, s := range plan.Steps {
		if s.Kind != KindSubscription {
			continue
		}
		if len(s.Changes) != 1 || s.Changes[0] != want {
			t.Errorf("changes %+v, want %+v", s.Changes, want)
		}
	}
	if _, err := p.Apply(t.Context(), plan, false); err != nil {
		t.Fatal(err)
	}
	have, _, err := d.read(t.Context())
	if err != nil || have[attrRedrive] != want.To {
		t.Errorf("redrive policy %q, %v", have[attrRedrive], err)
	}
	policy := g.attribute(t, push.DeadLetterQueue(push.QueueEvents), attrPolicy)
	if !strings.Contains(policy, g.account.TopicARN(g.prefix+"-events")) || !strings.Contains(policy, g.account.QueueARN(dead)) {
		t.Errorf("the policy does not let the topic send to %s: %s", dead, policy)
	}
}

// What exists and differs is left alone unless told, and other people's
// statements of a policy stay.
func TestApplyLeavesWhatDiffers(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	events, high := g.state().queue(push.QueueEvents), g.state().queue(push.QueueHigh)
	for _, q := range []struct {
		name       string
		attributes map[string]string
	}{
		{high.Name, map[string]string{attrVisibility: "90"}},
		{
			events.Name,
			map[string]string{
				attrPolicy: `{"Version":"2012-10-17","Statement":{"Sid":"Mine","Effect":"Allow","Principal":"*","Action":"sqs:SendMessage",` +
					`"Resource":"*"}}`,
			},
		},
	} {
		if _, err := g.clients.SQS.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: &q.name, Attributes: q.attributes}); err != nil {
			t.Fatal(err)
		}
	}
	_, err := g.clients.DynamoDB.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName: aws.String(g.prefix + "-chunks"), BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("other"), AttributeType: types.ScalarAttributeTypeS}},
		KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("other"), KeyType: types.KeyTypeHash}},
	})
	if err != nil {
		t.Fatal(err)
	}
	p := g.provisioner()
	plan, err := p.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	done, err := p.Apply(t.Context(), plan, false)
	differ, ok := errors.AsType[*DifferError](err)
	if !ok || len(differ.Names) != 2 || !differ.Fixed {
		t.Fatalf("error %v, want two that differ", err)
	}
	if done.Settled() {
		t.Error("settled, although two differ")
	}
	if got := g.attribute(t, push.QueueHigh, attrVisibility); got != "90" {
		t.Errorf("visibility changed to %s without being told", got)
	}
	if got := g.attribute(t, push.QueueHigh, attrRedrive); got == "" {
		t.Error("the missing redrive policy was not added")
	}
	policy := g.attribute(t, push.QueueEvents, attrPolicy)
	for _, sid := range []string{`"Mine"`, `"BelfryEventsTopic"`} {
		if strings.Count(policy, sid) != 1 {
			t.Errorf("the policy lacks statement %s: %s", sid, policy)
		}
	}
	if plan, err = p.Plan(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err = p.Apply(t.Context(), plan, true)
	if differ, ok = errors.AsType[*DifferError](err); !ok || len(differ.Names) != 1 {
		t.Fatalf("error %v, want the table with other keys", err)
	}
	if got := g.attribute(t, push.QueueHigh, attrVisibility); got != "30" {
		t.Errorf("visibility %s after --force, want 30", got)
	}
}

func (s State) queue(name string) Queue {
	for _, q := range s.Queues {
		if strings.HasSuffix(q.Name, "-"+name) {
			return q
		}
	}
	return Queue{}
}

func (g ground) attribute(t *testing.T, queue, name string) string {
	t.Helper()
	out, err := g.clients.SQS.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{
		QueueUrl: g.queueURL(t, queue), AttributeNames: []sqstypes.QueueAttributeName{sqstypes.QueueAttributeNameAll},
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.Attributes[name]
}

func TestDesired(t *testing.T) {
	t.Parallel()
	s := Desired("shop", StandInAccount("eu-central-1"), Options{})
	if s.Bucket.Name != "shop-pages-000000000000-eu-central-1" || len(s.Tables) == 0 {
		t.Errorf("bucket %s, %d tables", s.Bucket.Name, len(s.Tables))
	}
	dead := map[string]Queue{}
	for _, q := range s.Queues {
		switch {
		case q.DeadLetters == "":
			dead[s.Account.QueueARN(q.Name)] = q
			if q.Retention != 14*24*time.Hour {
				t.Errorf("%s keeps dead letters %v", q.Name, q.Retention)
			}
		case dead[q.DeadLetters].Name != q.Name+"-dlq":
			t.Errorf("%s comes before its dead-letter queue %s", q.Name, q.DeadLetters)
		}
		if !q.Encrypted {
			t.Errorf("%s is not encrypted", q.Name)
		}
	}
	if len(s.Queues) != 2*len(push.Queues()) {
		t.Errorf("%d queues, want each with its dead-letter queue", len(s.Queues))
	}
	if own := Desired("shop", s.Account, Options{Bucket: "mine", TopicKey: "alias/mine"}); own.Bucket.Name != "mine" ||
		own.Topics[0].Key != "alias/mine" {
		t.Errorf("options ignored: %+v", own)
	}
}

func TestStandIn(t *testing.T) {
	t.Parallel()
	for endpoint, want := range map[string]bool{
		"":                              false,
		"https://sqs.us-east-1.api.aws": false,
		"https://vpce-1.sqs.us-east-1.vpce.amazonaws.com": false,
		"https://sqs.cn-north-1.amazonaws.com.cn":         false,
		"http://127.0.0.1:4566":                           true,
		"http://localstack:4566":                          true,
		"https://evil-amazonaws.com":                      true,
		"://":                                             true,
	} {
		if got := StandIn(aws.String(endpoint)); got != want {
			t.Errorf("StandIn(%q) = %v", endpoint, got)
		}
	}
	if StandIn(nil) {
		t.Error("no endpoint is a stand-in")
	}
}
