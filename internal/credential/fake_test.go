package credential_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/belfry-push/belfry/internal/credential"
	"github.com/belfry-push/belfry/internal/document/documenttest"
	"github.com/belfry-push/belfry/internal/push"
)

// google says what a test wants of a credential.
type google struct {
	refusal string
	err     error
	asked   int
}

// Check implements [credential.Checker].
func (g *google) Check(context.Context, []byte, string) (string, error) {
	g.asked++
	return g.refusal, g.err
}

// rig is the room with everything around it.
type rig struct {
	*credential.Room
	cfg     credential.Config
	docs    *documenttest.Memory
	google  *google
	refused []credential.Credential
	logs    *observer.ObservedLogs
}

func setup(t *testing.T, tune func(c *credential.Config)) *rig {
	t.Helper()
	core, logs := observer.New(zap.DebugLevel)
	r := &rig{docs: &documenttest.Memory{}, google: &google{}, logs: logs}
	r.cfg = credential.Config{
		Documents: r.docs, Ring: ringOf(t, sealKey(1)), Read: read, Checker: r.google, Log: zap.New(core), Now: time.Now,
		Refused: func(_ context.Context, c credential.Credential) { r.refused = append(r.refused, c) },
	}
	if tune != nil {
		tune(&r.cfg)
	}
	r.Room = credential.New(r.cfg)
	return r
}

func ringOf(t *testing.T, setting string) *credential.Ring {
	t.Helper()
	ring, err := credential.NewRing(setting, nil)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

// sealKey is a key for tests.
func sealKey(n byte) string {
	raw := make([]byte, 32)
	for i := range raw {
		raw[i] = n + byte(i)
	}
	return base64.StdEncoding.EncodeToString(raw)
}

// read takes files as the adapter does, as far as the room sees it.
func read(data []byte) (credential.Account, error) {
	var f struct {
		Project string `json:"project_id"`
		Email   string `json:"client_email"`
		KeyID   string `json:"private_key_id"`
		Key     string `json:"private_key"`
		URL     string `json:"token_uri"`
	}
	if json.Unmarshal(data, &f) != nil || f.Key == "" {
		return credential.Account{}, errors.New("the file is no service-account key file")
	}
	return credential.Account{Project: f.Project, Email: f.Email, KeyID: f.KeyID, PrivateKey: f.Key, TokenURL: f.URL}, nil
}

// privateKeys are made once: an RSA key takes its time.
var privateKeys = sync.OnceValue(func() (pems [2]string) {
	for i := range pems {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			panic(err)
		}
		pems[i] = string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	}
	return pems
})

// keyFile is the file of a project, with one of two keys.
func keyFile(t *testing.T, project string, key int, change ...func(map[string]string)) []byte {
	t.Helper()
	f := map[string]string{
		"type": "service_account", "project_id": project, "private_key_id": "key-" + project, "private_key": privateKeys()[key],
		"client_email": "sender@" + project + ".iam.gserviceaccount.com", "token_uri": "https://oauth2.googleapis.com/token",
		"canary": "canary-of-a-field-that-nobody-needs",
	}
	for _, c := range change {
		c(f)
	}
	data, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// canaries are parts of the private keys, as texts that hold one would have them.
func canaries() (out []string) {
	for _, p := range privateKeys() {
		block, _ := pem.Decode([]byte(p))
		lines := strings.Split(p, "\n")
		out = append(out, lines[2], lines[5], string(block.Bytes[200:220]), base64.StdEncoding.EncodeToString(block.Bytes[300:330]))
	}
	return append(out, "canary-of-a-field")
}

// clean fails if a text has something of a private key.
func clean(t *testing.T, where, text string) {
	t.Helper()
	for _, c := range canaries() {
		if strings.Contains(text, c) {
			t.Errorf("%s has something of a private key", where)
		}
	}
}

var shop = credential.Ref{Tenant: "acme", App: "shop"}

func (r *rig) put(t *testing.T, project string, key int) credential.Credential {
	t.Helper()
	c, err := r.Put(t.Context(), credential.Upload{Ref: shop, File: keyFile(t, project, key), By: "key:1"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var errAway = push.WithOutage(push.OutageDown, errors.New("it is away"))
