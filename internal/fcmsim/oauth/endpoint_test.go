package oauth_test

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2/google"
	"golang.org/x/oauth2/jwt"

	"github.com/belfry-push/belfry/internal/fcmsim/oauth"
)

const scope = "https://www.googleapis.com/auth/firebase.messaging"

// serve serves an endpoint, with the key of an earlier file if there is one, and returns its URL.
func serve(t *testing.T, earlier []byte) (e *oauth.Endpoint, at string) {
	t.Helper()
	srv := httptest.NewUnstartedServer(nil)
	at = "http://" + srv.Listener.Addr().String() + "/token"
	e, err := oauth.New(oauth.Config{Project: "p", Earlier: earlier, TTL: time.Hour, Now: time.Now, URL: func() string { return at }})
	if err != nil {
		t.Fatal(err)
	}
	srv.Config.Handler = e
	srv.Start()
	t.Cleanup(srv.Close)
	return e, at
}

func TestTokens(t *testing.T) {
	t.Parallel()
	e, _ := serve(t, nil)
	now := time.Now()
	token := e.Tokens().Issue(now, now.Add(time.Minute))
	for _, tc := range []struct {
		header, want string
		after        time.Duration
	}{
		{"", oauth.ReasonMissing, 0},
		{"Basic " + token, oauth.ReasonMissing, 0},
		{"Bearer x" + token, oauth.ReasonUnknown, 0},
		{"Bearer " + token, "", time.Minute - 1},
		{"Bearer " + token, oauth.ReasonExpired, time.Minute},
	} {
		if got := e.Tokens().Check(tc.header, now.Add(tc.after)); got != tc.want {
			t.Errorf("%q after %v: %q, want %q", tc.header, tc.after, got, tc.want)
		}
	}
	later := now.Add(2 * time.Hour)
	e.Tokens().Issue(later, later.Add(time.Minute))
	if got := e.Tokens().Check("Bearer "+token, later); got != oauth.ReasonUnknown {
		t.Errorf("long after it expired: %q", got)
	}
	e.Tokens().Revoke()
	if got := e.Tokens().Check("Bearer "+token, now); got != oauth.ReasonUnknown {
		t.Errorf("revoked: %q", got)
	}
}

func TestServiceAccountOutlivesARestart(t *testing.T) {
	t.Parallel()
	first, _ := serve(t, nil)
	second, _ := serve(t, first.ServiceAccount())
	if a, b := privateKey(t, first), privateKey(t, second); a != b {
		t.Error("another key")
	}
	for _, bad := range []string{
		`{`, `{"private_key":"x"}`, `{"private_key":"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"}`,
	} {
		if _, err := oauth.New(oauth.Config{Project: "p", Earlier: []byte(bad)}); err == nil {
			t.Errorf("took %s", bad)
		}
	}
}

func privateKey(t *testing.T, e *oauth.Endpoint) string {
	t.Helper()
	var file struct {
		PrivateKey string `json:"private_key"`
	}
	if err := json.Unmarshal(e.ServiceAccount(), &file); err != nil {
		t.Fatal(err)
	}
	return file.PrivateKey
}

func TestTokenEndpointRefuses(t *testing.T) {
	t.Parallel()
	endpoint, at := serve(t, nil)
	stranger, elsewhere := serve(t, nil)
	own, err := google.JWTConfigFromJSON(endpoint.ServiceAccount(), scope)
	if err != nil {
		t.Fatal(err)
	}
	other, err := google.JWTConfigFromJSON(stranger.ServiceAccount(), scope)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	sign := func(conf *jwt.Config, change func(*claims)) string {
		c := claims{
			Iss: own.Email, Aud: at, Scope: "x " + scope, Iat: now.Unix(), Exp: now.Add(time.Hour).Unix(),
		}
		change(&c)
		return encodeJWT(t, conf, c)
	}
	good := sign(own, func(*claims) {})
	for _, tc := range []struct{ name, grantType, assertion, code string }{
		{name: "good", assertion: good},
		{"grant type", "password", good, "unsupported_grant_type"},
		{name: "no assertion", code: "invalid_grant"},
		{name: "garbage", assertion: "a.b!.c", code: "invalid_grant"},
		{name: "no algorithm", assertion: "bm9uZQ." + good[strings.Index(good, ".")+1:], code: "invalid_grant"},
		{name: "other algorithm", assertion: "eyJhbGciOiJub25lIn0." + good[strings.Index(good, ".")+1:], code: "invalid_grant"},
		{name: "tampered", assertion: good[:len(good)-6] + "AAAAAA", code: "invalid_grant"},
		{name: "other key", assertion: sign(other, func(*claims) {}), code: "invalid_grant"},
		{name: "issuer", assertion: sign(own, func(c *claims) { c.Iss = "me" }), code: "invalid_grant"},
		{name: "audience", assertion: sign(own, func(c *claims) { c.Aud = elsewhere }), code: "invalid_grant"},
		{name: "expired", assertion: sign(own, func(c *claims) { c.Iat -= 7200; c.Exp -= 7200 }), code: "invalid_grant"},
		{name: "too long", assertion: sign(own, func(c *claims) { c.Exp += 60 }), code: "invalid_grant"},
		{name: "future", assertion: sign(own, func(c *claims) { c.Iat += 600; c.Exp += 600 }), code: "invalid_grant"},
		{name: "scope", assertion: sign(own, func(c *claims) { c.Scope = "x" }), code: "invalid_scope"},
	} {
		grantType := tc.grantType
		if grantType == "" {
			grantType = "urn:ietf:params:oauth:grant-type:jwt-bearer"
		}
		form := url.Values{"grant_type": {grantType}, "assertion": {tc.assertion}}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, at, strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		var got struct {
			Error string `json:"error"`
			Token string `json:"access_token"`
		}
		err = json.NewDecoder(resp.Body).Decode(&got)
		_ = resp.Body.Close()
		if err != nil || got.Error != tc.code || (resp.StatusCode == http.StatusOK) != (tc.code == "") {
			t.Errorf("%s: %d %+v, %v", tc.name, resp.StatusCode, got, err)
		}
		if reason := endpoint.Tokens().Check("Bearer "+got.Token, now); (reason == "") != (tc.code == "") {
			t.Errorf("%s: the token is %q", tc.name, reason)
		}
	}
}

// claims is the payload of an assertion.
type claims struct {
	Iss   string `json:"iss"`
	Aud   string `json:"aud"`
	Scope string `json:"scope"`
	Iat   int64  `json:"iat"`
	Exp   int64  `json:"exp"`
}

// encodeJWT signs claims with the account's key.
func encodeJWT(t *testing.T, conf *jwt.Config, c claims) string {
	t.Helper()
	block, _ := pem.Decode(conf.PrivateKey)
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	key, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		t.Fatal("not an RSA key")
	}
	payload, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	enc := base64.RawURLEncoding
	signed := enc.EncodeToString([]byte(`{"alg":"RS256","typ":"JWT"}`)) + "." + enc.EncodeToString(payload)
	digest := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	return signed + "." + enc.EncodeToString(signature)
}
