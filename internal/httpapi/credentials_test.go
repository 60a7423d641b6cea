package httpapi

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/credential"
	"github.com/belfry-push/belfry/internal/document/documenttest"
	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/httpapi/door/doortest"
)

// fakeGoogle says what a test wants of a credential.
type fakeGoogle struct {
	refusal string
	err     error
}

// Check implements [credential.Checker].
func (g *fakeGoogle) Check(context.Context, []byte, string) (string, error) { return g.refusal, g.err }

func credentialRoom(tb testing.TB, g *fakeGoogle) *credential.Room {
	tb.Helper()
	ring, err := credential.NewRing("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", nil)
	if err != nil {
		tb.Fatal(err)
	}
	read := func(data []byte) (credential.Account, error) {
		var f client.ServiceAccount
		if json.Unmarshal(data, &f) != nil || f.PrivateKey == "" {
			return credential.Account{}, errors.New("the file is no service-account key file")
		}
		return credential.Account{Project: f.ProjectID, Email: f.ClientEmail, KeyID: f.PrivateKeyID, PrivateKey: f.PrivateKey}, nil
	}
	return credential.New(credential.Config{
		Documents: &documenttest.Memory{}, Ring: ring, Read: read, Checker: g, Log: zap.NewNop(), Now: testNow,
	})
}

var aKey = sync.OnceValue(func() string {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
})

func aFile(tb testing.TB, project string) string {
	tb.Helper()
	data, err := json.Marshal(client.ServiceAccount{
		Type: "service_account", ProjectID: project, PrivateKeyID: "abc", PrivateKey: aKey(), ClientEmail: "a@" + project,
	})
	if err != nil {
		tb.Fatal(err)
	}
	return string(data)
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	g := setup(t)
	const at, json = "/v1/apps/shop/credential", door.TypeJSON
	g.Do(t, "GET", at, "").Want(t, http.StatusNotFound, door.CodeNotFound)
	g.Do(t, "PUT", at, aFile(t, "shop-prod"), "Content-Type", json).Want(t, http.StatusNotFound, door.CodeNotFound)
	g.Do(t, "POST", "/v1/apps", `{"name":"shop"}`, "Content-Type", json).Want(t, http.StatusCreated, "")
	put := g.Do(t, "PUT", at, aFile(t, "shop-prod"), "Content-Type", json).Want(t, http.StatusOK, "")
	var c client.Credential
	doortest.Decode(t, put.Body.Bytes(), &c)
	if c.Tenant != access.DefaultName || c.App != "shop" || c.Project != "shop-prod" || c.State != client.CredentialValid ||
		c.By != access.Anonymous {
		t.Errorf("%+v", c)
	}
	got := g.Do(t, "GET", at, "").Want(t, http.StatusOK, "")
	list := g.Do(t, "GET", "/v1/credentials", "").Want(t, http.StatusOK, "")
	g.Do(t, "PUT", at, aFile(t, "shop-test"), "Content-Type", json).Want(t, http.StatusConflict, door.CodeState)
	g.Do(t, "PUT", at+"?change_project=true", aFile(t, "shop-test"), "Content-Type", json).Want(t, http.StatusOK, "")
	g.google.refusal = "FCM said 403: because"
	refused := g.Do(t, "PUT", at, aFile(t, "shop-test"), "Content-Type", json).Want(t, http.StatusUnprocessableEntity, door.CodeInvalid)
	if !strings.Contains(refused.Body.String(), "FCM said 403: because") {
		t.Errorf("%s", refused.Body)
	}
	g.google.refusal, g.google.err = "", errors.New("no answer in time")
	unchecked := g.Do(t, "PUT", at, aFile(t, "shop-test"), "Content-Type", json).Want(t, http.StatusOK, "")
	if !strings.Contains(unchecked.Body.String(), "unchecked") || !strings.Contains(unchecked.Body.String(), "warnings") {
		t.Errorf("%s", unchecked.Body)
	}
	bad := g.Do(t, "PUT", at, `{"private_key":"`+strings.Split(aKey(), "\n")[3]+`"}`, "Content-Type", json).
		Want(t, http.StatusUnprocessableEntity, door.CodeInvalid)
	for _, body := range []string{put.Body.String(), got.Body.String(), list.Body.String(), refused.Body.String(), bad.Body.String()} {
		for _, line := range strings.Split(aKey(), "\n")[1:4] {
			if strings.Contains(body, line) {
				t.Errorf("%s has a part of the key", body)
			}
		}
	}
	for _, e := range g.logs.All() {
		for _, line := range strings.Split(aKey(), "\n")[1:4] {
			if strings.Contains(fmt.Sprint(e.Message, e.ContextMap()), line) {
				t.Error("the log has a part of the key")
			}
		}
	}
	g.Do(t, "DELETE", at, "").Want(t, http.StatusNoContent, "")
	g.Do(t, "DELETE", at, "").Want(t, http.StatusNotFound, door.CodeNotFound)
}

// TestCredentialsOfOthers: other tenants' credentials are not there, but for the operator.
func TestCredentialsOfOthers(t *testing.T) {
	t.Parallel()
	g := setup(t, func(c *Config) {
		c.Auth = access.NewKeys(map[string]string{"root": access.DefaultName, "a": "acme", "b": "beta"})
	})
	if _, err := g.cfg.Directory.CreateTenant(t.Context(), access.Tenant{Name: "acme"}, "test"); err != nil {
		t.Fatal(err)
	}
	if _, err := g.cfg.Directory.CreateApp(t.Context(), access.App{Tenant: "acme", Name: "shop"}, "test"); err != nil {
		t.Fatal(err)
	}
	do := func(key, method, path string) int {
		body, more := "", []string{"Authorization", "Bearer " + key}
		if method == "PUT" {
			body, more = aFile(t, "acme-prod"), append(more, "Content-Type", door.TypeJSON)
		}
		return g.Do(t, method, path, body, more...).Code
	}
	const own, acmes = "/v1/apps/shop/credential", "/v1/tenants/acme/apps/shop/credential"
	for i, c := range []struct {
		key, method, path string
		want              int
	}{
		{"a", "PUT", own, 200},
		{"a", "GET", acmes, 200},
		{"b", "GET", own, 404},
		{"b", "GET", acmes, 404},
		{"b", "PUT", acmes, 404},
		{"b", "DELETE", acmes, 404},
		{"b", "GET", "/v1/credentials?all=true", 403},
		{"root", "GET", "/v1/credentials?all=true", 200},
		{"root", "GET", own, 404},
		{"root", "PUT", acmes, 200},
		{"root", "PUT", "/v1/tenants/none/apps/shop/credential", 404},
		{"root", "GET", "/v1/tenants/A..B/apps/shop/credential", 404},
		{"a", "GET", "/v1/apps/%2e%2e%2fbeta/credential", 404},
		{"root", "DELETE", acmes, 204},
		{"a", "GET", own, 404},
	} {
		if got := do(c.key, c.method, c.path); got != c.want {
			t.Errorf("%d: %s %s %s: %d, want %d", i, c.key, c.method, c.path, got, c.want)
		}
	}
}
