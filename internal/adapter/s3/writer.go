package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/belfry-push/belfry/internal/adapter/awsconf"
	"github.com/belfry-push/belfry/internal/adapter/awsmeter"
)

// partBytes is the size of a part: at least 5 MiB for all but the last, and at
// most 10,000 of them, which makes objects of up to 78 GiB
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html).
const partBytes = 8 << 20

// abortPatience bounds the call that throws an unfinished upload away.
const abortPatience = 10 * time.Second

// errAborted is what a writer answers after Abort.
var errAborted = errors.New("the upload was aborted")

// Writer uploads one object as it is written, in parts of 8 MiB, which is also
// what it holds in memory. The object appears with Close, whole, or not at all.
// Not safe for concurrent use.
type Writer struct {
	ctx   context.Context //nolint:containedctx // an io.Writer has no other way to get it; it ends with the writer
	store *Store
	key   string
	mime  string

	part   []byte // not uploaded yet
	upload *string
	done   []types.CompletedPart
	err    error // the first failure; nothing works after it
	closed bool
}

var _ io.WriteCloser = (*Writer)(nil)

// Writer starts an object with that key and content type, replacing one that is
// there when it is closed. ctx bounds all of its calls. Close it, or abort it:
// what an unfinished upload has stored costs money until the bucket's lifecycle
// rule removes it.
func (s *Store) Writer(ctx context.Context, key, contentType string) *Writer {
	return &Writer{ctx: ctx, store: s, key: key, mime: contentType}
}

// Write implements io.Writer. It blocks while a part is uploaded.
func (w *Writer) Write(p []byte) (n int, err error) {
	if w.closed && w.err == nil {
		w.err = errors.New("write after close")
	}
	for len(p) > 0 && w.err == nil {
		take := min(len(p), partBytes-len(w.part))
		w.part = append(w.part, p[:take]...)
		n, p = n+take, p[take:]
		if len(w.part) == partBytes {
			w.fail(w.flush())
		}
	}
	return n, w.err
}

// Close uploads the rest and makes the object appear. If it fails, or if
// anything failed before, there is no object and the upload is thrown away.
func (w *Writer) Close() error {
	if w.closed || w.err != nil {
		w.closed = true
		return w.err
	}
	w.closed = true
	if w.upload == nil { // it fits into one part
		w.fail(w.store.putTyped(w.ctx, w.key, w.mime, w.part))
		return w.err
	}
	if len(w.part) > 0 {
		w.fail(w.flush())
	}
	if w.err == nil {
		w.fail(w.complete())
	}
	return w.err
}

// Abort throws the upload away; after Close it does nothing, so that it can be
// deferred.
func (w *Writer) Abort() {
	if !w.closed {
		w.closed = true
		w.fail(errAborted)
	}
}

// fail keeps the first error and throws the upload away.
func (w *Writer) fail(err error) {
	if err == nil || w.err != nil {
		return
	}
	w.err = fmt.Errorf("write %s: %w", w.key, awsconf.Explain(err, w.store.what))
	if errors.Is(err, errAborted) {
		w.err = err
	}
	w.part = nil
	if w.upload == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.ctx), abortPatience)
	defer cancel()
	w.store.meter.Free(awsmeter.S3, "AbortMultipartUpload")
	// Nobody could do more about a failure than the lifecycle rule does.
	_, _ = w.store.api.AbortMultipartUpload(ctx, &awss3.AbortMultipartUploadInput{
		Bucket: &w.store.bucket, Key: &w.key, UploadId: w.upload,
	})
}

// flush uploads the part, starting the upload with the first one.
func (w *Writer) flush() error {
	s := w.store
	if w.upload == nil {
		s.meter.Call(awsmeter.S3, "CreateMultipartUpload", awsmeter.PutRequests, 1)
		out, err := s.api.CreateMultipartUpload(w.ctx, &awss3.CreateMultipartUploadInput{
			Bucket: &s.bucket, Key: &w.key, ContentType: &w.mime, ChecksumAlgorithm: types.ChecksumAlgorithmCrc32,
		})
		if err != nil {
			return err
		}
		w.upload = out.UploadId
	}
	number := int32(len(w.done) + 1) //nolint:gosec // at most 10,000: S3 refuses the next one
	s.meter.Call(awsmeter.S3, "UploadPart", awsmeter.PutRequests, 1)
	out, err := s.api.UploadPart(w.ctx, &awss3.UploadPartInput{
		Bucket: &s.bucket, Key: &w.key, UploadId: w.upload, PartNumber: &number, Body: bytes.NewReader(w.part),
		ChecksumAlgorithm: types.ChecksumAlgorithmCrc32,
	})
	if err != nil {
		return err
	}
	w.done = append(w.done, types.CompletedPart{PartNumber: &number, ETag: out.ETag, ChecksumCRC32: out.ChecksumCRC32})
	w.part = w.part[:0]
	return nil
}

func (w *Writer) complete() error {
	s := w.store
	s.meter.Call(awsmeter.S3, "CompleteMultipartUpload", awsmeter.PutRequests, 1)
	_, err := s.api.CompleteMultipartUpload(w.ctx, &awss3.CompleteMultipartUploadInput{
		Bucket: &s.bucket, Key: &w.key, UploadId: w.upload, MultipartUpload: &types.CompletedMultipartUpload{Parts: w.done},
	})
	return err
}

// putTyped stores an object that is at most one part.
func (s *Store) putTyped(ctx context.Context, key, contentType string, data []byte) error {
	s.meter.Call(awsmeter.S3, "PutObject", awsmeter.PutRequests, 1)
	_, err := s.api.PutObject(ctx, &awss3.PutObjectInput{
		Bucket: &s.bucket, Key: &key, Body: bytes.NewReader(data), ContentType: aws.String(contentType),
	})
	return err
}
