package provision

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"github.com/belfry-push/belfry/internal/adapter/awsconf"
)

type bucketDriver struct {
	client *s3.Client
	bucket Bucket
}

func (d bucketDriver) what() string { return "bucket " + d.bucket.Name }

// read finds out whether the bucket is there and ours; one of somebody else is
// an error, since names of buckets are shared by everybody.
func (d bucketDriver) read(ctx context.Context) (map[string]string, bool, error) {
	_, err := d.client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &d.bucket.Name})
	err = awsconf.Explain(err, d.what())
	if awsconf.KindOf(err) == awsconf.KindMissing {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	have := map[string]string{}
	if have[attrEncryption], err = d.encryption(ctx); err != nil {
		return nil, false, err
	}
	if have[attrPublic], err = d.public(ctx); err != nil {
		return nil, false, err
	}
	rules, err := d.rules(ctx)
	if err != nil {
		return nil, false, err
	}
	for _, r := range rules {
		have[attrRule+aws.ToString(r.ID)] = ruleText(r)
	}
	return have, true, nil
}

// excuse passes over S3's answer that a bucket has no such configuration, by one
// of the codes of https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html,
// and over a stand-in that does not know the question.
func (d bucketDriver) excuse(err error) error {
	api, ok := errors.AsType[smithy.APIError](err)
	unset := ok && slices.Contains([]string{
		"ServerSideEncryptionConfigurationNotFoundError", "NoSuchPublicAccessBlockConfiguration", "NoSuchLifecycleConfiguration",
	}, api.ErrorCode())
	if unset || excused(StandIn(d.client.Options().BaseEndpoint), err) {
		return nil
	}
	return awsconf.Explain(err, d.what())
}

func (d bucketDriver) encryption(ctx context.Context) (string, error) {
	out, err := d.client.GetBucketEncryption(ctx, &s3.GetBucketEncryptionInput{Bucket: &d.bucket.Name})
	if err != nil {
		return "", d.excuse(err)
	}
	if out.ServerSideEncryptionConfiguration != nil {
		for _, r := range out.ServerSideEncryptionConfiguration.Rules {
			if by := r.ApplyServerSideEncryptionByDefault; by != nil && by.SSEAlgorithm != "" {
				return valueS3Key, nil // a key of the operator's is as good
			}
		}
	}
	return "", nil
}

func (d bucketDriver) public(ctx context.Context) (string, error) {
	out, err := d.client.GetPublicAccessBlock(ctx, &s3.GetPublicAccessBlockInput{Bucket: &d.bucket.Name})
	if err != nil {
		return "", d.excuse(err)
	}
	b := out.PublicAccessBlockConfiguration
	if b == nil {
		return "", nil
	}
	set := 0
	for _, on := range []*bool{b.BlockPublicAcls, b.BlockPublicPolicy, b.IgnorePublicAcls, b.RestrictPublicBuckets} {
		if aws.ToBool(on) {
			set++
		}
	}
	switch set {
	case 0:
		return "", nil
	case 4:
		return valueBlocked, nil
	default:
		return "partly blocked", nil
	}
}

func (d bucketDriver) rules(ctx context.Context) ([]types.LifecycleRule, error) {
	out, err := d.client.GetBucketLifecycleConfiguration(ctx, &s3.GetBucketLifecycleConfigurationInput{Bucket: &d.bucket.Name})
	if err != nil {
		return nil, d.excuse(err)
	}
	return out.Rules, nil
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
		out.AbortIncompleteMultipartUpload = &types.AbortIncompleteMultipartUpload{DaysAfterInitiation: aws.Int32(int32(r.AbortDays))} //nolint:gosec // some days
	}
	return out
}

// create makes an empty bucket; everything else is set afterwards.
func (d bucketDriver) create(ctx context.Context) ([]string, error) {
	in := &s3.CreateBucketInput{Bucket: &d.bucket.Name}
	// The first region is the default and must not be named
	// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html).
	if d.bucket.Region != "us-east-1" {
		in.CreateBucketConfiguration = &types.CreateBucketConfiguration{LocationConstraint: types.BucketLocationConstraint(d.bucket.Region)}
	}
	_, err := d.client.CreateBucket(ctx, in)
	if _, ours := errors.AsType[*types.BucketAlreadyOwnedByYou](err); ours {
		err = nil
	}
	return nil, awsconf.Explain(err, d.what())
}

func (d bucketDriver) set(ctx context.Context, attribute string) error {
	var err error
	switch {
	case attribute == attrEncryption:
		_, err = d.client.PutBucketEncryption(ctx, &s3.PutBucketEncryptionInput{
			Bucket: &d.bucket.Name,
			ServerSideEncryptionConfiguration: &types.ServerSideEncryptionConfiguration{Rules: []types.ServerSideEncryptionRule{{
				ApplyServerSideEncryptionByDefault: &types.ServerSideEncryptionByDefault{SSEAlgorithm: types.ServerSideEncryptionAes256},
			}}},
		})
	case attribute == attrPublic:
		_, err = d.client.PutPublicAccessBlock(ctx, &s3.PutPublicAccessBlockInput{
			Bucket: &d.bucket.Name,
			PublicAccessBlockConfiguration: &types.PublicAccessBlockConfiguration{
				BlockPublicAcls: aws.Bool(true), BlockPublicPolicy: aws.Bool(true), IgnorePublicAcls: aws.Bool(true), RestrictPublicBuckets: aws.Bool(true),
			},
		})
	case strings.HasPrefix(attribute, attrRule):
		return d.setRule(ctx, strings.TrimPrefix(attribute, attrRule))
	}
	return awsconf.Explain(err, d.what())
}

// setRule puts one rule among those that the bucket has: S3 knows only the whole
// list.
func (d bucketDriver) setRule(ctx context.Context, id string) error {
	rules, err := d.rules(ctx)
	if err != nil {
		return err
	}
	rules = slices.DeleteFunc(rules, func(r types.LifecycleRule) bool { return aws.ToString(r.ID) == id })
	for _, r := range d.bucket.Rules {
		if r.ID == id {
			rules = append(rules, r.lifecycle())
		}
	}
	_, err = d.client.PutBucketLifecycleConfiguration(ctx, &s3.PutBucketLifecycleConfigurationInput{
		Bucket: &d.bucket.Name, LifecycleConfiguration: &types.BucketLifecycleConfiguration{Rules: rules},
	})
	return awsconf.Explain(err, d.what())
}
