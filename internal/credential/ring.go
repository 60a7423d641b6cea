package credential

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// Sealed is what is stored of a secret. Nothing in it is secret.
type Sealed struct {
	KeyID   string `json:"key_id"`             // of the key that sealed it, or that sealed DataKey
	DataKey []byte `json:"data_key,omitempty"` // sealed by a key service; absent with a key of ours
	Nonce   []byte `json:"nonce"`
	Text    []byte `json:"text"` // AES-256-GCM, with the tag
}

// DataKeys is a key service, such as AWS KMS: it makes keys, and seals and opens them with a
// key that never leaves it. Safe for concurrent use.
type DataKeys interface {
	// KeyID names the service's key.
	KeyID() string
	// NewDataKey returns a new key of 32 bytes, in the clear and sealed for a purpose.
	NewDataKey(ctx context.Context, purpose string) (key, sealed []byte, err error)
	// OpenDataKey opens one that was sealed for the same purpose. The error wraps
	// push.ErrNotFound if the service's key is gone or disabled.
	OpenDataKey(ctx context.Context, sealed []byte, purpose string) ([]byte, error)
}

// Ring holds the keys that seal. The first seals, all of them open: to change keys, put the
// new one first, and take the old one away when no credential is sealed with it any more.
// A key service seals if there is one, and keys of ours still open. Safe for concurrent use.
type Ring struct {
	service DataKeys
	first   string
	keys    map[string]cipher.AEAD
	ids     []string
}

// Faults of sealing.
var (
	// ErrNoKey says that there is nothing to seal with.
	ErrNoKey = errors.New("there is no key to seal credentials with: make one with openssl rand -base64 32, " +
		"and give it to every process as BELFRY_SEAL_KEY")
	// ErrDamaged says that a sealed credential is not what was sealed.
	ErrDamaged = errors.New("it does not open: it was changed, or belongs to another app; upload it again")
)

// MissingKeyError says that a credential is sealed with a key that is not there.
type MissingKeyError struct {
	KeyID string   // the key that it needs
	Have  []string // those that are there
	Cause error    // of the key service; nil
}

// Error implements error.
func (e *MissingKeyError) Error() string {
	have := "this process has none"
	if len(e.Have) > 0 {
		have = "this process has " + strings.Join(e.Have, ", ")
	}
	return fmt.Sprintf("it is sealed with the key %s, which is gone (%s): add that key to BELFRY_SEAL_KEY behind the present one, "+
		"or upload the credential again", e.KeyID, have)
}

// Unwrap returns the cause.
func (e *MissingKeyError) Unwrap() error { return e.Cause }

// keyBytes is the length of a key of AES-256.
const keyBytes = 32

// NewRing reads the keys of a setting: base64 of 32 bytes each, separated by commas or space,
// the one that seals first. service may be nil. Without any, the ring opens and seals nothing.
// Errors repeat nothing of a key.
func NewRing(setting string, service DataKeys) (*Ring, error) {
	r := &Ring{service: service, keys: map[string]cipher.AEAD{}}
	split := func(c rune) bool { return c == ',' || c == ' ' || c == '\n' || c == '\r' || c == '\t' }
	for i, text := range strings.FieldsFunc(setting, split) {
		id, gcm, err := readKey(text)
		if err != nil {
			return nil, fmt.Errorf("key %d %w", i+1, err)
		}
		if _, twice := r.keys[id]; twice {
			return nil, fmt.Errorf("key %d is there twice", i+1)
		}
		r.keys[id] = gcm
		r.ids = append(r.ids, id)
	}
	if len(r.ids) > 0 {
		r.first = r.ids[0]
	}
	return r, nil
}

func readKey(text string) (id string, gcm cipher.AEAD, err error) {
	const want = "must be base64 of 32 bytes, as openssl rand -base64 32 prints it"
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		raw, err = base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "="))
	}
	if err != nil {
		return "", nil, errors.New(want)
	}
	if len(raw) != keyBytes {
		return "", nil, fmt.Errorf("%s (got %d bytes)", want, len(raw))
	}
	same := true
	for _, b := range raw {
		same = same && b == raw[0]
	}
	if same {
		return "", nil, errors.New("must be random: all its bytes are the same")
	}
	gcm, err = newGCM(raw)
	return keyID(raw), gcm, err
}

// keyID names a key without helping to guess it.
func keyID(key []byte) string {
	const shown = 6 // bytes
	sum := sha256.Sum256(append([]byte("belfry seal key id\x00"), key...))
	return "local:" + hex.EncodeToString(sum[:shown])
}

func newGCM(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// Seals reports whether there is something to seal with.
func (r *Ring) Seals() bool { return r.service != nil || r.first != "" }

// SealingKey returns the id of the key that seals now, "" if there is none.
func (r *Ring) SealingKey() string {
	if r.service != nil {
		return r.service.KeyID()
	}
	return r.first
}

// Seal seals a secret for a purpose, which has to be given again to open it.
func (r *Ring) Seal(ctx context.Context, secret []byte, purpose string) (Sealed, error) {
	out := Sealed{KeyID: r.SealingKey()}
	gcm := r.keys[out.KeyID]
	switch {
	case r.service != nil:
		key, sealed, err := r.service.NewDataKey(ctx, purpose)
		if err != nil {
			return Sealed{}, fmt.Errorf("make a data key: %w", err)
		}
		if gcm, err = newGCM(key); err != nil {
			return Sealed{}, err
		}
		clear(key)
		out.DataKey = sealed
	case gcm == nil:
		return Sealed{}, ErrNoKey
	}
	out.Nonce = make([]byte, gcm.NonceSize())
	_, _ = rand.Read(out.Nonce) // it never fails
	out.Text = gcm.Seal(nil, out.Nonce, secret, []byte(purpose))
	return out, nil
}

// Open opens what was sealed for the purpose. The error is [*MissingKeyError], [ErrDamaged],
// or the key service's own.
func (r *Ring) Open(ctx context.Context, s *Sealed, purpose string) ([]byte, error) {
	gcm := r.keys[s.KeyID]
	if len(s.DataKey) > 0 {
		if r.service == nil {
			return nil, r.missing(s, nil)
		}
		key, err := r.service.OpenDataKey(ctx, s.DataKey, purpose)
		if isGone(err) {
			return nil, r.missing(s, err)
		}
		if err != nil {
			return nil, fmt.Errorf("open the data key: %w", err)
		}
		if gcm, err = newGCM(key); err != nil {
			return nil, ErrDamaged
		}
		clear(key)
	}
	if gcm == nil {
		return nil, r.missing(s, nil)
	}
	if len(s.Nonce) != gcm.NonceSize() {
		return nil, ErrDamaged
	}
	secret, err := gcm.Open(nil, s.Nonce, s.Text, []byte(purpose))
	if err != nil {
		return nil, ErrDamaged
	}
	return secret, nil
}

// lacks returns a [*MissingKeyError] if the key that sealed a secret is not on the ring. What a key
// service still has is known only when it is asked.
func (r *Ring) lacks(s *Sealed) error {
	if len(s.DataKey) > 0 && r.service != nil || r.keys[s.KeyID] != nil {
		return nil
	}
	return r.missing(s, nil)
}

func (r *Ring) missing(s *Sealed, cause error) error {
	have := r.ids
	if r.service != nil {
		have = append([]string{r.service.KeyID()}, have...)
	}
	return &MissingKeyError{KeyID: s.KeyID, Have: have, Cause: cause}
}
