// Package kms makes and opens data keys with a key of AWS KMS, which never leaves it: envelope
// encryption (https://docs.aws.amazon.com/kms/latest/developerguide/kms-cryptography.html). What
// is sealed with the data keys is the caller's business.
package kms

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	awskms "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/belfry-push/belfry/internal/adapter/awsconf"
	"github.com/belfry-push/belfry/internal/push"
)

// api is the part of the client that is used.
type api interface {
	GenerateDataKey(ctx context.Context, in *awskms.GenerateDataKeyInput, opts ...func(*awskms.Options)) (*awskms.GenerateDataKeyOutput, error)
	Decrypt(ctx context.Context, in *awskms.DecryptInput, opts ...func(*awskms.Options)) (*awskms.DecryptOutput, error)
}

var _ api = (*awskms.Client)(nil)

// Keys makes and opens data keys. Safe for concurrent use.
type Keys struct {
	api api
	key string
}

// New returns the data keys of a KMS key: its id, ARN or alias (alias/belfry). It needs
// kms:GenerateDataKey to seal and kms:Decrypt to open.
func New(cfg aws.Config, key string) *Keys { return &Keys{awskms.NewFromConfig(cfg), key} }

// KeyID names the key as it was given.
func (k *Keys) KeyID() string { return "kms:" + k.key }

// contextKey is the name of the purpose in the encryption context, which KMS logs in the clear.
const contextKey = "belfry"

// NewDataKey returns a new key of 256 bits, in the clear and sealed for a purpose.
func (k *Keys) NewDataKey(ctx context.Context, purpose string) (key, sealed []byte, err error) {
	out, err := k.api.GenerateDataKey(ctx, &awskms.GenerateDataKeyInput{
		KeyId: &k.key, KeySpec: types.DataKeySpecAes256, EncryptionContext: map[string]string{contextKey: purpose},
	})
	if err != nil {
		return nil, nil, k.explain(err)
	}
	return out.Plaintext, out.CiphertextBlob, nil
}

// OpenDataKey opens a key that was sealed for the same purpose. The error wraps
// push.ErrNotFound if the KMS key is deleted or disabled, or has not sealed it.
func (k *Keys) OpenDataKey(ctx context.Context, sealed []byte, purpose string) ([]byte, error) {
	out, err := k.api.Decrypt(ctx, &awskms.DecryptInput{CiphertextBlob: sealed, EncryptionContext: map[string]string{contextKey: purpose}})
	if err != nil {
		return nil, k.explain(err)
	}
	return out.Plaintext, nil
}

// explain says what is wrong with the key.
func (k *Keys) explain(err error) error {
	_, missing := errors.AsType[*types.NotFoundException](err)
	_, disabled := errors.AsType[*types.DisabledException](err)
	_, state := errors.AsType[*types.KMSInvalidStateException](err) // it is to be deleted
	_, other := errors.AsType[*types.IncorrectKeyException](err)
	_, foreign := errors.AsType[*types.InvalidCiphertextException](err)
	err = awsconf.Explain(err, "KMS key "+k.key)
	if missing || disabled || state || other || foreign {
		return fmt.Errorf("%w: %w", push.ErrNotFound, err)
	}
	return err
}
