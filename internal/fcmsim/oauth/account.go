package oauth

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

const (
	// messagingScope is the scope of the send endpoint; cloudScope includes it.
	messagingScope = "https://www.googleapis.com/auth/firebase.messaging"
	cloudScope     = "https://www.googleapis.com/auth/cloud-platform"
	// maxAssertionLife and clockSkew are what Google allows an assertion
	// (https://developers.google.com/identity/protocols/oauth2/service-account).
	maxAssertionLife = time.Hour
	clockSkew        = 5 * time.Minute
)

// account is the service account that may send. It is safe for concurrent use.
type account struct {
	project string
	key     func() *rsa.PrivateKey // made at first use: many tests never ask

	mu       sync.Mutex
	disabled map[string]bool // projects whose account is refused
}

// emailOf is the address of a project's service account.
func emailOf(project string) string { return emailPrefix + project + emailSuffix }

const emailPrefix, emailSuffix = "firebase-adminsdk-sim@", ".iam.gserviceaccount.com"

// serviceAccount is a service-account file as Google hands it out.
type serviceAccount struct {
	Type         string `json:"type"`
	ProjectID    string `json:"project_id"`
	PrivateKeyID string `json:"private_key_id"`
	PrivateKey   string `json:"private_key"` // PEM of PKCS #8
	ClientEmail  string `json:"client_email"`
	ClientID     string `json:"client_id"`
	AuthURI      string `json:"auth_uri"`
	TokenURI     string `json:"token_uri"`
}

// newAccount builds the account, with the key of an earlier file if there is one.
func newAccount(project string, earlier []byte) (*account, error) {
	a := &account{project: project, disabled: map[string]bool{}}
	if len(earlier) == 0 {
		a.key = sync.OnceValue(newKey)
		return a, nil
	}
	var file serviceAccount
	if err := json.Unmarshal(earlier, &file); err != nil {
		return nil, fmt.Errorf("service account: %w", err)
	}
	block, _ := pem.Decode([]byte(file.PrivateKey))
	if block == nil {
		return nil, errors.New("service account: private_key is not PEM")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("service account: private_key: %w", err)
	}
	key, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		return nil, errors.New("service account: private_key is not an RSA key")
	}
	a.key = func() *rsa.PrivateKey { return key }
	return a, nil
}

func newKey() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil { // crypto/rand does not fail since Go 1.24
		panic(fmt.Errorf("generate the service account's key: %w", err))
	}
	return key
}

// file returns the service-account file of a project.
func (a *account) file(project, tokenURI string) []byte {
	der, err := x509.MarshalPKCS8PrivateKey(a.key())
	if err != nil { // an RSA key always encodes
		panic(fmt.Errorf("encode the service account's key: %w", err))
	}
	id := sha256.Sum256(x509.MarshalPKCS1PublicKey(&a.key().PublicKey))
	out, err := json.MarshalIndent(serviceAccount{
		Type: "service_account", ProjectID: project, ClientEmail: emailOf(project), ClientID: "100000000000000000000",
		PrivateKeyID: hex.EncodeToString(id[:20]),
		PrivateKey:   string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
		AuthURI:      strings.TrimSuffix(tokenURI, "/token") + "/auth",
		TokenURI:     tokenURI,
	}, "", "  ")
	if err != nil { // a struct of strings always encodes
		panic(fmt.Errorf("encode the service account: %w", err))
	}
	return append(out, '\n')
}

// claims is the payload of an assertion (RFC 7523 §3 and Google's scope).
type claims struct {
	Issuer   string `json:"iss"`
	Audience string `json:"aud"`
	Scope    string `json:"scope"`
	Issued   int64  `json:"iat"` // Unix seconds
	Expires  int64  `json:"exp"` // Unix seconds
}

// verify checks an assertion: RS256 signature (RFC 7515), issuer, audience, time and scope. It
// returns the issuer's project. All accounts have the same key.
func (a *account) verify(assertion, audience string, now time.Time) (project string, err error) {
	payload, err := a.open(assertion)
	if err != nil {
		return "", &grantError{Code: "invalid_grant", Description: "Invalid JWT: " + err.Error()}
	}
	var c claims
	if err := json.Unmarshal(payload, &c); err != nil {
		return "", &grantError{Code: "invalid_grant", Description: "Invalid JWT: claims: " + err.Error()}
	}
	issued, expires := time.Unix(c.Issued, 0), time.Unix(c.Expires, 0)
	project, ok := strings.CutSuffix(strings.TrimPrefix(c.Issuer, emailPrefix), emailSuffix)
	switch {
	case !ok || c.Issuer != emailOf(project) || a.isDisabled(project):
		return "", &grantError{Code: "invalid_grant", Description: "Invalid grant: account not found"}
	case c.Audience != audience:
		return "", &grantError{Code: "invalid_grant", Description: "Invalid JWT: aud must be " + audience}
	case issued.After(now.Add(clockSkew)), !expires.After(now), expires.Sub(issued) > maxAssertionLife:
		return "", &grantError{
			Code: "invalid_grant",
			Description: "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. " +
				"Check your iat and exp values in the JWT claim.",
		}
	}
	for scope := range strings.FieldsSeq(c.Scope) {
		if scope == messagingScope || scope == cloudScope {
			return project, nil
		}
	}
	return "", &grantError{Code: "invalid_scope", Description: "Scope " + messagingScope + " is required."}
}

func (a *account) isDisabled(project string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.disabled[project]
}

// open returns the payload of a JWT in compact form whose signature is good.
func (a *account) open(assertion string) ([]byte, error) {
	parts := strings.Split(assertion, ".")
	if len(parts) != 3 {
		return nil, errors.New("must have three parts")
	}
	var decoded [3][]byte
	for i, p := range parts {
		var err error
		if decoded[i], err = base64.RawURLEncoding.DecodeString(p); err != nil {
			return nil, fmt.Errorf("part %d: %w", i+1, err)
		}
	}
	var header struct {
		Algorithm string `json:"alg"`
	}
	if err := json.Unmarshal(decoded[0], &header); err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	if header.Algorithm != "RS256" {
		return nil, errors.New("alg must be RS256")
	}
	digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if err := rsa.VerifyPKCS1v15(&a.key().PublicKey, crypto.SHA256, digest[:], decoded[2]); err != nil {
		return nil, fmt.Errorf("signature: %w", err)
	}
	return decoded[1], nil
}
