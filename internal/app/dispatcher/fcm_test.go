package dispatcher

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/belfry-push/belfry/internal/config"
)

// A key of another project than the one that is sent to is a common mistake, and
// may be meant: it is warned of, with both names.
func TestKeyOfAnotherProjectIsWarnedOf(t *testing.T) {
	t.Parallel()
	file := keyOf(t, "shop-prod")
	for _, c := range []struct {
		name, project, want string // want: of the warning; "" is none
	}{
		{"the key's own", "", ""},
		{"the same", "shop-prod", ""},
		{"another", "shop-test", "the FCM key is of the project shop-prod, and sends go to shop-test"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var warned []string
			cfg, err := FCMConfig(t.Context(), config.FCM{Project: c.project, Credentials: file}, func(w string) { warned = append(warned, w) })
			if err != nil || cfg.Project == "" {
				t.Fatalf("%+v, %v", cfg, err)
			}
			if got := strings.Join(warned, "\n"); (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
				t.Errorf("warned %q, want %q", got, c.want)
			}
		})
	}
}

// keyOf writes the key file of a project.
func keyOf(t *testing.T, project string) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	data, err := json.Marshal(map[string]string{
		"type": "service_account", "project_id": project, "private_key": string(text),
		"client_email": "a@" + project + ".iam.gserviceaccount.com",
	})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "key.json")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
