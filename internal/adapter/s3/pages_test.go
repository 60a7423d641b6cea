package s3

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfry-push/belfry/internal/adapter/awsconf"
	"github.com/belfry-push/belfry/internal/adapter/awsmeter"
	"github.com/belfry-push/belfry/internal/push"
)

func TestPutPageRepeatsConflicts(t *testing.T) {
	t.Parallel()
	conflict := refusal(http.StatusConflict, "ConditionalRequestConflict")
	for _, c := range []struct {
		name string
		puts []error
		want error
	}{
		{"once", []error{conflict}, nil},
		{"as often as it may", []error{conflict, conflict, conflict, conflict}, nil},
		{"for ever", []error{conflict, conflict, conflict, conflict, conflict}, push.ErrConflict},
		{"a page that was there and went", []error{refusal(http.StatusPreconditionFailed, "PreconditionFailed")}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			store := open(t, nil)
			store.api = &sick{api: store.api, puts: c.puts}
			stored, err := store.PutPage(t.Context(), push.NewID(push.PrefixBatch), push.PagePlan, 0, []byte("page"))
			if !errors.Is(err, c.want) || err == nil && string(stored) != "page" {
				t.Errorf("stored %q, %v; want %v", stored, err, c.want)
			}
		})
	}
}

func TestPutPageDoesNotRepeatOtherFailures(t *testing.T) {
	t.Parallel()
	store := open(t, nil)
	store.api = &sick{api: store.api, puts: []error{refusal(http.StatusForbidden, "AccessDenied")}}
	_, err := store.PutPage(t.Context(), push.NewID(push.PrefixBatch), push.PagePlan, 7, []byte("page"))
	if awsconf.KindOf(err) != awsconf.KindDenied || !strings.Contains(err.Error(), "plan page 7") ||
		!strings.Contains(err.Error(), store.bucket) {
		t.Errorf("error %v, want one of kind %s that names page and bucket", err, awsconf.KindDenied)
	}
}

// torn is a store whose objects break off while they are read.
type torn struct{ api }

func (torn) GetObject(context.Context, *awss3.GetObjectInput, ...func(*awss3.Options)) (*awss3.GetObjectOutput, error) {
	return &awss3.GetObjectOutput{Body: io.NopCloser(io.MultiReader(strings.NewReader("half a "), iotest.ErrReader(io.ErrUnexpectedEOF)))}, nil
}

// busy answers every put with the same refusal.
type busy struct {
	api
	err error
}

func (b busy) PutObject(context.Context, *awss3.PutObjectInput, ...func(*awss3.Options)) (*awss3.PutObjectOutput, error) {
	return nil, b.err
}

func TestOutages(t *testing.T) {
	t.Parallel()
	read := func(a api) error {
		_, err := newStore(a, "bucket", "us-east-1", nil).Page(t.Context(), "x", push.PagePlan, 0)
		return err
	}
	write := func(status int, code string) error {
		_, err := newStore(busy{err: refusal(status, code)}, "bucket", "us-east-1", nil).PutPage(t.Context(), "x", push.PagePlan, 0,
			[]byte("page"))
		return err
	}
	for _, c := range []struct {
		name string
		err  error
		want push.Outage
	}{
		{"an object that breaks off", read(torn{}), push.OutageDown},
		{"slow down", write(http.StatusServiceUnavailable, "SlowDown"), push.OutageThrottled},
		{"a fault of its own", write(http.StatusInternalServerError, "InternalError"), push.OutageDown},
		{"too slow for it", write(http.StatusBadRequest, "RequestTimeout"), push.OutageDown},
		{"an expired session", write(http.StatusBadRequest, "ExpiredToken"), push.OutageAccess},
		{"denied", write(http.StatusForbidden, "AccessDenied"), ""},
		{"no bucket", write(http.StatusNotFound, "NoSuchBucket"), ""},
	} {
		if got := push.OutageOf(c.err); got != c.want || c.err == nil {
			t.Errorf("%s: outage %q, want %q: %v", c.name, got, c.want, c.err)
		}
	}
}

func TestAMissingBucketSaysWhatToDo(t *testing.T) {
	t.Parallel()
	target := servers.Objects(t)
	store := New(target.Config, target.Prefix+"nowhere", nil)
	id := push.NewID(push.PrefixBatch)
	_, putErr := store.PutPage(t.Context(), id, push.PageUpload, 0, []byte("page"))
	_, getErr := store.Page(t.Context(), id, push.PageUpload, 0)
	for op, err := range map[string]error{
		"Check": store.Check(t.Context()), "PutPage": putErr, "Page": getErr, "DeletePages": store.DeletePages(t.Context(), id),
	} {
		if awsconf.KindOf(err) != awsconf.KindMissing || errors.Is(err, push.ErrNotFound) {
			t.Errorf("%s: %v of kind %q, want %q", op, err, awsconf.KindOf(err), awsconf.KindMissing)
		}
	}
}

// listed is a store that lists an object and cannot delete it.
type listed struct{ api }

func (listed) ListObjectsV2(context.Context, *awss3.ListObjectsV2Input, ...func(*awss3.Options)) (*awss3.ListObjectsV2Output, error) {
	return &awss3.ListObjectsV2Output{Contents: []types.Object{{Key: aws.String("pages/x/upload/0")}}}, nil
}

func (listed) DeleteObjects(context.Context, *awss3.DeleteObjectsInput, ...func(*awss3.Options)) (*awss3.DeleteObjectsOutput, error) {
	return &awss3.DeleteObjectsOutput{Errors: []types.Error{{Key: aws.String("pages/x/upload/0"), Code: aws.String("AccessDenied")}}}, nil
}

func TestDeletePagesReportsWhatStays(t *testing.T) {
	t.Parallel()
	err := newStore(listed{}, "bucket", "us-east-1", nil).DeletePages(t.Context(), "x")
	if awsconf.KindOf(err) != awsconf.KindDenied || !strings.Contains(err.Error(), "pages/x/upload/0") {
		t.Errorf("error %v, want one of kind %s that names the object", err, awsconf.KindDenied)
	}
}

func TestCallsAreMetered(t *testing.T) {
	t.Parallel()
	meter := awsmeter.New(prometheus.NewRegistry())
	store := open(t, meter)
	id := push.NewID(push.PrefixBatch)
	for range 2 { // the second one is refused and gets the page
		if _, err := store.PutPage(t.Context(), id, push.PageUpload, 0, []byte("page")); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(store.DeletePages(t.Context(), id), store.Check(t.Context())); err != nil {
		t.Fatal(err)
	}
	op := func(name string) awsmeter.Operation { return awsmeter.Operation{Service: awsmeter.S3, Name: name} }
	want := awsmeter.Snapshot{
		Calls: map[awsmeter.Operation]int64{
			op("PutObject"): 2, op("GetObject"): 1, op("ListObjectsV2"): 1, op("DeleteObjects"): 1, op("HeadBucket"): 1,
		},
		Units: map[awsmeter.Quantity]float64{
			{Service: awsmeter.S3, Unit: awsmeter.PutRequests}: 3, {Service: awsmeter.S3, Unit: awsmeter.GetRequests}: 2,
		},
	}
	if d := cmp.Diff(want, meter.Snapshot()); d != "" {
		t.Errorf("metered (-want +got):\n%s", d)
	}
}
