package fcm

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// serviceAccount writes a key file whose token endpoint is url.
func serviceAccount(t *testing.T, url string, change func(map[string]string)) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	account := map[string]string{
		"type": "service_account", "project_id": "belfry-test", "private_key_id": "k1",
		"private_key":  string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
		"client_email": "sender@belfry-test.iam.gserviceaccount.com", "token_uri": url,
	}
	if change != nil {
		change(account)
	}
	raw, err := json.Marshal(account)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "account.json")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	var fetches atomic.Int32
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		parts := strings.Split(r.PostFormValue("assertion"), ".")
		if len(parts) != 3 {
			t.Errorf("assertion has %d parts", len(parts))
			return
		}
		claims, err := base64.RawURLEncoding.DecodeString(parts[1])
		if err != nil || !strings.Contains(string(claims), `"`+Scope+`"`) {
			t.Errorf("claims %s, %v", claims, err)
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"access_token":"token-%d","token_type":"Bearer","expires_in":3599}`, fetches.Add(1))
	}))
	t.Cleanup(srv.Close)

	c, err := Credentials(t.Context(), serviceAccount(t, srv.URL, nil))
	if err != nil || c.Project != "belfry-test" || c.Warnings != nil {
		t.Fatalf("got %+v, %v", c, err)
	}
	for _, want := range []string{"token-1", "token-2"} { // each call fetches
		token, err := c.Tokens.Token()
		if err != nil || token.AccessToken != want || token.Expiry.IsZero() {
			t.Errorf("got %+v, %v; want %s", token, err, want)
		}
	}
}

func TestCredentialsRefused(t *testing.T) {
	t.Parallel()
	garbage := filepath.Join(t.TempDir(), "garbage.json")
	if err := os.WriteFile(garbage, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ name, file, want string }{
		{"no such file", filepath.Join(t.TempDir(), "none.json"), "no such file"},
		{"not JSON", garbage, "FCM service account"},
		{
			"of another type", serviceAccount(t, "http://127.0.0.1:1", func(a map[string]string) { a["type"] = "authorized_user" }),
			"authorized_user",
		},
		{"without a key", serviceAccount(t, "http://127.0.0.1:1", func(a map[string]string) { delete(a, "private_key") }), "private_key"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if _, err := Credentials(t.Context(), tc.file); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want an error about %q", err, tc.want)
			}
		})
	}
}

// TestDefaultCredentials finds a key file through the environment, as Google's
// libraries do.
func TestDefaultCredentials(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"access_token":"adc","token_type":"Bearer","expires_in":3599}`))
	}))
	t.Cleanup(srv.Close)
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", serviceAccount(t, srv.URL, nil))
	c, err := Credentials(t.Context(), "")
	if err != nil || c.Project != "belfry-test" {
		t.Fatalf("got %+v, %v", c, err)
	}
	if token, err := c.Tokens.Token(); err != nil || token.AccessToken != "adc" {
		t.Errorf("got %+v, %v", token, err)
	}
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", filepath.Join(t.TempDir(), "none.json"))
	if _, err := Credentials(t.Context(), ""); err == nil {
		t.Error("found credentials in a file that does not exist")
	}
}
