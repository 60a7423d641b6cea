// Package s3 keeps what is too big for a database item in an Amazon S3 bucket:
// the pages of an upload until they are planned, reports and exports. Objects
// are encrypted by the bucket and removed by its lifecycle rules; this package
// creates neither. It works with every store that speaks S3.
package s3

import (
	"context"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/belfry-push/belfry/internal/adapter/awsconf"
	"github.com/belfry-push/belfry/internal/adapter/awsmeter"
)

// api is the part of the SDK's client that is used.
type api interface {
	HeadBucket(ctx context.Context, in *awss3.HeadBucketInput, opts ...func(*awss3.Options)) (*awss3.HeadBucketOutput, error)
	GetObject(ctx context.Context, in *awss3.GetObjectInput, opts ...func(*awss3.Options)) (*awss3.GetObjectOutput, error)
	PutObject(ctx context.Context, in *awss3.PutObjectInput, opts ...func(*awss3.Options)) (*awss3.PutObjectOutput, error)
	ListObjectsV2(ctx context.Context, in *awss3.ListObjectsV2Input, opts ...func(*awss3.Options)) (*awss3.ListObjectsV2Output, error)
	DeleteObjects(ctx context.Context, in *awss3.DeleteObjectsInput, opts ...func(*awss3.Options)) (*awss3.DeleteObjectsOutput, error)
	CreateMultipartUpload(ctx context.Context, in *awss3.CreateMultipartUploadInput,
		opts ...func(*awss3.Options)) (*awss3.CreateMultipartUploadOutput, error)
	UploadPart(ctx context.Context, in *awss3.UploadPartInput, opts ...func(*awss3.Options)) (*awss3.UploadPartOutput, error)
	CompleteMultipartUpload(ctx context.Context, in *awss3.CompleteMultipartUploadInput,
		opts ...func(*awss3.Options)) (*awss3.CompleteMultipartUploadOutput, error)
	AbortMultipartUpload(ctx context.Context, in *awss3.AbortMultipartUploadInput,
		opts ...func(*awss3.Options)) (*awss3.AbortMultipartUploadOutput, error)
}

var _ api = (*awss3.Client)(nil)

// Store is one bucket. It implements batch.Pages and is safe for concurrent use
// by several processes.
type Store struct {
	api    api
	bucket string
	what   string // the bucket, in errors
	meter  *awsmeter.Meter

	// unconditional is set when the store said that it has no conditional puts.
	unconditional atomic.Bool
}

// New returns the store of that bucket. The credentials need s3:GetObject,
// s3:PutObject, s3:DeleteObject and s3:AbortMultipartUpload on its objects, and
// s3:ListBucket on itself: without that S3 answers "denied" for a page that does
// not exist
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html). meter may
// be nil.
func New(cfg aws.Config, bucket string, meter *awsmeter.Meter) *Store {
	client := awss3.NewFromConfig(cfg, func(o *awss3.Options) {
		// Stores without checksums would make it log a warning for every page.
		o.DisableLogOutputChecksumValidationSkipped = true
	})
	return newStore(client, bucket, cfg.Region, meter)
}

func newStore(client api, bucket, region string, meter *awsmeter.Meter) *Store {
	return &Store{api: client, bucket: bucket, what: "bucket " + bucket + " in " + region, meter: meter}
}

// Check finds out whether the bucket is there, in this region, and may be used.
func (s *Store) Check(ctx context.Context) error {
	s.meter.Call(awsmeter.S3, "HeadBucket", awsmeter.GetRequests, 1)
	_, err := s.api.HeadBucket(ctx, &awss3.HeadBucketInput{Bucket: &s.bucket})
	return awsconf.Explain(err, s.what)
}
