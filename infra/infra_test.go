package infra

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/belfry-push/belfry/internal/adapter/awsconf"
	"github.com/belfry-push/belfry/internal/provision"
)

const example = "examples/complete"

// complete evaluates the example for an installation called shop.
func complete(t *testing.T, edits ...edit) []resource {
	t.Helper()
	resources, outputs := evaluate(t, example, map[string]cty.Value{
		"prefix": cty.StringVal("shop"), "region": cty.StringVal(region), "on_call": cty.StringVal("you@example.com"),
	}, edits...)
	if got := outputs["environment"].AsValueMap()["BELFRY_AWS_PREFIX"].AsString(); got != "shop" {
		t.Errorf("the services would use the prefix %s", got)
	}
	return resources
}

func shop() provision.State {
	return provision.Desired("shop", awsconf.Account{ID: account, Partition: "aws", Region: region}, provision.Options{})
}

// ours leaves out what the example adds for people.
func ours(all things) things {
	delete(all, "topic shop-alarms")
	return all
}

func TestModulesMakeWhatProvisionMakes(t *testing.T) {
	t.Parallel()
	for _, fault := range differences(desired(shop()), ours(made(complete(t)))) {
		t.Error(fault)
	}
}

func TestEveryQueueIsGuarded(t *testing.T) {
	t.Parallel()
	resources := complete(t)
	for _, fault := range unguarded(resources) {
		t.Error(fault)
	}
	queues := 0
	for _, r := range resources {
		if r.kind == "aws_sqs_queue" {
			queues++
		}
	}
	if want := len(shop().Queues); queues != want {
		t.Errorf("%d queues, want %d", queues, want)
	}
}

// The comparisons see what is planted.
func TestFaultsAreSeen(t *testing.T) {
	t.Parallel()
	const queues, events, tables, pages = "queues/main.tf", "events/main.tf", "tables/main.tf", "pages/main.tf"
	for _, c := range []struct {
		name  string
		fault edit
		want  string
	}{
		{
			"another name",
			edit{queues, `"${var.prefix}-${each.key}-dlq"`, `"${var.prefix}-${each.key}-dead"`},
			"queue shop-events-dlq is not made by the modules",
		},
		{
			"a queue too many",
			edit{queues, `"events"            = {`, `"extra" = { age_alarm_seconds = 1 }` + "\n" + `"events"            = {`},
			"queue shop-extra is made by the modules only",
		},
		{
			"retention",
			edit{queues, `1209600`, `86400`},
			`queue shop-notifications-dlq: MessageRetentionPeriod is "86400", provision makes it "1209600"`,
		},
		{"receives", edit{queues, `maxReceiveCount     = 20`, `maxReceiveCount     = 3`}, "queue shop-deliveries-high: RedrivePolicy"},
		{
			"no encryption",
			edit{queues, `sqs_managed_sse_enabled    = var.kms_key_id == null ? true : null`, ``},
			"shop-events-dlq lacks encryption",
		},
		{"no redrive", edit{queues, `redrive_policy = jsonencode`, `tags_all = jsonencode`}, "shop-events lacks its dead-letter queue"},
		{
			"alarm on one letter",
			edit{queues, `threshold           = 0`, `threshold           = 10`},
			"shop-events-dlq lacks an alarm on depth above 0",
		},
		{
			"alarm on age of another thing",
			edit{queues, `ApproximateAgeOfOldestMessage`, `NumberOfMessagesSent`},
			"shop-deliveries-bulk-dlq lacks an alarm on age",
		},
		{"alarms that nobody hears", edit{"complete/main.tf", `[aws_sns_topic.alarms.arn]`, `[]`}, "shop-events lacks an alarm on age"},
		{"topic may not send", edit{events, `sqs:SendMessage`, `sqs:ReceiveMessage`}, "queue shop-events: statement BelfryEventsTopic"},
		{"wrapped delivery", edit{events, `raw_message_delivery = true`, `raw_message_delivery = false`}, "RawMessageDelivery"},
		{
			"nowhere for what SNS cannot deliver",
			edit{events, `jsonencode({ deadLetterTargetArn`, `jsonencode({ deadLetterTarget`},
			"subscription shop-events -> shop-events: RedrivePolicy",
		},
		{
			"SNS may not send there",
			edit{events, `Resource  = var.events_dead_letter_queue_arn`, `Resource  = var.events_queue_arn`},
			"queue shop-events-dlq: statement BelfryEventsTopic",
		},
		{
			"rules in two writes",
			edit{
				pages, "  # Parts of an upload",
				"}\n\nresource \"aws_s3_bucket_lifecycle_configuration\" \"uploads\" {\n  bucket = aws_s3_bucket.pages.id\n  # Parts of an upload",
			},
			"lifecycle configurations is set by the modules only",
		},
		{"open topic", edit{events, `kms_master_key_id = var.kms_key_id`, ``}, "topic shop-events: KmsMasterKeyId"},
		{"key", edit{tables, `hash_key     = "id"`, `hash_key     = "pk"`}, "table shop-notifications: key"},
		{"index", edit{tables, `KEYS_ONLY`, `ALL`}, "table shop-notifications: index outbox"},
		{"no expiry", edit{tables, `attribute_name = "expires_at"`, `attribute_name = "expiry"`}, "table shop-notifications: ttl"},
		{
			"no backups",
			edit{tables, "point_in_time_recovery {\n    enabled = true", "point_in_time_recovery {\n    enabled = false"},
			"table shop-notifications: point-in-time recovery",
		},
		{"provisioned", edit{tables, `PAY_PER_REQUEST`, `PROVISIONED`}, "table shop-notifications: billing"},
		{"public", edit{pages, `restrict_public_buckets = true`, `restrict_public_buckets = false`}, "public access"},
		{"pages for ever", edit{pages, `status = "Enabled"`, `status = "Disabled"`}, "lifecycle belfry-pages"},
		{"another bucket", edit{pages, `-pages-`, `-uploads-`}, "is made by the modules only"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			resources := complete(t, c.fault)
			faults := strings.Join(append(differences(desired(shop()), ours(made(resources))), unguarded(resources)...), "\n")
			if !strings.Contains(faults, c.want) {
				t.Errorf("nothing says %q:\n%s", c.want, faults)
			}
		})
	}
}

// With a key of the operator's, everything is encrypted with it.
func TestOwnKeys(t *testing.T) {
	t.Parallel()
	key := map[string]cty.Value{"kms_key_id": cty.StringVal("alias/mine"), "alarm_actions": cty.ListVal([]cty.Value{cty.StringVal("arn")})}
	resources, _ := evaluate(t, "modules/queues", key)
	for _, fault := range unguarded(resources) {
		t.Error(fault)
	}
	for _, r := range resources {
		if r.kind == "aws_sqs_queue" && (r.text("kms_master_key_id") != "alias/mine" || r.text("sqs_managed_sse_enabled") != "") {
			t.Errorf("%s is encrypted by %q and SQS itself: %q", r.name, r.text("kms_master_key_id"), r.text("sqs_managed_sse_enabled"))
		}
	}
}

// Every module pins its provider, and its variables and outputs say what they
// are.
func TestModulesAreDescribed(t *testing.T) {
	t.Parallel()
	dirs, err := filepath.Glob("modules/*")
	if err != nil || len(dirs) < 4 {
		t.Fatalf("modules: %v, %v", dirs, err)
	}
	for _, dir := range append(dirs, example) {
		t.Run(dir, func(t *testing.T) {
			t.Parallel()
			pinned := false
			for _, b := range (&module{t: t, dir: dir}).parse() {
				switch b.Type {
				case "variable":
					requireAll(t, dir, b, "description", "type")
				case "output":
					requireAll(t, dir, b, "description", "value")
				case "terraform":
					pinned = b.Body.Attributes["required_version"] != nil && len(b.Body.Blocks) > 0
				}
			}
			if !pinned {
				t.Errorf("%s does not pin its versions", dir)
			}
		})
	}
}

func requireAll(t *testing.T, dir string, b *hclsyntax.Block, names ...string) {
	t.Helper()
	for _, name := range names {
		if b.Body.Attributes[name] == nil {
			t.Errorf("%s: %s %s has no %s", dir, b.Type, b.Labels[0], name)
		}
	}
}
