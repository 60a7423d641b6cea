package provision

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/belfry-push/belfry/internal/adapter/awsconf"
	"github.com/belfry-push/belfry/internal/worker"
)

// lifecycle reads the bucket's lifecycle configuration; empty if it has none or
// a stand-in knows none.
func (d bucketDriver) lifecycle(ctx context.Context) (*s3.GetBucketLifecycleConfigurationOutput, error) {
	out, err := d.client.GetBucketLifecycleConfiguration(ctx, &s3.GetBucketLifecycleConfigurationInput{Bucket: &d.bucket.Name})
	if err != nil {
		return &s3.GetBucketLifecycleConfigurationOutput{}, d.excuse(err)
	}
	return out, nil
}

// setRules writes the rules that these attributes name, and all that the bucket
// has beside them, at once: S3 knows only the whole list, and shows what was
// written a while later
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/how-to-set-lifecycle-configuration-intro.html).
// It reads them back and fails if one of them is not there in time.
func (d bucketDriver) setRules(ctx context.Context, attributes []string) error {
	now, err := d.lifecycle(ctx)
	if err != nil {
		return err
	}
	rules := d.merge(now.Rules, attributes)
	_, err = d.client.PutBucketLifecycleConfiguration(ctx, &s3.PutBucketLifecycleConfigurationInput{
		Bucket: &d.bucket.Name, LifecycleConfiguration: &types.BucketLifecycleConfiguration{Rules: rules},
		// It belongs to the operator's own rules and falls back to S3's default
		// when it is left out.
		TransitionDefaultMinimumObjectSize: now.TransitionDefaultMinimumObjectSize,
	})
	if err != nil {
		return awsconf.Explain(err, d.what())
	}
	return d.confirm(ctx, rules)
}

// merge returns the bucket's rules with Belfry's in place of those that the attributes name. A rule
// of Belfry's that is missing is added even if the attributes do not name it: it was there when the
// plan was made, so what was read is older than the rule.
func (d bucketDriver) merge(has []types.LifecycleRule, attributes []string) []types.LifecycleRule {
	rules := make([]types.LifecycleRule, 0, len(has)+len(d.bucket.Rules))
	for _, r := range has {
		if slices.Contains(attributes, attrRule+aws.ToString(r.ID)) {
			continue
		}
		// S3 refuses a list that has both this older form and filters: "Filter
		// element can only be used in Lifecycle V2"
		// (https://github.com/aws/aws-sdk-ruby/issues/1653).
		if r.Filter == nil {
			//nolint:staticcheck // read, to be replaced
			r.Filter, r.Prefix = &types.LifecycleRuleFilter{Prefix: aws.String(aws.ToString(r.Prefix))}, nil
		}
		rules = append(rules, r)
	}
	for _, r := range d.bucket.Rules {
		if !slices.ContainsFunc(rules, func(x types.LifecycleRule) bool { return aws.ToString(x.ID) == r.ID }) {
			rules = append(rules, r.lifecycle())
		}
	}
	return rules
}

// How long S3 gets to show what was written, and how often it is asked.
const (
	confirmFor   = 20 * time.Second
	confirmFirst = 50 * time.Millisecond
	confirmMost  = 2 * time.Second
)

// confirm reads the rules back until all of them are there. One that does not
// come was overwritten by somebody who wrote at the same time.
func (d bucketDriver) confirm(ctx context.Context, want []types.LifecycleRule) error {
	ctx, cancel := context.WithTimeout(ctx, confirmFor)
	defer cancel()
	for pause := confirmFirst; ; pause = min(2*pause, confirmMost) {
		now, err := d.lifecycle(ctx)
		if err != nil && ctx.Err() == nil {
			return err
		}
		missing := lacking(want, now.Rules)
		if err == nil && len(missing) == 0 {
			return nil
		}
		if !worker.Wait(ctx, pause) {
			return fmt.Errorf("%s: lifecycle rules %s were written and cannot be read back: %w; if nobody else writes them, run belfry "+
				"provision again",
				d.what(), strings.Join(missing, ", "), context.Cause(ctx))
		}
	}
}

// lacking returns the ids of the rules that a list has not, or has otherwise.
func lacking(want, have []types.LifecycleRule) []string {
	var ids []string
	for _, w := range want {
		if !slices.ContainsFunc(have, func(h types.LifecycleRule) bool {
			return aws.ToString(h.ID) == aws.ToString(w.ID) && ruleText(h) == ruleText(w)
		}) {
			ids = append(ids, aws.ToString(w.ID))
		}
	}
	return ids
}

// ruleText puts a rule into the form of [Rule.String]; a disabled one counts as
// having another value.
func ruleText(r types.LifecycleRule) string {
	var mine Rule
	if r.Filter != nil {
		mine.Prefix = aws.ToString(r.Filter.Prefix)
	}
	if r.Expiration != nil {
		mine.ExpireDays = int(aws.ToInt32(r.Expiration.Days))
	}
	if r.AbortIncompleteMultipartUpload != nil {
		mine.AbortDays = int(aws.ToInt32(r.AbortIncompleteMultipartUpload.DaysAfterInitiation))
	}
	if r.Status != types.ExpirationStatusEnabled {
		return mine.String() + " (disabled)"
	}
	return mine.String()
}

// lifecycle is the rule for AWS.
func (r Rule) lifecycle() types.LifecycleRule {
	out := types.LifecycleRule{
		ID: aws.String(r.ID), Status: types.ExpirationStatusEnabled, Filter: &types.LifecycleRuleFilter{Prefix: aws.String(r.Prefix)},
	}
	if r.ExpireDays > 0 {
		out.Expiration = &types.LifecycleExpiration{Days: aws.Int32(int32(r.ExpireDays))} //nolint:gosec // some months
	}
	if r.AbortDays > 0 {
		//nolint:gosec // some days
		out.AbortIncompleteMultipartUpload = &types.AbortIncompleteMultipartUpload{DaysAfterInitiation: aws.Int32(int32(r.AbortDays))}
	}
	return out
}
