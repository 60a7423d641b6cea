package operations

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/adapter/dynamo"
	"github.com/belfry-push/belfry/internal/app"
	"github.com/belfry-push/belfry/internal/audit"
	"github.com/belfry-push/belfry/internal/audit/journal"
	"github.com/belfry-push/belfry/internal/config"
	"github.com/belfry-push/belfry/internal/doctor"
	"github.com/belfry-push/belfry/internal/provision"
)

// fill stores a tenant without a key, a viewer's key, and an entry that another key than the store's signed.
func fill(t *testing.T, s app.AuditStore) {
	t.Helper()
	dir := access.New(s, nil)
	if _, err := dir.CreateTenant(t.Context(), access.Tenant{Name: "acme"}, "ann"); err != nil {
		t.Fatal(err)
	}
	all := access.SetOf(access.Permissions()...)
	if _, _, err := dir.CreateKey(t.Context(), access.DefaultName, access.NewKey{Role: access.RoleViewer}, all, "ann"); err != nil {
		t.Fatal(err)
	}
	secret := config.Secret(audit.FormatSecret(must(journal.NewKey())))
	e := audit.Entry{Action: "backup", Target: audit.Target{Kind: "store", ID: "x"}}
	if err := app.RecordLocal(t.Context(), s, secret, e); err != nil {
		t.Fatal(err)
	}
}

// said are the results of keys, one a line.
func said(results []doctor.Result) string {
	var lines []string
	for _, r := range results {
		lines = append(lines, string(r.Status)+" "+r.Name+": "+r.Detail)
	}
	return strings.Join(lines, "\n")
}

func expectKeys(t *testing.T, got string) {
	t.Helper()
	for _, want := range []string{
		"failed API keys: no live key is the platform operator's", "warning API keys: tenants without a live key: acme",
		"failed audit key: BELFRY_AUDIT_KEY is not set",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
}

// The doctor reads keys of a data directory that is in use, of one that is not, and of a restored one, and changes no file.
func TestDoctorReadsKeys(t *testing.T) {
	t.Parallel()
	empty := config.Store{Backend: config.BackendEmbedded, Data: filepath.Join(t.TempDir(), "none")}
	if got := said(Operations{}.Doctor(t.Context(), config.Doctor{Store: empty}).Results); !strings.Contains(got, "nothing is stored yet") {
		t.Error(got)
	}
	store := embedded(t)
	b, err := app.Opener(store, zap.NewNop())(t.Context(), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	fill(t, b.Store)
	c := config.Doctor{Store: store, API: config.API{Listen: "0.0.0.0:8080"}}
	expectKeys(t, said(Operations{}.Doctor(t.Context(), c).Results))
	copied := filepath.Join(t.TempDir(), "copy")
	if _, err := (Operations{}).Backup(t.Context(), config.Backup{Store: store}, copied, nil); err == nil {
		t.Error("the backup was recorded with another key")
	}
	if err := b.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{store.Data, copied} {
		before, err := os.ReadFile(filepath.Join(dir, "store.db"))
		if err != nil {
			t.Fatal(err)
		}
		c.Store.Data = dir
		expectKeys(t, said(Operations{}.Doctor(t.Context(), c).Results))
		after, err := os.ReadFile(filepath.Join(dir, "store.db"))
		if err != nil || string(after) != string(before) {
			t.Errorf("the doctor changed %s: %v", dir, err)
		}
	}
}

// The same of the tables.
func TestDoctorReadsKeysOnAWS(t *testing.T) {
	t.Parallel()
	messaging, tables, objects := servers.Messaging(t), servers.Tables(t), servers.Objects(t)
	if messaging.Account {
		t.Skip("provisioning an account takes minutes and leaves a bucket's name behind")
	}
	clients := provision.Clients{
		SQS: sqs.NewFromConfig(messaging.Config), SNS: sns.NewFromConfig(messaging.Config),
		DynamoDB: dynamodb.NewFromConfig(tables.Config), S3: provision.NewS3Client(objects.Config),
	}
	prefix := strings.TrimSuffix(messaging.Prefix, "-")
	door := doorOf(config.Doctor{API: config.API{Listen: "0.0.0.0:8080"}}, func(context.Context) (doctor.Stored, error) {
		return storedIn(clients.DynamoDB, prefix), nil
	})
	if got := said(doctor.Access(door)(t.Context())); !strings.Contains(got, "failed API keys: ") {
		t.Errorf("without tables: %s", got)
	}
	plan := config.Provision{AWS: config.AWS{Prefix: prefix}}
	plan.AuditKey = config.Secret(audit.FormatSecret(must(journal.NewKey())))
	if _, err := provisionIn(t.Context(), clients, provision.StandInAccount(messaging.Config.Region), plan); err != nil {
		t.Fatal(err)
	}
	fill(t, dynamo.New(clients.DynamoDB, dynamo.Config{Prefix: prefix}))
	expectKeys(t, said(doctor.Access(door)(t.Context())))
}
