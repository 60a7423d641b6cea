package fcm

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"unicode/utf16"

	"github.com/belfry-push/belfry/internal/adapter/fcm/keyfile"
)

// keys are a service account's key in both forms, and others that are none.
type keys struct {
	pkcs8, pkcs1, elliptic, sec1, public, encrypted string
}

var testKeys = sync.OnceValue(func() keys {
	must := func(der []byte, err error) []byte {
		if err != nil {
			panic(err)
		}
		return der
	}
	text := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return keys{
		pkcs8: text("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(key))), pkcs1: text("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key)),
		elliptic: text("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(curve))),
		sec1:     text("EC PRIVATE KEY", must(x509.MarshalECPrivateKey(curve))),
		public:   text("PUBLIC KEY", must(x509.MarshalPKIXPublicKey(&key.PublicKey))), encrypted: text("ENCRYPTED PRIVATE KEY", []byte("sealed")),
	}
})

// keyFile is a key file with these fields instead of its own; an empty one is
// left out.
func keyFile(t *testing.T, change map[string]string) string {
	t.Helper()
	fields := map[string]string{
		"type": "service_account", "project_id": "belfry-test", "private_key_id": "k1", "private_key": testKeys().pkcs8,
		"client_email": "sender@belfry-test.iam.gserviceaccount.com", "token_uri": "https://oauth2.googleapis.com/token",
	}
	maps.Copy(fields, change)
	maps.DeleteFunc(fields, func(_, v string) bool { return v == "" })
	raw, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func withKey(t *testing.T, key string) string {
	t.Helper()
	return keyFile(t, map[string]string{"private_key": key})
}

// Whatever somebody gives instead of a key file is named for what it is, and
// what is damaged for how; nothing of a key is repeated.
func TestKeyFiles(t *testing.T) {
	t.Parallel()
	k := testKeys()
	whole := keyFile(t, nil)
	utf16le := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune(whole)) {
		utf16le = append(utf16le, byte(u), byte(u>>8))
	}
	lines := strings.Split(strings.TrimSpace(k.pkcs8), "\n")
	for _, c := range []struct {
		name, file string
		want       string // in the error; "" for none
		repaired   bool
	}{
		{"as Google makes it", whole, "", false},
		{"PKCS 1", withKey(t, k.pkcs1), "", false},
		{"a BOM", keyfile.BOM + whole, "", false},
		{"CRLF in the file", strings.ReplaceAll(whole, ",", ",\r\n"), "", false},
		{"CRLF in the key", withKey(t, strings.ReplaceAll(k.pkcs8, "\n", "\r\n")), "", false},
		{"literal \\n", withKey(t, strings.ReplaceAll(k.pkcs8, "\n", `\n`)), "", true},
		{"literal \\\\n", withKey(t, strings.ReplaceAll(k.pkcs8, "\n", `\\n`)), "", true},
		{"literal \\r\\n", withKey(t, strings.ReplaceAll(k.pkcs8, "\n", `\r\n`)), "", true},
		{"line breaks and literal ones", withKey(t, strings.ReplaceAll(k.pkcs8, "\n", "\\\n")), "", true},
		{"spaces", withKey(t, strings.ReplaceAll(k.pkcs8, "\n", " ")), "", true},
		{"one line", withKey(t, strings.Join(lines, "")), "", true},
		{"in quotes", withKey(t, `"`+strings.ReplaceAll(k.pkcs8, "\n", `\n`)+`"`), "", true},
		{"PKCS 1 on one line", withKey(t, strings.ReplaceAll(k.pkcs1, "\n", " ")), "", true},
		{"another token endpoint on loopback", keyFile(t, map[string]string{"token_uri": "http://127.0.0.1:1/token"}), "", false},

		{"nothing", "", "empty", false},
		{"white space", " \n", "empty", false},
		{"half of it", whole[:len(whole)/2], "breaks off", false},
		{"all but the end", whole[:len(whole)-1], "breaks off", false},
		{"damaged JSON", strings.Replace(whole, ":", "=", 1), "not JSON from byte", false},
		{"null", "null", "JSON, but no object", false},
		{"a list of keys", "[" + whole + "]", "JSON, but no object", false},
		{"twice", whole + whole, "not JSON from byte", false},
		{"UTF-16", string(utf16le), "UTF-16", false},
		{"base64", base64.StdEncoding.EncodeToString([]byte(whole)), "base64 -d", false},
		{"YAML", "type: service_account\nproject_id: x\n", "YAML", false},
		{"HTML", "<!DOCTYPE html><title>Sign in</title>", "HTML", false},
		{"binary", "\x30\x82\x01\x00", "binary", false},
		{"google-services.json", `{"project_info":{"project_id":"x"},"client":[{}],"configuration_version":"1"}`, "google-services.json", false},
		{
			"GoogleService-Info.plist", `<?xml version="1.0"?><!DOCTYPE plist><plist version="1.0"><dict></dict></plist>`,
			"GoogleService-Info.plist", false,
		},
		{"binary plist", "bplist00\xd4", "property list", false},
		{"OAuth client", `{"installed":{"client_id":"x"}}`, "OAuth client", false},
		{"OAuth client of the web", `{"web":{"client_id":"x"}}`, "OAuth client", false},
		{"a person's credentials", `{"type":"authorized_user","refresh_token":"x"}`, "authorized_user", false},
		{"workload identity", `{"type":"external_account"}`, "BELFRY_FCM_CREDENTIALS=adc", false},
		{"web configuration", `{"apiKey":"AIzaX","authDomain":"x"}`, "web app", false},
		{"web configuration as a script", `const firebaseConfig = { apiKey: "AIzaX" };`, "web app", false},
		{"firebase.json", `{"hosting":{}}`, "command line", false},
		{"an API key", "AIzaSyD-secret", "API key", false},
		{"a server key", "AAAAx:APA91bsecret", "legacy", false},
		{"APNs key", k.elliptic, ".p8", false},
		{"a bare key", k.pkcs8, "bare private key", false},
		{"a certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "certificate", false},
		{"a cut-off bare key", "-----BEGIN PRIVATE KEY-----\nAAAA", "not whole", false},
		{"some JSON", `{"a":1}`, "no service-account key file", false},
		{"another type", `{"type":"robot"}`, `"robot"`, false},
		{"fields of other types", `{"type":"service_account","private_key":7}`, "another type", false},
		{"no type", keyFile(t, map[string]string{"type": ""}), `"type": "service_account"`, false},

		{"no key", withKey(t, ""), "private_key is missing", false},
		{"no key, but spaces", withKey(t, "  "), "private_key is missing", false},
		{"a placeholder", withKey(t, "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----\n"), "damaged", false},
		{"a key cut off", withKey(t, strings.Join(append(lines[:10:10], lines[len(lines)-1]), "\n")), "cut off or damaged", false},
		{"a key without its end", withKey(t, strings.Join(lines[:20], "\n")), "no PEM", false},
		{"a damaged line", withKey(t, strings.Replace(k.pkcs8, lines[5], lines[5][:10]+"*"+lines[5][11:], 1)), "damaged", false},
		{"an elliptic key", withKey(t, k.elliptic), "elliptic", false},
		{"an elliptic key of another form", withKey(t, k.sec1), "elliptic", false},
		{"a public key", withKey(t, k.public), "public key", false},
		{"an encrypted key", withKey(t, k.encrypted), "encrypted", false},
		{
			"an encrypted key of the old form",
			withKey(t, strings.Replace(k.pkcs1, "KEY-----\n", "KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n", 1)), "encrypted",
			false,
		},
		{"no address", keyFile(t, map[string]string{"client_email": ""}), "client_email", false},
		{"a token endpoint without TLS", keyFile(t, map[string]string{"token_uri": "http://oauth2.example/token"}), "token_uri", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a, repaired, err := keyfile.Read([]byte(c.file))
			if c.want == "" {
				if err != nil || repaired != c.repaired || !strings.HasPrefix(a.PrivateKey, "-----BEGIN ") || a.Project != "belfry-test" {
					t.Fatalf("got %+v, repaired %v, %v", a.Email, repaired, err)
				}
				if _, again, err := keyfile.ReadKey(a.PrivateKey); err != nil || again {
					t.Errorf("what was read is no key: %v", err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want an error about %q", err, c.want)
			}
			for _, secret := range append(lines[1:3:3], "D-secret", "APA91bsecret", "AIzaX", "refresh_token") {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("the error repeats what is in the file: %v", err)
				}
			}
		})
	}
}

// A key file that had to be mended starts, and says so; one that is none does
// not start.
func TestCredentialsOfDamagedFiles(t *testing.T) {
	t.Parallel()
	write := func(text string) string {
		name := filepath.Join(t.TempDir(), "key.json")
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	mended := write(withKey(t, strings.ReplaceAll(testKeys().pkcs8, "\n", `\n`)))
	c, err := Credentials(t.Context(), mended)
	if err != nil || len(c.Warnings) != 1 || !strings.Contains(c.Warnings[0], mended) {
		t.Errorf("got %+v, %v", c, err)
	}
	for _, name := range []string{t.TempDir(), write(strings.Repeat("x", keyfile.MaxBytes+1)), write(""), filepath.Join(t.TempDir(), "none")} {
		if _, err := Credentials(t.Context(), name); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzReadAccount(f *testing.F) {
	f.Add([]byte(`{"type":"service_account","private_key":"-----BEGIN PRIVATE KEY-----\\n-----END PRIVATE KEY-----"}`))
	f.Add([]byte("-----BEGIN"))
	f.Add([]byte("0"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if a, _, err := keyfile.Read(data); err == nil {
			if _, _, err := keyfile.ReadKey(a.PrivateKey); err != nil {
				t.Errorf("what was read is no key: %v", err)
			}
		}
	})
}
