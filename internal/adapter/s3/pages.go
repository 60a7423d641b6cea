package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/belfry-push/belfry/internal/adapter/awsconf"
	"github.com/belfry-push/belfry/internal/adapter/awsmeter"
	"github.com/belfry-push/belfry/internal/push"
)

// pagePrefix is what the lifecycle rule of the bucket goes by.
const pagePrefix = "pages/"

// putTries bounds how often a put is repeated that met another one of the same
// page, or found the page gone when it looked for it.
const putTries = 5

func prefixOf(id push.ID) string { return pagePrefix + string(id) + "/" }

func keyOf(id push.ID, kind push.PageKind, n int) string {
	return prefixOf(id) + string(kind) + "/" + strconv.Itoa(n)
}

// PutPage implements batch.Pages with a conditional put
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html).
// On a store that has none, of two concurrent puts each may be told that its
// page is stored; later readers agree on one.
func (s *Store) PutPage(ctx context.Context, id push.ID, kind push.PageKind, n int, data []byte) ([]byte, error) {
	key := keyOf(id, kind, n)
	var err error
	for range putTries {
		var stored []byte
		if stored, err = s.putNew(ctx, key, data); err == nil {
			return stored, nil
		}
		if !errors.Is(err, push.ErrConflict) && !errors.Is(err, push.ErrNotFound) {
			break
		}
	}
	return nil, fmt.Errorf("put %s page %d of %s: %w", kind, n, id, err)
}

// putNew tries once. push.ErrConflict means that somebody else is at it,
// push.ErrNotFound that a page was there and is not any more.
func (s *Store) putNew(ctx context.Context, key string, data []byte) ([]byte, error) {
	if s.unconditional.Load() {
		stored, err := s.get(ctx, key)
		if !errors.Is(err, push.ErrNotFound) {
			return stored, err
		}
		return data, awsconf.Explain(s.put(ctx, key, data, nil), s.what)
	}
	err := s.put(ctx, key, data, aws.String("*"))
	switch status(err) {
	case http.StatusPreconditionFailed:
		return s.get(ctx, key)
	case http.StatusConflict:
		return nil, fmt.Errorf("%w: %w", push.ErrConflict, err)
	case http.StatusNotImplemented:
		s.unconditional.Store(true)
		return s.putNew(ctx, key, data)
	default:
		return data, awsconf.Explain(err, s.what)
	}
}

func (s *Store) put(ctx context.Context, key string, data []byte, ifNoneMatch *string) error {
	s.meter.Call(awsmeter.S3, "PutObject", awsmeter.PutRequests, 1)
	_, err := s.api.PutObject(ctx, &awss3.PutObjectInput{
		Bucket: &s.bucket, Key: &key, Body: bytes.NewReader(data), IfNoneMatch: ifNoneMatch,
	})
	return err
}

// Page implements batch.Pages.
func (s *Store) Page(ctx context.Context, id push.ID, kind push.PageKind, n int) ([]byte, error) {
	data, err := s.get(ctx, keyOf(id, kind, n))
	if err != nil {
		return nil, fmt.Errorf("%s page %d of %s: %w", kind, n, id, err)
	}
	return data, nil
}

func (s *Store) get(ctx context.Context, key string) ([]byte, error) {
	s.meter.Call(awsmeter.S3, "GetObject", awsmeter.GetRequests, 1)
	out, err := s.api.GetObject(ctx, &awss3.GetObjectInput{Bucket: &s.bucket, Key: &key})
	if err != nil {
		if _, missing := errors.AsType[*types.NoSuchKey](err); missing {
			return nil, push.ErrNotFound
		}
		return nil, awsconf.Explain(err, s.what)
	}
	data, err := readPage(out)
	if closeErr := out.Body.Close(); err == nil {
		err = closeErr
	}
	switch {
	case err == nil:
		return data, nil
	case errors.Is(err, errPageSize):
		return nil, fmt.Errorf("%s: %s: %w", s.what, key, err)
	}
	// The answer was good and broke off.
	return nil, push.WithOutage(push.OutageDown, fmt.Errorf("%s: read %s: %w", s.what, key, err))
}

// errPageSize says that an object is no page: it is larger than any.
var errPageSize = fmt.Errorf("page must be at most %d bytes", push.MaxPageBytes)

// readPage reads a whole page into memory of its size, which is bounded.
func readPage(out *awss3.GetObjectOutput) ([]byte, error) {
	size := aws.ToInt64(out.ContentLength)
	if size > push.MaxPageBytes {
		return nil, fmt.Errorf("%w (got %d)", errPageSize, size)
	}
	var data bytes.Buffer
	data.Grow(int(size) + bytes.MinRead) // with room to find the end without growing
	_, err := data.ReadFrom(io.LimitReader(out.Body, push.MaxPageBytes+1))
	if err == nil && data.Len() > push.MaxPageBytes {
		err = errPageSize
	}
	return data.Bytes(), err
}

// ReplacePage implements batch.Pages: with a put on condition of what was there, so that a page that
// was removed meanwhile does not come back. On a store without such conditions it may; the bucket's
// lifecycle rule removes it.
func (s *Store) ReplacePage(ctx context.Context, id push.ID, kind push.PageKind, n int, data []byte) error {
	key := keyOf(id, kind, n)
	err := s.replace(ctx, key, data)
	if err != nil {
		return fmt.Errorf("replace %s page %d of %s: %w", kind, n, id, err)
	}
	return nil
}

func (s *Store) replace(ctx context.Context, key string, data []byte) error {
	s.meter.Call(awsmeter.S3, "GetObject", awsmeter.GetRequests, 1)
	out, err := s.api.GetObject(ctx, &awss3.GetObjectInput{Bucket: &s.bucket, Key: &key, Range: aws.String("bytes=0-0")})
	if err != nil {
		if _, missing := errors.AsType[*types.NoSuchKey](err); missing {
			return push.ErrNotFound
		}
		if status(err) != http.StatusRequestedRangeNotSatisfiable { // an empty page
			return awsconf.Explain(err, s.what)
		}
		out = &awss3.GetObjectOutput{}
	} else if err := out.Body.Close(); err != nil {
		return push.WithOutage(push.OutageDown, fmt.Errorf("%s: %w", s.what, err))
	}
	s.meter.Call(awsmeter.S3, "PutObject", awsmeter.PutRequests, 1)
	in := &awss3.PutObjectInput{Bucket: &s.bucket, Key: &key, Body: bytes.NewReader(data), IfMatch: out.ETag}
	_, err = s.api.PutObject(ctx, in)
	if status(err) == http.StatusNotImplemented {
		in.IfMatch, in.Body = nil, bytes.NewReader(data)
		_, err = s.api.PutObject(ctx, in)
	}
	switch status(err) {
	case http.StatusNotFound, http.StatusPreconditionFailed:
		return push.ErrNotFound
	}
	return awsconf.Explain(err, s.what)
}

// DeletePages implements batch.Pages. One that fails half-way has removed some
// and is simply repeated.
func (s *Store) DeletePages(ctx context.Context, id push.ID) error {
	var from *string
	for {
		s.meter.Call(awsmeter.S3, "ListObjectsV2", awsmeter.PutRequests, 1)
		list, err := s.api.ListObjectsV2(ctx, &awss3.ListObjectsV2Input{
			Bucket: &s.bucket, Prefix: aws.String(prefixOf(id)), ContinuationToken: from,
		})
		if err == nil {
			err = s.remove(ctx, list.Contents)
		}
		if err != nil {
			return fmt.Errorf("delete the pages of %s: %w", id, awsconf.Explain(err, s.what))
		}
		if !aws.ToBool(list.IsTruncated) {
			return nil
		}
		from = list.NextContinuationToken
	}
}

// remove deletes one listing, which has at most the 1,000 objects that one call
// takes (https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html).
func (s *Store) remove(ctx context.Context, objects []types.Object) error {
	if len(objects) == 0 {
		return nil
	}
	ids := make([]types.ObjectIdentifier, len(objects))
	for i := range objects {
		ids[i].Key = objects[i].Key
	}
	s.meter.Free(awsmeter.S3, "DeleteObjects")
	out, err := s.api.DeleteObjects(ctx, &awss3.DeleteObjectsInput{
		Bucket: &s.bucket, Delete: &types.Delete{Objects: ids, Quiet: aws.Bool(true)},
	})
	if err != nil {
		return err
	}
	if len(out.Errors) > 0 { // inside a successful answer
		e := &out.Errors[0]
		return fmt.Errorf("%d of %d objects were not deleted, the first is %s: %w", len(out.Errors), len(ids), aws.ToString(e.Key),
			&smithy.GenericAPIError{Code: aws.ToString(e.Code), Message: aws.ToString(e.Message)})
	}
	return nil
}

// status is that of the answer in an error; 0 for none. Conditions are told by
// it, because stores name the codes differently.
func status(err error) int {
	if answer, ok := errors.AsType[*smithyhttp.ResponseError](err); ok {
		return answer.HTTPStatusCode()
	}
	return 0
}
