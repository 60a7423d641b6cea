package audit

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Head says how a tenant's chain stood: so many entries, this hash. Whoever keeps one can prove later that nothing up to
// it was changed or taken away.
type Head struct {
	Tenant string    `json:"tenant"`
	Seq    int64     `json:"seq"` // of the last entry, which is how many there are
	Hash   Hash      `json:"hash"`
	Time   time.Time `json:"time"` // when it was signed, UTC in microseconds
	Key    string    `json:"key"`  // id of the key that signed, see [KeyID]
	// Signature is Ed25519 over all of the above.
	Signature []byte `json:"signature"`
}

// signed is what the signature covers.
func (h *Head) signed() []byte {
	return []byte(strings.Join([]string{
		"belfry audit head v1", strconv.Quote(h.Tenant), strconv.FormatInt(h.Seq, 10), h.Hash.String(),
		strconv.FormatInt(h.Time.UnixMicro(), 10), h.Key,
	}, "\n"))
}

// Brief is a head as people note it down: the number of entries and the hash, with a colon between.
func (h *Head) Brief() string { return strconv.FormatInt(h.Seq, 10) + ":" + h.Hash.String() }

// ParseBrief reads what [Head.Brief] wrote.
func ParseBrief(s string) (seq int64, hash Hash, err error) {
	number, digits, _ := strings.Cut(s, ":")
	seq, err = strconv.ParseInt(number, 10, 64)
	if err != nil || seq < 1 || hash.UnmarshalText([]byte(digits)) != nil {
		return 0, hash, errors.New("a head is the number of entries and the hash with a colon between, as belfry audit verify prints it")
	}
	return seq, hash, nil
}

// KeyID is the first 8 digits of a public key's SHA-256.
func KeyID(public ed25519.PublicKey) string {
	const shown = 4 // bytes
	sum := sha256.Sum256(public)
	return hex.EncodeToString(sum[:shown])
}

const (
	publicPrefix = "belfry-audit-public:"
	secretPrefix = "belfry-audit-secret:" //nolint:gosec // what stands before a secret
)

// FormatPublic is a public key as it is printed and given.
func FormatPublic(k ed25519.PublicKey) string {
	return publicPrefix + base64.RawURLEncoding.EncodeToString(k)
}

// ParsePublic reads what [FormatPublic] wrote.
func ParsePublic(s string) (ed25519.PublicKey, error) {
	raw, err := unprefixed(s, publicPrefix, ed25519.PublicKeySize)
	return ed25519.PublicKey(raw), err
}

// FormatSecret is the secret half of a key as it is kept in a setting.
func FormatSecret(k ed25519.PrivateKey) string {
	return secretPrefix + base64.RawURLEncoding.EncodeToString(k.Seed())
}

// ParseSecret reads what [FormatSecret] wrote. The error never repeats what was given.
func ParseSecret(s string) (ed25519.PrivateKey, error) {
	raw, err := unprefixed(s, secretPrefix, ed25519.SeedSize)
	if err != nil {
		return nil, err
	}
	return ed25519.NewKeyFromSeed(raw), nil
}

func unprefixed(s, prefix string, size int) ([]byte, error) {
	text, ok := strings.CutPrefix(s, prefix)
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if !ok || err != nil || len(raw) != size {
		return nil, fmt.Errorf("must be %s and %d bytes in base64url", prefix, size)
	}
	return raw, nil
}

// Keyring signs heads with one key. It is safe for concurrent use, and prints only public halves.
type Keyring struct {
	signing ed25519.PrivateKey
	public  []ed25519.PublicKey
}

// NewKeyring returns a keyring that signs with the first key. The others signed before.
func NewKeyring(keys ...ed25519.PrivateKey) (*Keyring, error) {
	if len(keys) == 0 {
		return nil, errors.New("audit: no signing key")
	}
	k := &Keyring{signing: keys[0]}
	for _, s := range keys {
		p, _ := s.Public().(ed25519.PublicKey)
		k.public = append(k.public, p)
	}
	return k, nil
}

// Public are the public halves, that of the signing key first.
func (k *Keyring) Public() []ed25519.PublicKey { return k.public }

// String implements [fmt.Stringer].
func (k *Keyring) String() string { return FormatPublic(k.public[0]) }

// GoString implements [fmt.GoStringer].
func (k *Keyring) GoString() string { return k.String() }

// Sign completes a head.
func (k *Keyring) Sign(h *Head) {
	h.Time = h.Time.UTC().Truncate(time.Microsecond)
	h.Key = KeyID(k.public[0])
	h.Signature = ed25519.Sign(k.signing, h.signed())
}

// check says what is wrong with a head's signature, "" if nothing is.
func (h *Head) check(trusted []ed25519.PublicKey) string {
	return distrust(trusted, h.Key, h.signed(), h.Signature)
}

// distrust says what is wrong with a signature by the key of an id, "" if nothing is.
func distrust(trusted []ed25519.PublicKey, id string, signed, signature []byte) string {
	for _, k := range trusted {
		if KeyID(k) != id {
			continue
		}
		if ed25519.Verify(k, signed, signature) {
			return ""
		}
		return "its signature is not that of key " + id
	}
	return fmt.Sprintf("it is signed with key %.16q, which is none of those that are trusted", id)
}
