package infra

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/belfry-push/belfry/internal/provision"
)

// things are what the modules make, in the form of provision.Resource: kind and
// name to attributes and their values.
type things map[string]map[string]string

func key(kind provision.Kind, name string) string { return string(kind) + " " + name }

// desired is what belfry provision makes, in the same form.
func desired(state provision.State) things {
	all := things{}
	for _, r := range state.Resources() {
		all[key(r.Kind, r.Name)] = map[string]string{}
		for _, a := range r.Attributes {
			all[key(r.Kind, r.Name)][a.Name] = a.Value
		}
	}
	return all
}

// made reads the modules' resources.
func made(resources []resource) things {
	all := things{}
	for _, r := range resources {
		switch r.kind {
		case "aws_sqs_queue":
			all[key(provision.KindQueue, r.text("name"))] = queue(r)
		case "aws_sns_topic":
			all[key(provision.KindTopic, r.text("name"))] = set("KmsMasterKeyId", r.text("kms_master_key_id"))
		case "aws_sns_topic_subscription":
			if r.text("protocol") == "sqs" {
				name := provision.Subscription{Topic: r.text("topic_arn"), Queue: r.text("endpoint")}.Name()
				all[key(provision.KindSubscription, name)] = set("RawMessageDelivery", r.text("raw_message_delivery"))
				maps.Copy(all[key(provision.KindSubscription, name)], set("RedrivePolicy", r.text("redrive_policy")))
			}
		case "aws_dynamodb_table":
			all[key(provision.KindTable, r.text("name"))] = table(r)
		case "aws_s3_bucket":
			all[key(provision.KindBucket, r.text("bucket"))] = map[string]string{}
		}
	}
	for _, r := range resources { // what belongs to one of the above
		switch r.kind {
		case "aws_sqs_queue_policy":
			url := r.text("queue_url")
			all.add(key(provision.KindQueue, url[strings.LastIndexByte(url, '/')+1:]), statements(r.text("policy")))
		case "aws_s3_bucket_server_side_encryption_configuration":
			all.add(key(provision.KindBucket, r.text("bucket")),
				set("encryption", r.only("rule").only("apply_server_side_encryption_by_default").text("sse_algorithm")))
		case "aws_s3_bucket_public_access_block":
			all.add(key(provision.KindBucket, r.text("bucket")), public(r))
		case "aws_s3_bucket_lifecycle_configuration":
			to := key(provision.KindBucket, r.text("bucket"))
			for attribute := range all[to] {
				if strings.HasPrefix(attribute, "lifecycle ") { // the second takes the first one's rules away
					all.add(to, set("lifecycle configurations", "more than one"))
				}
			}
			all.add(to, rules(r))
		}
	}
	return all
}

func set(name, value string) map[string]string {
	if value == "" {
		return map[string]string{}
	}
	return map[string]string{name: value}
}

func (t things) add(to string, attributes map[string]string) {
	if t[to] == nil {
		t[to] = map[string]string{"belongs to": "nothing"}
	}
	maps.Copy(t[to], attributes)
}

func queue(r resource) map[string]string {
	q := map[string]string{}
	for argument, attribute := range map[string]string{
		"message_retention_seconds": "MessageRetentionPeriod", "visibility_timeout_seconds": "VisibilityTimeout",
		"max_message_size": "MaximumMessageSize", "sqs_managed_sse_enabled": "SqsManagedSseEnabled", "redrive_policy": "RedrivePolicy",
		"kms_master_key_id": "KmsMasterKeyId", "delay_seconds": "DelaySeconds",
	} {
		if v := r.text(argument); v != "" {
			q[attribute] = v
		}
	}
	return q
}

func statements(policy string) map[string]string {
	var p struct {
		Statement []map[string]any `json:"Statement"` //nolint:tagliatelle // AWS's
	}
	if err := json.Unmarshal([]byte(policy), &p); err != nil {
		return set("statement", err.Error())
	}
	all := map[string]string{}
	for _, s := range p.Statement {
		text, err := json.Marshal(s)
		if err != nil {
			text = []byte(err.Error())
		}
		all[fmt.Sprintf("statement %v", s["Sid"])] = string(text)
	}
	return all
}

func table(r resource) map[string]string {
	t := map[string]string{"key": keys(r.body), "billing": r.text("billing_mode")}
	for _, x := range r.blocks["global_secondary_index"] {
		t["index "+x.text("name")] = keys(x) + " " + x.text("projection_type")
	}
	if x := r.only("ttl"); x.text("enabled") == "true" {
		t["ttl"] = x.text("attribute_name")
	}
	if r.only("point_in_time_recovery").text("enabled") == "true" {
		t["point-in-time recovery"] = "on"
	}
	if r.only("server_side_encryption").text("enabled") == "true" {
		t["encryption"] = "KMS"
	}
	return t
}

func keys(b body) string {
	if sort := b.text("range_key"); sort != "" {
		return b.text("hash_key") + ", " + sort
	}
	return b.text("hash_key")
}

func public(r resource) map[string]string {
	for _, name := range []string{"block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets"} {
		if r.text(name) != "true" {
			return set("public access", "not "+name)
		}
	}
	return set("public access", "blocked")
}

func rules(r resource) map[string]string {
	all := map[string]string{}
	for _, x := range r.blocks["rule"] {
		rule := provision.Rule{Prefix: x.only("filter").text("prefix")}
		_, _ = fmt.Sscan(x.only("expiration").text("days"), &rule.ExpireDays)                                        // 0 where there is none
		_, _ = fmt.Sscan(x.only("abort_incomplete_multipart_upload").text("days_after_initiation"), &rule.AbortDays) // the same
		text := rule.String()
		if x.text("status") != "Enabled" {
			text += " (disabled)"
		}
		all["lifecycle "+x.text("id")] = text
	}
	return all
}

// differences names everything in which two sets of things differ.
func differences(want, got things) []string {
	var faults []string
	for name, attributes := range want {
		if got[name] == nil {
			faults = append(faults, name+" is not made by the modules")
			continue
		}
		for a, value := range attributes {
			if is := got[name][a]; is != value {
				faults = append(faults, fmt.Sprintf("%s: %s is %q, provision makes it %q", name, a, is, value))
			}
		}
		for a := range got[name] {
			if _, ok := attributes[a]; !ok {
				faults = append(faults, fmt.Sprintf("%s: %s is set by the modules only", name, a))
			}
		}
	}
	for name := range got {
		if want[name] == nil {
			faults = append(faults, name+" is made by the modules only")
		}
	}
	slices.SortFunc(faults, cmp.Compare)
	return faults
}

// alarm metrics of SQS
// (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html).
const (
	metricDepth = "ApproximateNumberOfMessagesVisible"
	metricAge   = "ApproximateAgeOfOldestMessage"
)

// unguarded names every queue that lacks its dead-letter queue, encryption or an
// alarm that tells somebody.
func unguarded(resources []resource) []string {
	alarms := map[string]bool{}
	for _, r := range resources {
		if r.kind == "aws_cloudwatch_metric_alarm" && r.text("namespace") == "AWS/SQS" && told(r) &&
			r.text("comparison_operator") == "GreaterThanThreshold" {
			alarms[r.attributes["dimensions"].AsValueMap()["QueueName"].AsString()+" "+r.text("metric_name")] = true
			if r.text("metric_name") == metricDepth && r.text("threshold") != "0" {
				alarms[r.attributes["dimensions"].AsValueMap()["QueueName"].AsString()+" "+metricDepth] = false
			}
		}
	}
	var faults []string
	lacks := func(queue, what string) { faults = append(faults, queue+" lacks "+what) }
	for _, r := range resources {
		if r.kind != "aws_sqs_queue" {
			continue
		}
		name := r.text("name")
		if r.text("sqs_managed_sse_enabled") != "true" && r.text("kms_master_key_id") == "" {
			lacks(name, "encryption")
		}
		if !alarms[name+" "+metricAge] {
			lacks(name, "an alarm on age")
		}
		dead := strings.HasSuffix(name, "-dlq")
		if dead && !alarms[name+" "+metricDepth] {
			lacks(name, "an alarm on depth above 0")
		}
		if !dead && !strings.Contains(r.text("redrive_policy"), ":"+name+"-dlq\"") {
			lacks(name, "its dead-letter queue")
		}
	}
	return faults
}

// told reports whether an alarm reaches anybody.
func told(r resource) bool {
	actions := r.attributes["alarm_actions"]
	return !actions.IsNull() && actions.LengthInt() > 0
}
