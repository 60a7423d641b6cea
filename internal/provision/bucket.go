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
	now, err := d.lifecycle(ctx)
	if err != nil {
		return nil, false, err
	}
	for _, r := range now.Rules {
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

func (d bucketDriver) set(ctx context.Context, attributes []string) error {
	var err error
	switch attribute := attributes[0]; {
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
				BlockPublicAcls: aws.Bool(true), BlockPublicPolicy: aws.Bool(true), IgnorePublicAcls: aws.Bool(true),
				RestrictPublicBuckets: aws.Bool(true),
			},
		})
	case strings.HasPrefix(attribute, attrRule):
		return d.setRules(ctx, attributes)
	}
	return awsconf.Explain(err, d.what())
}
