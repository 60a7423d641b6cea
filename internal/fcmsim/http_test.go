package fcmsim_test

import (
	"crypto/tls"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/belfry-push/belfry/internal/fcmsim"
)

const sendPath = "/projects/belfry-sandbox/messages:send"

func tlsTrusting(sim *fcmsim.Sim) *tls.Config {
	return &tls.Config{RootCAs: sim.CertPool(), MinVersion: tls.VersionTLS12}
}

// answer is what came back on a request, its body read.
type answer struct {
	status int
	header http.Header
	body   string
}

// post posts a body and expects an answer.
func post(t *testing.T, client *http.Client, url, body string, header ...string) answer {
	t.Helper()
	a, err := tryPost(t, client, url, body, header...)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func tryPost(t *testing.T, client *http.Client, url, body string, header ...string) (answer, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(header); i += 2 {
		if name, value := header[i], header[i+1]; name == "Host" {
			req.Host = value
		} else {
			req.Header.Set(name, value)
		}
	}
	return do(client, req)
}

func get(t *testing.T, client *http.Client, url string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	a, err := do(client, req)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func do(client *http.Client, req *http.Request) (answer, error) {
	resp, err := client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return answer{status: resp.StatusCode, header: resp.Header, body: string(body)}, err
}

func toToken(token string) string { return `{"message":{"token":"` + token + `"}}` }

// errorCodes returns error.status and the errorCode of the FcmError detail of an answer.
func errorCodes(t *testing.T, a answer) (status, code string) {
	t.Helper()
	var body struct {
		Error struct {
			Code    int    `json:"code"`
			Status  string `json:"status"`
			Details []struct {
				Type      string `json:"@type"`
				ErrorCode string `json:"errorCode"`
			} `json:"details"`
		} `json:"error"`
	}
	if err := json.Unmarshal([]byte(a.body), &body); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
	if body.Error.Code != a.status {
		t.Errorf("status %d, but code %d", a.status, body.Error.Code)
	}
	for _, d := range body.Error.Details {
		if d.Type == "type.googleapis.com/google.firebase.fcm.v1.FcmError" {
			code = d.ErrorCode
		}
	}
	return body.Error.Status, code
}
