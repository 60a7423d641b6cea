package operations

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/adapter/awsconf"
	"github.com/belfry-push/belfry/internal/adapter/dynamo"
	"github.com/belfry-push/belfry/internal/app"
	"github.com/belfry-push/belfry/internal/audit"
	"github.com/belfry-push/belfry/internal/audit/journal"
	"github.com/belfry-push/belfry/internal/config"
	"github.com/belfry-push/belfry/internal/provision"
)

// What was created and changed is in the audit log, by the operator on this machine; the table of the log is among it.
func TestProvisionIsRecorded(t *testing.T) {
	t.Parallel()
	messaging, tables, objects := servers.Messaging(t), servers.Tables(t), servers.Objects(t)
	if messaging.Account {
		t.Skip("provisioning an account takes minutes and leaves a bucket's name behind")
	}
	clients := provision.Clients{
		SQS: sqs.NewFromConfig(messaging.Config), SNS: sns.NewFromConfig(messaging.Config),
		DynamoDB: dynamodb.NewFromConfig(tables.Config), S3: provision.NewS3Client(objects.Config),
	}
	account := provision.StandInAccount(messaging.Config.Region)
	account.Caller = "arn:aws:iam::000000000000:role/operator"
	c := config.Provision{AWS: config.AWS{Prefix: strings.TrimSuffix(messaging.Prefix, "-")}}
	store := dynamo.New(clients.DynamoDB, dynamo.Config{Prefix: c.AWS.Prefix})
	entries := func() []audit.Entry {
		t.Helper()
		all, _, err := journal.NewReader(store).List(t.Context(), access.DefaultName, &journal.Filter{}, 0, 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range all {
			if e.Action != "provision" || e.Who.Name != "local:"+app.LocalUser("belfry") || e.Target.ID != c.AWS.Prefix || e.From == "" ||
				!strings.Contains(e.Reason, account.Caller) {
				t.Errorf("%+v", e)
			}
		}
		return all
	}
	run := func(c config.Provision, account awsconf.Account) error {
		_, err := provisionIn(t.Context(), clients, account, c)
		return err
	}
	only := c
	only.Plan = true
	if err := run(only, account); err != nil {
		t.Fatal(err)
	}
	if err := run(c, account); err != nil {
		t.Fatal(err)
	}
	all := entries()
	var d provisioned
	if len(all) != 1 || json.Unmarshal(all[0].After, &d) != nil || len(d.Created) < 10 ||
		!slices.Contains(d.Created, "table "+dynamo.AuditTable(c.AWS.Prefix)) {
		t.Fatalf("%+v", all)
	}

	if err := run(c, account); err != nil {
		t.Fatal(err)
	}
	if got := len(entries()); got != 1 {
		t.Errorf("%d entries, one of them of nothing", got)
	}

	queue := provision.QueueName(c.AWS.Prefix, "notifications")
	at, err := clients.SQS.GetQueueUrl(t.Context(), &sqs.GetQueueUrlInput{QueueName: &queue})
	if err != nil {
		t.Fatal(err)
	}
	odd := func() {
		t.Helper()
		_, err := clients.SQS.SetQueueAttributes(t.Context(), &sqs.SetQueueAttributesInput{
			QueueUrl: at.QueueUrl, Attributes: map[string]string{string(types.QueueAttributeNameMessageRetentionPeriod): "3600"},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	odd()
	if err := run(c, account); !differs(err) {
		t.Fatalf("%v", err)
	}
	if got := len(entries()); got != 1 {
		t.Errorf("%d entries, one of them of what was left alone", got)
	}
	forced := c
	forced.Force = true
	if err := run(forced, account); err != nil {
		t.Fatal(err)
	}
	all = entries()
	if len(all) != 2 || !strings.Contains(string(all[0].After), `"changed":{"queue `+queue+`":["MessageRetentionPeriod"]}`) {
		t.Errorf("%d entries: %s", len(all), all[0].After)
	}

	// A log that another key signs gets no head that would be taken for tampering.
	odd()
	ring, err := audit.NewKeyring(must(journal.NewKey()))
	if err != nil {
		t.Fatal(err)
	}
	b := audit.Block{Tenant: access.DefaultName, First: 3, Head: audit.Head{Tenant: access.DefaultName, Seq: 3}}
	ring.Sign(&b.Head)
	if err := store.AppendAudit(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	if err := run(forced, account); !errors.Is(err, journal.ErrOtherKey) {
		t.Errorf("%v", err)
	}
}

func differs(err error) bool {
	_, ok := errors.AsType[*provision.DifferError](err)
	return ok
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
