package client

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The headers of a signed request (Standard Webhooks 1.0.0), and the one that names the key.
const (
	headerKeyID     = "Belfry-Key-Id"
	headerSignedID  = "Webhook-Id"
	headerSignedAt  = "Webhook-Timestamp"
	headerSignature = "Webhook-Signature"
)

// errUnsignable says that a body can't be signed.
var errUnsignable = errors.New("a stream can't be signed: it is sent as it is read; give it as bytes, or use a client that does not sign")

// Signer signs requests with the signing secret of an API key, as Standard Webhooks 1.0.0 does
// webhooks: HMAC-SHA256 over id.timestamp.body. Make it with [NewSigner].
type Signer struct {
	key    string
	secret []byte
}

// NewSigner returns a signer for the key with an id, as in blf_live_<id>_…, and its secret,
// as in whsec_…. The error does not repeat the secret.
func NewSigner(keyID, secret string) (*Signer, error) {
	const least = 24 // bytes, as Standard Webhooks asks
	text, ok := strings.CutPrefix(secret, "whsec_")
	raw, err := base64.StdEncoding.DecodeString(text)
	if !ok || err != nil || len(raw) < least {
		return nil, errors.New("signing secret: must be whsec_ and base64 of at least 24 bytes")
	}
	if keyID == "" {
		return nil, errors.New("signing: the key's id must be given")
	}
	return &Signer{key: keyID, secret: raw}, nil
}

// WithSigning signs every request. Then the client needs no API key: the signer names it, and
// its text does not travel. What is sent as it is read can't be signed and is an error:
// [Client.UploadRecipients] and [Client.ImportDevices]. An [Uploader] sends parts, which
// can.
func WithSigning(s *Signer) Option { return func(c *Client) { c.signer = s } }

// Sign adds the headers of a signature over a body, made now. Every request needs one of its
// own, also one that repeats another: an id is taken once.
func (s *Signer) Sign(h http.Header, body []byte) {
	id, at := "msg_"+rand.Text(), strconv.FormatInt(time.Now().Unix(), 10)
	mac := hmac.New(sha256.New, s.secret)
	_, _ = fmt.Fprintf(mac, "%s.%s.", id, at)
	_, _ = mac.Write(body)
	h.Set(headerKeyID, s.key)
	h.Set(headerSignedID, id)
	h.Set(headerSignedAt, at)
	h.Set(headerSignature, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
}

// sign signs a request of the client, if it is to sign.
func (c *Client) sign(req *http.Request, cl *call) error {
	switch {
	case c.signer == nil:
		return nil
	case cl.stream != nil:
		return errUnsignable
	}
	c.signer.Sign(req.Header, cl.body)
	return nil
}

// Signing says whether requests of an [APIKey] are signed.
type Signing string

// What a key can ask for.
const (
	SigningAllowed  Signing = "allowed"  // it has a secret, and opens without a signature too
	SigningRequired Signing = "required" // it opens nothing without a signature
)

// Signings lists every value.
func Signings() []Signing { return []Signing{SigningAllowed, SigningRequired} }

// SigningRequest asks for a signing secret.
type SigningRequest struct {
	Required bool `json:"required,omitempty" doc:"whether the key opens nothing without a signature"`
}

// SigningSecret answers the request for a signing secret. It is the only place where that is.
type SigningSecret struct {
	Secret string `json:"secret" doc:"whsec_ and base64; only here: it is kept sealed"`
	APIKey APIKey `json:"api_key" doc:"the key that it belongs to"`
}

// EnableSigning gives a key a new signing secret; give it to [NewSigner].
func (c *Client) EnableSigning(ctx context.Context, id string, req SigningRequest, opts ...CallOption) (SigningSecret, error) {
	body, err := json.Marshal(req)
	if err != nil {
		return SigningSecret{}, fmt.Errorf("encode the request: %w", err)
	}
	cl := call{method: http.MethodPut, path: keyPath(id) + "/signing", body: body, timeout: attemptTimeout, query: tenantQuery(opts)}
	return answered[SigningSecret](ctx, c, cl, nil)
}

// DisableSigning takes a key's signing secret away.
func (c *Client) DisableSigning(ctx context.Context, id string, opts ...CallOption) (APIKey, error) {
	cl := del(keyPath(id) + "/signing")
	cl.query = tenantQuery(opts)
	return answered[APIKey](ctx, c, cl, nil)
}
