package doctor

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/belfry-push/belfry/internal/adapter/awsconf"
	"github.com/belfry-push/belfry/internal/provision"
	"github.com/belfry-push/belfry/internal/push"
)

func TestJudge(t *testing.T) {
	t.Parallel()
	step := func(name string, changes ...provision.Change) provision.Finding {
		return provision.Finding{Step: provision.Step{Kind: provision.KindQueue, Name: name, Exists: true, Changes: changes}}
	}
	results := judge([]provision.Finding{
		step("good"),
		step("lacking", provision.Change{Attribute: "SSE", To: "true", Effect: provision.EffectUnsupported}),
		step("other", provision.Change{Attribute: "VisibilityTimeout", From: "90", To: "30", Effect: provision.EffectReplace}),
		step("blind", provision.Change{Attribute: "RedrivePolicy", To: "x", Effect: provision.EffectAdd, Vital: true}),
		step("alien", provision.Change{Attribute: "key", From: "pk", To: "id", Effect: provision.EffectImpossible, Vital: true}),
		{Step: provision.Step{Kind: provision.KindQueue, Name: "gone"}},
		{Step: provision.Step{Kind: provision.KindBucket, Name: "pages"}},
	})
	expect(t, results, "queues", StatusFailed, "1 of 6 do not exist: gone", "belfry provision")
	expect(t, results, "queue other", StatusWarning, "VisibilityTimeout is 90, must be 30", "--force")
	expect(t, results, "queue blind", StatusFailed, "RedrivePolicy is not set", "belfry provision")
	expect(t, results, "queue alien", StatusFailed, "cannot be changed")
	expect(t, results, "bucket pages", StatusFailed, "does not exist")
	last := results[len(results)-2]
	if last.Status != StatusOK || !strings.Contains(last.Detail, "2 of 6 as they must be; the stand-in does not know SSE") {
		t.Errorf("what is in order: %+v", last)
	}
}

func TestSkew(t *testing.T) {
	t.Parallel()
	for skew, want := range map[time.Duration]Status{
		0: StatusOK, -4 * time.Second: StatusOK, 30 * time.Second: StatusWarning, -time.Minute: StatusWarning, 5 * time.Minute: StatusFailed,
		-time.Hour: StatusFailed,
	} {
		if got := judgeSkew(skew); got.Status != want {
			t.Errorf("a clock %v off is %s, want %s", skew, got.Status, want)
		}
	}
}

func loaded(cfg aws.Config) Loader {
	return func(context.Context) (aws.Config, error) { return cfg, nil }
}

func TestBadConfiguration(t *testing.T) {
	t.Parallel()
	results := AWS(func(context.Context) (aws.Config, error) {
		return aws.Config{}, awsconf.Explain(&aws.MissingRegionError{}, "AWS")
	}, Installation{})(t.Context())
	expect(t, results, nameConfiguration, StatusFailed, "region is required", "set AWS_REGION")
}

// Whoever has no credentials hears that and nothing that follows from it.
func TestBadCredentials(t *testing.T) {
	t.Parallel()
	f := fakeAWS{
		answers: map[string]answer{
			"GetCallerIdentity": {403, `<ErrorResponse><Error><Code>ExpiredToken</Code><Message>old</Message></Error></ErrorResponse>`},
		},
		ahead: time.Hour,
	}
	results := AWS(f.load, Installation{Prefix: "belfry"})(t.Context())
	expect(t, results, nameCredentials, StatusFailed, "ExpiredToken", "sign in again")
	expect(t, results, namePermissions, StatusSkipped)
	expect(t, results, nameClock, StatusFailed, "off AWS")
	if len(results) != 3 {
		t.Errorf("%d results, want three", len(results))
	}
}

// Against AWS, what is refused is named by its action and resource.
func TestPermissions(t *testing.T) {
	t.Parallel()
	f := fakeAWS{answers: map[string]answer{
		"GetCallerIdentity":  {200, identity},
		"GetQueueUrl":        {200, `{"QueueUrl":"https://sqs.us-east-1.amazonaws.com/123456789012/q"}`},
		"GetQueueAttributes": {200, `{"Attributes":{}}`},
		"SendMessageBatch":   denied(),
		"DescribeTable":      {400, `{"__type":"ResourceNotFoundException","message":"no table"}`},
		"GetTopicAttributes": {403, `<ErrorResponse><Error><Code>AuthorizationError</Code><Message>no</Message></Error></ErrorResponse>`},
	}}
	results := AWS(f.load, Installation{Prefix: "belfry"})(t.Context())
	expect(t, results, nameCredentials, StatusOK, "account 123456789012", "user/ann")
	expect(t, results, "permission sqs:SendMessage", StatusFailed, "belfry-events", "belfry-deliveries-bulk-dlq", "allow sqs:SendMessage")
	expect(t, results, "tables", StatusFailed, "do not exist: belfry-notifications")
	expect(t, results, "queue belfry-events", StatusFailed, "RedrivePolicy is not set")
	expect(t, results, "topic belfry-outcomes", StatusWarning, "could not be looked at", "AuthorizationError", "operator")
	expect(t, results, nameClock, StatusOK)
	for _, r := range results {
		if strings.HasPrefix(r.Name, "permission ") && r.Name != "permission sqs:SendMessage" {
			t.Errorf("refused too: %+v", r)
		}
	}
}

// The probes do nothing, not even on a stand-in that is lax.
func TestProbesAreHarmless(t *testing.T) {
	t.Parallel()
	messaging, tables, objects := servers.Messaging(t), servers.Tables(t), servers.Objects(t)
	if messaging.Account {
		t.Skip("this test counts on stand-ins")
	}
	prefix := strings.TrimSuffix(messaging.Prefix, "-")
	clients := provision.NewClients(messaging.Config)
	clients.DynamoDB, clients.S3 = provision.NewClients(tables.Config).DynamoDB, provision.NewClients(objects.Config).S3
	state := provision.Desired(prefix, provision.StandInAccount(messaging.Config.Region), provision.Options{})
	p := provision.New(clients, state)
	plan, err := p.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Apply(t.Context(), plan, false); err != nil {
		t.Fatal(err)
	}
	findings := p.Look(t.Context())
	results := append(judge(findings), permissions(t.Context(), clients, prefix, state, findings)...)
	for _, r := range results {
		if r.Status != StatusOK {
			t.Errorf("%+v", r)
		}
	}
	for _, q := range push.Queues() {
		url, err := clients.SQS.GetQueueUrl(t.Context(), &sqs.GetQueueUrlInput{QueueName: aws.String(provision.QueueName(prefix, q))})
		if err != nil {
			t.Fatal(err)
		}
		out, err := clients.SQS.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: url.QueueUrl})
		if err != nil || len(out.Messages) != 0 {
			t.Errorf("%s holds %d messages, %v", q, len(out.Messages), err)
		}
	}
}

// Stand-ins are recognised: there are no credentials to check.
func TestStandInsNeedNoCredentials(t *testing.T) {
	t.Parallel()
	messaging := servers.Messaging(t)
	if messaging.Account {
		t.Skip("this test counts on stand-ins")
	}
	results := AWS(loaded(messaging.Config), Installation{Prefix: "nothing-here"})(t.Context())
	expect(t, results, nameCredentials, StatusSkipped)
	expect(t, results, namePermissions, StatusSkipped)
	expect(t, results, "queues", StatusFailed, "nothing-here-events")
	expect(t, results, nameClock, StatusOK)
}
