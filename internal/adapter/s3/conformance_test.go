package s3

import (
	"context"
	"os"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/belfry-push/belfry/internal/adapter/awsmeter"
	"github.com/belfry-push/belfry/internal/batch"
	"github.com/belfry-push/belfry/internal/batch/batchtest"
	"github.com/belfry-push/belfry/test/standins"
)

var servers standins.Servers

func TestMain(m *testing.M) { os.Exit(servers.Main(m)) }

var _ batch.Pages = (*Store)(nil)

func TestConformancePages(t *testing.T) {
	t.Parallel()
	store := open(t, nil)
	batchtest.Run(t, func(*testing.T) batch.Pages { return store }, batchtest.Features{})
}

// The same without conditional puts, as stores have it that answer 501.
func TestConformancePagesOfAnOlderStore(t *testing.T) {
	t.Parallel()
	store := open(t, nil)
	store.api = unconditional{store.api}
	batchtest.Run(t, func(*testing.T) batch.Pages { return store }, batchtest.Features{Racy: true})
}

// open makes a bucket of the test's own.
func open(t *testing.T, meter *awsmeter.Meter) *Store {
	t.Helper()
	target := servers.Objects(t)
	admin := awss3.NewFromConfig(target.Config)
	bucket := target.Prefix + "pages"
	in := &awss3.CreateBucketInput{Bucket: &bucket}
	if region := target.Config.Region; region != "us-east-1" { // which must not be named
		in.CreateBucketConfiguration = &types.CreateBucketConfiguration{LocationConstraint: types.BucketLocationConstraint(region)}
	}
	if _, err := admin.CreateBucket(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dropBucket(t, admin, bucket) })
	return New(target.Config, bucket, meter)
}

func dropBucket(t *testing.T, admin *awss3.Client, bucket string) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	objects := awss3.NewListObjectsV2Paginator(admin, &awss3.ListObjectsV2Input{Bucket: &bucket})
	for objects.HasMorePages() {
		list, err := objects.NextPage(ctx)
		if err != nil {
			t.Error(err)
			return
		}
		for i := range list.Contents {
			if _, err := admin.DeleteObject(ctx, &awss3.DeleteObjectInput{Bucket: &bucket, Key: list.Contents[i].Key}); err != nil {
				t.Error(err)
			}
		}
	}
	if _, err := admin.DeleteBucket(ctx, &awss3.DeleteBucketInput{Bucket: aws.String(bucket)}); err != nil {
		t.Error(err)
	}
}
