package s3

import (
	"context"
	"net/http"

	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// refusal is an answer of S3 with a status and a code.
func refusal(status int, code string) error {
	return &smithyhttp.ResponseError{
		Response: &smithyhttp.Response{Response: &http.Response{StatusCode: status}},
		Err:      &smithy.GenericAPIError{Code: code, Message: "because"},
	}
}

// unconditional is a store without conditional puts.
type unconditional struct{ api }

func (u unconditional) PutObject(ctx context.Context, in *awss3.PutObjectInput,
	opts ...func(*awss3.Options),
) (*awss3.PutObjectOutput, error) {
	if in.IfNoneMatch != nil {
		return nil, refusal(http.StatusNotImplemented, "NotImplemented")
	}
	return u.api.PutObject(ctx, in, opts...)
}

// sick is a store whose calls fail: put and part get the error that is next in
// line, complete always the one it has.
type sick struct {
	api
	puts     []error
	parts    []error
	complete error
	aborted  int
}

func next(errs *[]error) error {
	if len(*errs) == 0 {
		return nil
	}
	err := (*errs)[0]
	*errs = (*errs)[1:]
	return err
}

func (s *sick) PutObject(ctx context.Context, in *awss3.PutObjectInput, opts ...func(*awss3.Options)) (*awss3.PutObjectOutput, error) {
	if err := next(&s.puts); err != nil {
		return nil, err
	}
	return s.api.PutObject(ctx, in, opts...)
}

func (s *sick) UploadPart(ctx context.Context, in *awss3.UploadPartInput, opts ...func(*awss3.Options)) (*awss3.UploadPartOutput, error) {
	if err := next(&s.parts); err != nil {
		return nil, err
	}
	return s.api.UploadPart(ctx, in, opts...)
}

func (s *sick) CompleteMultipartUpload(ctx context.Context, in *awss3.CompleteMultipartUploadInput,
	opts ...func(*awss3.Options),
) (*awss3.CompleteMultipartUploadOutput, error) {
	if s.complete != nil {
		return nil, s.complete
	}
	return s.api.CompleteMultipartUpload(ctx, in, opts...)
}

func (s *sick) AbortMultipartUpload(ctx context.Context, in *awss3.AbortMultipartUploadInput,
	opts ...func(*awss3.Options),
) (*awss3.AbortMultipartUploadOutput, error) {
	s.aborted++
	return s.api.AbortMultipartUpload(ctx, in, opts...)
}
