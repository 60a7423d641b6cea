package access

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/netip"
	"strings"
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

// An API key is blf_<env>_<key id>_<secret>_<crc32>. The last part is the CRC-32 (IEEE)
// of everything before its underscore, as 8 hexadecimal digits: a scanner of leaked
// secrets tells a key from what only looks like one without asking anybody.
const (
	keyBrand    = "blf"
	keyIDLen    = 12
	secretLen   = 32 // of 62 characters: 190 bits
	maxKeyText  = 128
	maxEnv      = 8
	alphabet    = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	idAlphabet  = "0123456789abcdefghijklmnopqrstuvwxyz"
	keyFields   = 5
	maxNetworks = 50
)

// ErrMalformedKey says that a text is no API key: its form or its checksum is wrong.
var ErrMalformedKey = errors.New("not an API key")

// Key is what is stored of an API key. The secret is not.
type Key struct {
	ID     string `json:"id"`
	Tenant string `json:"tenant"`
	// App limits the key to one app; "" is all of the tenant's.
	App  string `json:"app,omitempty"`
	Name string `json:"name,omitempty"` // for people
	Env  string `json:"env"`            // of the key's text
	Role string `json:"role"`
	// Scopes narrow the role; none: all that the role has.
	Scopes []Scope `json:"scopes,omitempty"`
	Hash   string  `json:"hash"` // SHA-256 of the key's text, unpadded base64url
	// Networks, if there are any, are where requests must come from.
	Networks  []netip.Prefix `json:"networks,omitempty"`
	CreatedAt time.Time      `json:"created_at"`
	CreatedBy string         `json:"created_by,omitempty"`
	ExpiresAt time.Time      `json:"expires_at,omitzero"` // zero: never
	RevokedAt time.Time      `json:"revoked_at,omitzero"`
	RevokedBy string         `json:"revoked_by,omitempty"`
	// UsedAt is when the key was last used, to [UsedEvery].
	UsedAt time.Time `json:"used_at,omitzero"`
	// Signing is the sealed secret that requests are signed with, if the key has one.
	// MustSign says that the key opens nothing without a signature.
	Signing  []byte `json:"signing,omitempty"`
	MustSign bool   `json:"must_sign,omitempty"`
	// Replaces is the key that this one was made to take the place of.
	Replaces string `json:"replaces,omitempty"`
}

// Live reports whether the key opens anything at a time.
func (k *Key) Live(now time.Time) bool {
	return k.RevokedAt.IsZero() && (k.ExpiresAt.IsZero() || now.Before(k.ExpiresAt))
}

// Label is how the key is named in records: key:<id>. It is no secret.
func (k *Key) Label() string { return "key:" + k.ID }

// opensFrom reports whether requests may come from an address.
func (k *Key) opensFrom(addr netip.Addr) bool {
	if len(k.Networks) == 0 {
		return true
	}
	addr = addr.Unmap()
	for _, n := range k.Networks {
		if n.Contains(addr) {
			return true
		}
	}
	return false
}

// matches reports whether this is the text of the key, in constant time.
func (k *Key) matches(hash string) bool {
	return subtle.ConstantTimeCompare([]byte(k.Hash), []byte(hash)) == 1
}

// ParseKey returns the id in an API key, or ErrMalformedKey. It looks at form and
// checksum only, and costs no look-up.
func ParseKey(text string) (id string, err error) {
	if len(text) > maxKeyText {
		return "", ErrMalformedKey
	}
	parts := strings.Split(text, "_")
	if len(parts) != keyFields || parts[0] != keyBrand || !ofAlphabet(parts[1], idAlphabet, 1, maxEnv) ||
		!ofAlphabet(parts[2], idAlphabet, keyIDLen, keyIDLen) || !ofAlphabet(parts[3], alphabet, secretLen, secretLen) {
		return "", ErrMalformedKey
	}
	if checksum(text[:strings.LastIndexByte(text, '_')]) != parts[4] {
		return "", ErrMalformedKey
	}
	return parts[2], nil
}

// LooksLikeKey reports whether a text claims to be a key of this form.
func LooksLikeKey(text string) bool { return strings.HasPrefix(text, keyBrand+"_") }

func ofAlphabet(s, of string, least, most int) bool {
	return len(s) >= least && len(s) <= most && strings.Trim(s, of) == ""
}

func checksum(s string) string { return fmt.Sprintf("%08x", crc32.ChecksumIEEE([]byte(s))) }

// hashOf is what is stored of a key's text.
func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// mint returns the text of a new key and its id.
func mint(env string) (text, id string) {
	id = pick(idAlphabet, keyIDLen)
	body := strings.Join([]string{keyBrand, env, id, pick(alphabet, secretLen)}, "_")
	return body + "_" + checksum(body), id
}

// pick returns n random characters of an alphabet, each equally likely. Characters that would
// favour some are drawn again.
func pick(of string, n int) string {
	const bytes = 256
	bound := bytes - bytes%len(of)
	out, one := make([]byte, 0, n), make([]byte, 1)
	for len(out) < n {
		if _, err := io.ReadFull(rand.Reader, one); err != nil {
			panic(err) // crypto/rand never fails, see its documentation
		}
		if int(one[0]) < bound {
			out = append(out, of[int(one[0])%len(of)])
		}
	}
	return string(out)
}

// NewKey is what somebody asks for who wants a key.
type NewKey struct {
	App       string         `json:"app,omitempty"`
	Name      string         `json:"name,omitempty"`
	Env       string         `json:"env,omitempty"`  // "" is live
	Role      string         `json:"role,omitempty"` // "" is sender
	Scopes    []Scope        `json:"scopes,omitempty"`
	Networks  []netip.Prefix `json:"networks,omitempty"`
	ExpiresAt time.Time      `json:"expires_at,omitzero"`
}

const maxKeyName = 100 // bytes

func (n *NewKey) filled() NewKey {
	f := *n
	if f.Env == "" {
		f.Env = "live"
	}
	if f.Role == "" {
		f.Role = RoleSender
	}
	return f
}

// check returns what is wrong with a filled request, as far as one can tell from it alone.
func (n *NewKey) check(now time.Time) push.Faults {
	faults := checkScopes("/scopes", n.Scopes)
	if !ofAlphabet(n.Env, idAlphabet, 1, maxEnv) {
		faults = append(faults, push.Fault{
			Pointer: "/env", Code: push.FaultValue, Detail: fmt.Sprintf("must be 1 to %d of a-z and 0-9 (got %q)", maxEnv, shown(n.Env)),
		})
	}
	if len(n.Name) > maxKeyName {
		faults = append(faults, push.Fault{
			Pointer: "/name", Code: push.FaultTooLarge, Detail: fmt.Sprintf("may have at most %d bytes", maxKeyName),
		})
	}
	if len(n.Networks) > maxNetworks {
		faults = append(faults, push.Fault{Pointer: "/networks", Code: push.FaultTooLarge, Detail: fmt.Sprintf("may be at most %d", maxNetworks)})
	}
	if !n.ExpiresAt.IsZero() && !n.ExpiresAt.After(now) {
		faults = append(faults, push.Fault{Pointer: "/expires_at", Code: push.FaultValue, Detail: "must be in the future"})
	}
	return faults
}
