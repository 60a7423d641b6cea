package door

import (
	"bytes"
	"context"
	"crypto/subtle"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/idempotency"
)

// The headers of a signed request, as Standard Webhooks 1.0.0 has them, and the one that
// names the key of a request that does not bring it.
const (
	headerSignedID  = "Webhook-Id"
	headerSignedAt  = "Webhook-Timestamp"
	headerSignature = "Webhook-Signature"
	headerKeyID     = "Belfry-Key-Id"
)

// SignatureWindow is how far a signature's time may be from the server's, either way.
const SignatureWindow = 5 * time.Minute

// maxSigned bounds the body of a signed upload: it is read as a whole before a byte of it is
// used.
const maxSigned = 16 << 20

// signature is what the headers of a signed request say.
type signature struct {
	id    string
	at    time.Time
	texts []string // v1,base64
}

// readSignature returns a request's signature; nil if it has none.
func readSignature(h http.Header, now time.Time) (*signature, error) {
	all := h.Values(headerSignature)
	if len(all) == 0 && h.Get(headerSignedID) == "" && h.Get(headerSignedAt) == "" {
		return nil, nil
	}
	s := &signature{id: h.Get(headerSignedID)}
	for text := range strings.FieldsSeq(strings.Join(all, " ")) {
		// Other versions, such as v1a, are another algorithm's: a text is never looked at as if
		// it were of another version than it says.
		if strings.HasPrefix(text, "v1,") {
			s.texts = append(s.texts, text)
		}
	}
	seconds, err := strconv.ParseInt(h.Get(headerSignedAt), 10, 64)
	switch {
	case !saneID(s.id):
		return nil, unsigned(headerSignedID + " must be 1 to 128 of letters, digits and -_.:/+=@, new for every request")
	case err != nil:
		return nil, unsigned(headerSignedAt + " must be the time in seconds since 1970")
	case len(s.texts) == 0:
		return nil, unsigned(headerSignature + " must have a signature of the version v1, as in v1,<base64>")
	}
	s.at = time.Unix(seconds, 0)
	if off := now.Sub(s.at); off > SignatureWindow || off < -SignatureWindow {
		return nil, unsigned("the signature was made at %s, more than %s from the server's time, %s: check the clock and send it anew",
			s.at.UTC().Format(time.RFC3339), SignatureWindow, now.UTC().Format(time.RFC3339))
	}
	return s, nil
}

func unsigned(detail string, args ...any) *RefusalError {
	return Refuse(CodeUnauthenticated, detail, args...).With("WWW-Authenticate", `Bearer realm="belfry", error="invalid_token"`)
}

// proof returns the check of the signature over a body.
func (s *signature) proof(body []byte) func(secret []byte) bool {
	return func(secret []byte) bool {
		w, err := standardwebhooks.NewWebhookRaw(secret)
		if err != nil {
			return false
		}
		want, err := w.Sign(s.id, s.at, body)
		if err != nil {
			return false
		}
		good := 0
		for _, text := range s.texts {
			good |= subtle.ConstantTimeCompare([]byte(text), []byte(want))
		}
		return good == 1
	}
}

// present collects what a request brings to show who makes it. The body of a signed one is
// read as a whole, and put back.
func (d *Door) present(x *Exchange) (access.Presented, *signature, error) {
	key, err := presentedKey(x)
	if err != nil {
		return access.Presented{}, nil, err
	}
	p := access.Presented{Key: key, From: remote(x.Request)}
	s, err := readSignature(x.Request.Header, d.now())
	if s == nil || err != nil {
		return p, nil, err
	}
	most := int64(maxBody)
	if x.route.streams() {
		most = maxSigned
	}
	body, err := io.ReadAll(http.MaxBytesReader(x.w.ResponseWriter, x.Request.Body, most))
	if err != nil {
		return p, nil, ofRead(err)
	}
	x.Request.Body = io.NopCloser(bytes.NewReader(body))
	p.KeyID, p.Proof = x.Request.Header.Get(headerKeyID), s.proof(body)
	return p, s, nil
}

// once refuses a signature that was used before, in whatever process. It comes after the
// check of the signature: nobody else can use ids up.
func (d *Door) once(ctx context.Context, c *access.Caller, s *signature) error {
	now := d.now()
	until := s.at.Add(SignatureWindow + time.Minute)
	_, fresh, err := d.cfg.Answers.Reserve(ctx, idempotency.Record{
		Tenant: c.Tenant, Key: "signature " + c.Key + " " + s.id, Holder: "signature", LeaseUntil: until, ExpiresAt: until,
	}, now)
	if err != nil {
		return err
	}
	if !fresh {
		return unsigned("%s %s was used before: sign every request anew, also a repeat (its Idempotency-Key stays)", headerSignedID, s.id)
	}
	return nil
}

// checkSigned refuses a request that had to be signed and is not.
func checkSigned(x *Exchange, c *access.Caller) error {
	changes := x.route.Method != http.MethodGet
	if c.Sign == access.SignEverything || c.Sign == access.SignChanges && changes {
		return unsigned("requests of %s must be signed: send %s, %s and %s (Standard Webhooks)", c.Name, headerSignedID, headerSignedAt,
			headerSignature)
	}
	return nil
}
