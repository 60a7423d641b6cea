package door_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/document/documenttest"
	"github.com/belfry-push/belfry/internal/httpapi/door"
)

// clearSealer seals nothing: sealing is tested where it is done.
type clearSealer struct{}

func (clearSealer) Seal(_ context.Context, purpose string, secret []byte) ([]byte, error) {
	return append([]byte(purpose+":"), secret...), nil
}

func (clearSealer) Open(_ context.Context, purpose string, sealed []byte) ([]byte, error) {
	return bytes.TrimPrefix(sealed, []byte(purpose+":")), nil
}

// signing is a tenant's key that signs.
type signing struct {
	*rig

	directory *access.Directory
	text, id  string
	secret    []byte
}

func newSigning(t *testing.T, must bool) *signing {
	t.Helper()
	s := &signing{directory: access.New(&documenttest.Memory{}, nil).SealWith(clearSealer{})}
	ctx := t.Context()
	if _, err := s.directory.CreateTenant(ctx, access.Tenant{Name: "acme"}, "me"); err != nil {
		t.Fatal(err)
	}
	text, k, err := s.directory.CreateKey(ctx, "acme", access.NewKey{}, access.AllPermissions(), "me")
	if err != nil {
		t.Fatal(err)
	}
	secret, _, err := s.directory.EnableSigning(ctx, "acme", k.ID, must)
	if err != nil {
		t.Fatal(err)
	}
	s.text, s.id = text, k.ID
	if s.secret, err = base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, access.SecretPrefix)); err != nil {
		t.Fatal(err)
	}
	auth, err := access.NewAuthenticator(access.AuthConfig{Directory: s.directory, Log: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(auth.Close)
	s.rig = setup(t, func(cfg *door.Config) { cfg.Auth = auth })
	return s
}

// headers returns those of a signed request.
func (s *signing) headers(t *testing.T, secret []byte, id string, at time.Time, body string) []string {
	t.Helper()
	w, err := standardwebhooks.NewWebhookRaw(secret)
	if err != nil {
		t.Fatal(err)
	}
	text, err := w.Sign(id, at, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return []string{
		"Belfry-Key-Id", s.id, "Webhook-Id", id, "Webhook-Timestamp", strconv.FormatInt(at.Unix(), 10), "Webhook-Signature", text,
	}
}

// with returns headers with one replaced, or taken away.
func with(headers []string, name, value string) []string {
	var out []string
	for i := 0; i < len(headers); i += 2 {
		switch {
		case headers[i] != name:
			out = append(out, headers[i], headers[i+1])
		case value != "":
			out = append(out, name, value)
		}
	}
	return out
}

func TestSignedRequest(t *testing.T) {
	t.Parallel()
	s := newSigning(t, true)
	const body = `{"a":1}`
	now := time.Now()
	good := s.headers(t, s.secret, "msg_1", now, body)
	s.Do(t, "POST", things, body, good...).Want(t, http.StatusOK, "")
	again := s.Do(t, "POST", things, body, good...).Want(t, http.StatusUnauthorized, door.CodeUnauthenticated)
	if !strings.Contains(again.Body.String(), "used before") {
		t.Errorf("a repeat: %d %s", again.Code, again.Body)
	}
	other := append(s.headers(t, s.secret, "msg_2", now, body), "Authorization", "Bearer "+s.text)
	s.Do(t, "POST", things, body, other...).Want(t, http.StatusOK, "")
	s.Do(t, "POST", lines, "{}\n", s.headers(t, s.secret, "msg_3", now, "{}\n")...).Want(t, http.StatusOK, "")
	s.Do(t, "GET", things, "", s.headers(t, s.secret, "msg_4", now, "")...).Want(t, http.StatusOK, "")

	signature := good[len(good)-1]
	fresh := s.headers(t, s.secret, "msg_5", now, body)
	for name, c := range map[string]struct {
		headers []string
		body    string
		says    string
	}{
		"another body":       {fresh, `{"a":2}`, "not signed with"},
		"another id":         {with(fresh, "Webhook-Id", "msg_6"), body, "not signed with"},
		"another time":       {with(fresh, "Webhook-Timestamp", strconv.FormatInt(now.Unix()+1, 10)), body, "not signed with"},
		"another's secret":   {s.headers(t, bytes.Repeat([]byte{7}, 32), "msg_7", now, body), body, "not signed with"},
		"an empty secret":    {s.headers(t, nil, "msg_8", now, body), body, "not signed with"},
		"another's key":      {with(fresh, "Belfry-Key-Id", "0123456789ab"), body, "not signed with"},
		"no key":             {with(fresh, "Belfry-Key-Id", ""), body, "not known"},
		"past":               {s.headers(t, s.secret, "msg_9", now.Add(-6*time.Minute), body), body, "check the clock"},
		"future":             {s.headers(t, s.secret, "msg_9", now.Add(6*time.Minute), body), body, "check the clock"},
		"time no number":     {with(fresh, "Webhook-Timestamp", "now"), body, "must be the time"},
		"no time":            {with(fresh, "Webhook-Timestamp", ""), body, "must be the time"},
		"no id":              {with(fresh, "Webhook-Id", ""), body, "Webhook-Id must be"},
		"id of control":      {with(fresh, "Webhook-Id", "a\tb"), body, "Webhook-Id must be"},
		"no signature":       {with(fresh, "Webhook-Signature", ""), body, "must have a signature"},
		"another algorithm":  {with(fresh, "Webhook-Signature", "v1a"+strings.TrimPrefix(signature, "v1")), body, "must have a signature"},
		"no algorithm":       {with(fresh, "Webhook-Signature", strings.TrimPrefix(signature, "v1,")), body, "must have a signature"},
		"cut off":            {with(fresh, "Webhook-Signature", signature[:len(signature)-1]), body, "not signed with"},
		"of an empty text":   {with(fresh, "Webhook-Signature", "v1,"), body, "not signed with"},
		"the key alone":      {[]string{"Authorization", "Bearer " + s.text}, body, "must be signed"},
		"the key's id alone": {[]string{"Belfry-Key-Id", s.id}, body, "give an API key"},
	} {
		got := s.Do(t, "POST", things, c.body, c.headers...)
		got.Want(t, http.StatusUnauthorized, door.CodeUnauthenticated)
		if !strings.Contains(got.Body.String(), c.says) {
			t.Errorf("%s: %s, want %q", name, got.Body, c.says)
		}
		if strings.Contains(got.Body.String(), s.text) || strings.Contains(got.Body.String(), signature) {
			t.Errorf("%s: the answer repeats a secret", name)
		}
	}
	// None of them used its id up.
	s.Do(t, "POST", things, body, fresh...).Want(t, http.StatusOK, "")
}

// Where the settings ask for it, what changes something must be signed.
func TestSignedChanges(t *testing.T) {
	t.Parallel()
	s := newSigning(t, false)
	if _, err := s.directory.ChangeTenant(t.Context(), "acme", func(x *access.Tenant) error {
		x.Settings.RequireSigned = new(true)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	key := []string{"Authorization", "Bearer " + s.text}
	s.Do(t, "GET", things, "", key...).Want(t, http.StatusOK, "")
	s.Do(t, "POST", things, "{}", key...).Want(t, http.StatusUnauthorized, door.CodeUnauthenticated)
	s.Do(t, "POST", things, "{}", s.headers(t, s.secret, "m", time.Now(), "{}")...).Want(t, http.StatusOK, "")
}

func TestSignedAndTooLarge(t *testing.T) {
	t.Parallel()
	s := newSigning(t, false)
	big := strings.Repeat(" ", 16<<20+1)
	s.Do(t, "POST", lines, big, s.headers(t, s.secret, "m", time.Now(), big)...).Want(t, http.StatusRequestEntityTooLarge, door.CodeTooLarge)
}
