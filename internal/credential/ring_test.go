package credential_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/belfry-push/belfry/internal/credential"
	"github.com/belfry-push/belfry/internal/push"
)

// TestRotation: a new key seals, the old one opens until it is taken away, and then it is said
// which one is missing.
func TestRotation(t *testing.T) {
	t.Parallel()
	ctx, secret := t.Context(), []byte("a secret of some length")
	one, two := sealKey(1), sealKey(2)
	old, err := ringOf(t, one).Seal(ctx, secret, "for a")
	if err != nil {
		t.Fatal(err)
	}
	both := ringOf(t, two+",\n "+one)
	if got, err := both.Open(ctx, &old, "for a"); err != nil || !bytes.Equal(got, secret) {
		t.Errorf("%q, %v", got, err)
	}
	next, err := both.Seal(ctx, secret, "for a")
	if err != nil || next.KeyID == old.KeyID || next.KeyID != both.SealingKey() {
		t.Errorf("%s, %v", next.KeyID, err)
	}
	_, err = ringOf(t, two).Open(ctx, &old, "for a")
	missing, ok := errors.AsType[*credential.MissingKeyError](err)
	if !ok || missing.KeyID != old.KeyID || !strings.Contains(err.Error(), old.KeyID) || !strings.Contains(err.Error(), "BELFRY_SEAL_KEY") {
		t.Errorf("%v", err)
	}
	for _, text := range []string{one, two, string(secret)} {
		if strings.Contains(err.Error(), text) {
			t.Errorf("%v has a secret", err)
		}
	}
	for name, spoil := range map[string]func(s *credential.Sealed){
		"text":  func(s *credential.Sealed) { s.Text[0] ^= 1 },
		"nonce": func(s *credential.Sealed) { s.Nonce[0] ^= 1 },
		"cut":   func(s *credential.Sealed) { s.Nonce = s.Nonce[1:] },
		"tag":   func(s *credential.Sealed) { s.Text = s.Text[:len(s.Text)-1] },
	} {
		bad := credential.Sealed{KeyID: next.KeyID, Nonce: bytes.Clone(next.Nonce), Text: bytes.Clone(next.Text)}
		spoil(&bad)
		if _, err := both.Open(ctx, &bad, "for a"); !errors.Is(err, credential.ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := both.Open(ctx, &next, "for b"); !errors.Is(err, credential.ErrDamaged) {
		t.Errorf("another purpose: %v", err)
	}
}

func TestRingRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ setting, want string }{
		"not base64": {"my own secret!", "must be base64"},
		"short":      {"c2hvcnQ=", "(got 5 bytes)"},
		"zeros":      {strings.Repeat("A", 43) + "=", "must be random"},
		"twice":      {sealKey(1) + " " + sealKey(1), "key 2 is there twice"},
	} {
		_, err := credential.NewRing(c.setting, nil)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
		for word := range strings.FieldsSeq(c.setting) {
			if err != nil && len(word) > 4 && strings.Contains(err.Error(), word) {
				t.Errorf("%s: %v repeats the key", name, err)
			}
		}
	}
	empty := ringOf(t, "")
	if _, err := empty.Seal(t.Context(), []byte("x"), "y"); !errors.Is(err, credential.ErrNoKey) || empty.Seals() {
		t.Errorf("%v", err)
	}
}

// service is a key service that seals by keeping.
type service struct {
	keys map[string][]byte
	err  error
}

// KeyID implements [credential.DataKeys].
func (*service) KeyID() string { return "kms:alias/belfry" }

// NewDataKey implements [credential.DataKeys].
func (s *service) NewDataKey(_ context.Context, purpose string) (key, sealed []byte, err error) {
	key = make([]byte, 32)
	_, _ = rand.Read(key)
	name := fmt.Sprint(len(s.keys), purpose)
	s.keys[name] = bytes.Clone(key)
	return key, []byte(name), s.err
}

// OpenDataKey implements [credential.DataKeys].
func (s *service) OpenDataKey(_ context.Context, sealed []byte, purpose string) ([]byte, error) {
	key, ok := s.keys[string(sealed)]
	if s.err != nil || !ok || !strings.HasSuffix(string(sealed), purpose) {
		return nil, errors.Join(s.err, push.ErrNotFound)
	}
	return bytes.Clone(key), nil
}

// TestKeyService: a service seals, keys of ours still open, and the service's key may go.
func TestKeyService(t *testing.T) {
	t.Parallel()
	ctx, s := t.Context(), &service{keys: map[string][]byte{}}
	old, err := ringOf(t, sealKey(1)).Seal(ctx, []byte("old"), "for a")
	if err != nil {
		t.Fatal(err)
	}
	ring, err := credential.NewRing(sealKey(1), s)
	if err != nil || !ring.Seals() || ring.SealingKey() != "kms:alias/belfry" {
		t.Fatal(err)
	}
	sealed, err := ring.Seal(ctx, []byte("new"), "for a")
	if err != nil || sealed.KeyID != "kms:alias/belfry" || len(sealed.DataKey) == 0 {
		t.Fatalf("%+v, %v", sealed, err)
	}
	for want, c := range map[string]*credential.Sealed{"old": &old, "new": &sealed} {
		if got, err := ring.Open(ctx, c, "for a"); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", want, got, err)
		}
	}
	_, err = ringOf(t, sealKey(1)).Open(ctx, &sealed, "for a")
	if _, ok := errors.AsType[*credential.MissingKeyError](err); !ok {
		t.Errorf("without the service: %v", err)
	}
	s.err = push.ErrNotFound
	_, err = ring.Open(ctx, &sealed, "for a")
	if missing, ok := errors.AsType[*credential.MissingKeyError](err); !ok || missing.KeyID != "kms:alias/belfry" {
		t.Errorf("the service's key is gone: %v", err)
	}
	s.err = errAway
	if _, err := ring.Seal(ctx, []byte("x"), "y"); !errors.Is(err, errAway) {
		t.Errorf("the service is away: %v", err)
	}
}
