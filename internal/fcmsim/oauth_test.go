package fcmsim_test

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"
	"golang.org/x/oauth2/jwt"

	"github.com/belfry-push/belfry/internal/fcmsim"
	"github.com/belfry-push/belfry/internal/fcmsim/fcmsimtest"
)

const scope = "https://www.googleapis.com/auth/firebase.messaging"

func TestBearerTokenIsRequired(t *testing.T) {
	t.Parallel()
	var c clock
	sim := fcmsimtest.Start(t, fcmsim.Config{RequireAuth: true, Now: c.now})
	client := fcmsimtest.Client(t)
	good := sim.IssueToken(time.Minute)
	for _, tc := range []struct {
		name, project, header, reason string
		after                         time.Duration
		status                        int
	}{
		{name: "missing", reason: "CREDENTIALS_MISSING", status: 401},
		{name: "not bearer", header: "Basic eDp5", reason: "CREDENTIALS_MISSING", status: 401},
		{name: "unknown", header: "Bearer x", reason: "ACCESS_TOKEN_TYPE_UNSUPPORTED", status: 401},
		{name: "good", header: "Bearer " + good, status: 200},
		{name: "other project", project: "other", header: "Bearer " + good, reason: "IAM_PERMISSION_DENIED", status: 403},
		{name: "expired", header: "Bearer " + good, after: time.Minute, reason: "ACCESS_TOKEN_EXPIRED", status: 401},
	} {
		c.advance(tc.after)
		path := sendPath
		if tc.project != "" {
			path = strings.Replace(path, "belfry-sandbox", tc.project, 1)
		}
		a := post(t, client, sim.URL()+path, toToken("t"), "Authorization", tc.header)
		if a.status != tc.status || !strings.Contains(a.body, tc.reason) {
			t.Errorf("%s: %d %s", tc.name, a.status, a.body)
		}
		if (a.header.Get("Www-Authenticate") != "") != (tc.status == 401) {
			t.Errorf("%s: WWW-Authenticate %q", tc.name, a.header.Get("Www-Authenticate"))
		}
	}
	st := sim.Stats()
	if st.ByCode["UNAUTHENTICATED"] != 4 || st.ByCode["PERMISSION_DENIED"] != 1 || st.Accepted != 1 {
		t.Errorf("stats %+v", st)
	}
}

func TestTokenEndpointServesGoogleClients(t *testing.T) {
	t.Parallel()
	sim := fcmsimtest.Start(t, fcmsim.Config{RequireAuth: true, TokenTTL: 90 * time.Second})
	client := fcmsimtest.Client(t)
	conf, err := google.JWTConfigFromJSON(sim.ServiceAccountJSON(), scope)
	if err != nil {
		t.Fatal(err)
	}
	token, err := conf.TokenSource(context.WithValue(t.Context(), oauth2.HTTPClient, client)).Token()
	if err != nil {
		t.Fatal(err)
	}
	if left := time.Until(token.Expiry); left > 90*time.Second || left < 60*time.Second {
		t.Errorf("expires in %v", left)
	}
	if a := post(t, client, sim.URL()+sendPath, toToken("t"), "Authorization", "Bearer "+token.AccessToken); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestServiceAccountOutlivesARestart(t *testing.T) {
	t.Parallel()
	first := fcmsimtest.Start(t, fcmsim.Config{})
	second := fcmsimtest.Start(t, fcmsim.Config{ServiceAccount: first.ServiceAccountJSON()})
	if a, b := privateKey(t, first), privateKey(t, second); a != b {
		t.Error("another key")
	}
	for _, bad := range []string{`{`, `{"private_key":"x"}`, `{"private_key":"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"}`} {
		if _, err := fcmsim.New(fcmsim.Config{ServiceAccount: []byte(bad)}); err == nil {
			t.Errorf("took %s", bad)
		}
	}
}

func privateKey(t *testing.T, sim *fcmsim.Sim) string {
	t.Helper()
	var file struct {
		PrivateKey string `json:"private_key"`
	}
	if err := json.Unmarshal(sim.ServiceAccountJSON(), &file); err != nil {
		t.Fatal(err)
	}
	return file.PrivateKey
}

func TestTokenEndpointRefuses(t *testing.T) {
	t.Parallel()
	sim := fcmsimtest.Start(t, fcmsim.Config{})
	stranger := fcmsimtest.Start(t, fcmsim.Config{})
	client := fcmsimtest.Client(t)
	own, err := google.JWTConfigFromJSON(sim.ServiceAccountJSON(), scope)
	if err != nil {
		t.Fatal(err)
	}
	other, err := google.JWTConfigFromJSON(stranger.ServiceAccountJSON(), scope)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	sign := func(conf *jwt.Config, change func(*claims)) string {
		c := claims{
			Iss: own.Email, Aud: sim.TokenURL(), Scope: "x " + scope, Iat: now.Unix(), Exp: now.Add(time.Hour).Unix(),
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
		{name: "audience", assertion: sign(own, func(c *claims) { c.Aud = stranger.TokenURL() }), code: "invalid_grant"},
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
		a := post(t, client, sim.TokenURL(), form.Encode(), "Content-Type", "application/x-www-form-urlencoded")
		var got struct{ Error string }
		if err := json.Unmarshal([]byte(a.body), &got); err != nil {
			t.Fatal(err)
		}
		if got.Error != tc.code || (a.status == 200) != (tc.code == "") {
			t.Errorf("%s: %d %s", tc.name, a.status, a.body)
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
