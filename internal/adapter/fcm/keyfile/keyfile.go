package keyfile

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/belfry-push/belfry/internal/push"
)

// Account is what is needed of a service-account key file
// (https://cloud.google.com/iam/docs/keys-create-delete).
type Account struct {
	Type       string `json:"type"`
	Project    string `json:"project_id"`
	Email      string `json:"client_email"`
	KeyID      string `json:"private_key_id"`
	PrivateKey string `json:"private_key"`
	TokenURL   string `json:"token_uri"`
}

// BOM is what editors on Windows put before a text.
const BOM = "\xef\xbb\xbf"

// MaxBytes is far above any key file, which has some 2,400 bytes.
const MaxBytes = 64 << 10

// where says how to get the right file.
const where = "make a key of the service account (Firebase console, Project settings, Service accounts, Generate new private key) and " +
	"give that file"

// Read reads a service-account key file. For another file the error says what it is and what to do.
// Read also accepts a key whose line breaks were damaged by an environment variable or a template
// (literal \n, spaces, or none), because its base64 is the same without them; repaired reports
// that. Errors repeat nothing of the key.
func Read(data []byte) (a Account, repaired bool, err error) {
	data = bytes.TrimPrefix(data, []byte(BOM))
	text := strings.TrimSpace(string(data))
	switch {
	case text == "":
		return a, false, errors.New("the file is empty: " + where)
	case !strings.HasPrefix(text, "{"):
		return a, false, errors.New(notJSON(data, text))
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &fields); err != nil {
		return a, false, brokenJSON(err, len(text))
	}
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		return a, false, fmt.Errorf("a field is of another type than in a service-account key file: %s", where)
	}
	if what := otherJSON(a.Type, fields); what != "" {
		return a, false, errors.New(what)
	}
	if a.PrivateKey, repaired, err = ReadKey(a.PrivateKey); err != nil {
		return a, false, err
	}
	if !strings.Contains(a.Email, "@") {
		return a, false, errors.New("client_email is missing or no address: the file is not whole: " + where)
	}
	if a.TokenURL != "" && !strings.HasPrefix(a.TokenURL, "https://") && !onLoopback(a.TokenURL) {
		return a, false, fmt.Errorf("token_uri must be https, or on the loopback interface (got %q): access tokens would travel readable",
			push.Clip(a.TokenURL))
	}
	return a, repaired, nil
}

func brokenJSON(err error, length int) error {
	at, ok := errors.AsType[*json.SyntaxError](err)
	switch {
	case !ok:
		return errors.New("the file is not JSON: " + where)
	case at.Offset >= int64(length):
		return fmt.Errorf("the file breaks off after %d bytes, in the middle of its JSON: copy it again, whole", length)
	}
	return fmt.Errorf("the file is not JSON from byte %d on: copy it again, unchanged", at.Offset)
}

// notJSON names a file that does not even begin as JSON.
func notJSON(data []byte, text string) string {
	switch {
	case bytes.HasPrefix(data, []byte{0xff, 0xfe}), bytes.HasPrefix(data, []byte{0xfe, 0xff}):
		return "the file is UTF-16 text, as PowerShell's > writes: save it as UTF-8"
	case strings.Contains(text, "<plist"), strings.HasPrefix(text, "bplist"):
		return "the file is a property list, such as GoogleService-Info.plist, which is for the iOS app and holds no key to send with: " + where
	case strings.HasPrefix(text, "-----BEGIN"):
		return bareKey(text)
	case strings.Contains(text, "firebaseConfig"), strings.Contains(text, "initializeApp"):
		return "the file is the configuration of a web app, which holds no key to send with: " + where
	case strings.HasPrefix(text, "AIza"):
		return "the file holds an API key of Google, with which nothing can be sent: " + where
	case strings.HasPrefix(text, "AAAA") && strings.Contains(text, ":"):
		return "the file holds a server key of FCM's legacy API, which ended in 2024: " + where
	case strings.HasPrefix(text, "<"):
		return "the file is a page of HTML or XML: " + where
	case !utf8.Valid(data), data[0] == 0x30:
		return "the file is binary, perhaps a .p12 or .der: " + where
	case isBase64(text):
		return "the file is base64: decode it (base64 -d) into the file that is given here"
	case json.Valid([]byte(text)):
		return "the file is JSON, but no object: " + where
	case strings.Contains(text, "project_id:"), strings.Contains(text, "type:"):
		return "the file is YAML, not JSON: " + where
	}
	return "the file is not JSON: " + where
}

// bareKey names a PEM file.
func bareKey(text string) string {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return "the file is a bare key, and not whole: " + where
	}
	if block.Type == "CERTIFICATE" {
		return "the file is a certificate: " + where
	}
	if key, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
		if _, elliptic := key.(*ecdsa.PrivateKey); elliptic {
			return "the file is a bare elliptic-curve key, such as an APNs authentication key (.p8): upload that in the Firebase console (Cloud " +
				"Messaging), and here " + where
		}
	}
	return "the file is a bare private key, without the account that it belongs to: " + where
}

func isBase64(text string) bool {
	const least = 100
	raw, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
	return err == nil && len(text) > least && bytes.HasPrefix(bytes.TrimSpace(raw), []byte("{"))
}

// otherJSON names a JSON file that is something else; "" if it is not.
func otherJSON(kind string, fields map[string]json.RawMessage) string {
	has := func(name string) bool { return fields[name] != nil }
	switch {
	case kind == "service_account":
		return ""
	case kind == "authorized_user":
		return "the file holds a person's own credentials (authorized_user, of gcloud auth application-default login): " + where +
			"; for a try, set GOOGLE_APPLICATION_CREDENTIALS to it and BELFRY_FCM_CREDENTIALS=adc"
	case kind == "external_account", kind == "external_account_authorized_user",
		kind == "impersonated_service_account", kind == "gdch_service_account":
		return fmt.Sprintf("the file is of the type %s: set GOOGLE_APPLICATION_CREDENTIALS to it and BELFRY_FCM_CREDENTIALS=adc", kind)
	case has("project_info") && has("client"):
		return "the file is google-services.json, which is for the Android app and holds no key to send with: " + where
	case has("installed"), has("web"):
		return "the file is an OAuth client (client_secret_….json), with which people sign in: " + where
	case has("apiKey"), has("authDomain"), has("messagingSenderId"):
		return "the file is the configuration of a web app, which holds no key to send with: " + where
	case has("hosting"), has("functions"), has("firestore"), has("projects"):
		return "the file is a configuration of the Firebase command line (firebase.json, .firebaserc): " + where
	case kind == "" && has("private_key") && has("client_email"):
		return `the file has no "type": "service_account": it is not as Google made it: ` + where
	case kind != "":
		return fmt.Sprintf("the file is of the type %q, not service_account: %s", push.Clip(kind), where)
	}
	return "the file is JSON, but no service-account key file: " + where
}

// ReadKey parses the private key and returns it as PEM.
func ReadKey(key string) (out string, repaired bool, err error) {
	const again = ": copy the key file again, unchanged, or make a new key"
	if strings.TrimSpace(key) == "" {
		return "", false, errors.New("private_key is missing or empty" + again)
	}
	block, _ := pem.Decode([]byte(key))
	if block == nil {
		if block = repairPEM(key); block == nil {
			return "", false, errors.New("private_key is no PEM, or its base64 is damaged" + again)
		}
		repaired = true
	}
	switch {
	case block.Type == "ENCRYPTED PRIVATE KEY", strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED"):
		return "", false, errors.New("private_key is encrypted with a password: decrypt it (openssl pkey), or make a new key")
	case block.Type == "PUBLIC KEY", block.Type == "RSA PUBLIC KEY", block.Type == "CERTIFICATE":
		return "", false, fmt.Errorf("private_key holds a %s%s", strings.ToLower(block.Type), again)
	}
	var parsed any
	if parsed, err = x509.ParsePKCS8PrivateKey(block.Bytes); err != nil {
		if parsed, err = x509.ParsePKCS1PrivateKey(block.Bytes); err != nil {
			if _, elliptic := x509.ParseECPrivateKey(block.Bytes); elliptic == nil {
				return "", false, errors.New("private_key is an elliptic-curve key; those of service accounts are RSA" + again)
			}
			return "", false, errors.New("private_key is cut off or damaged: it is no key" + again)
		}
	}
	switch k := parsed.(type) {
	case *rsa.PrivateKey:
		if err := k.Validate(); err != nil {
			return "", false, errors.New("private_key is damaged: its numbers do not fit together" + again)
		}
	case *ecdsa.PrivateKey, ed25519.PrivateKey:
		return "", false, errors.New("private_key is an elliptic-curve key; those of service accounts are RSA" + again)
	default:
		return "", false, errors.New("private_key is no RSA key" + again)
	}
	return string(pem.EncodeToMemory(block)), repaired, nil
}

// repairPEM reads a PEM block whose line breaks were lost or turned into texts.
func repairPEM(key string) *pem.Block {
	key = strings.NewReplacer(`\\n`, "\n", `\n`, "\n", `\\r`, "", `\r`, "", `\`, "").Replace(strings.Trim(strings.TrimSpace(key), `"'`))
	for _, kind := range []string{"PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "ENCRYPTED PRIVATE KEY"} {
		_, rest, begins := strings.Cut(key, "-----BEGIN "+kind+"-----")
		body, _, ends := strings.Cut(rest, "-----END "+kind+"-----")
		if !begins || !ends {
			continue
		}
		der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(body), ""))
		if err != nil || len(der) == 0 {
			return nil
		}
		return &pem.Block{Type: kind, Bytes: der}
	}
	return nil
}

// onLoopback reports whether a URL leads to this machine.
func onLoopback(s string) bool {
	u, err := url.Parse(s)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}
