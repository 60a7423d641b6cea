package doctor

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/belfry-push/belfry/test/standins"
)

var servers standins.Servers

func TestMain(m *testing.M) { os.Exit(servers.Main(m)) }

// find returns the result of that name, and fails if there is none.
func find(t *testing.T, results []Result, name string) Result {
	t.Helper()
	for _, r := range results {
		if r.Name == name {
			return r
		}
	}
	t.Fatalf("no result %q in %+v", name, results)
	return Result{}
}

// expect fails unless the result of that name has the status and says all texts.
func expect(t *testing.T, results []Result, name string, status Status, texts ...string) {
	t.Helper()
	r := find(t, results, name)
	if r.Status != status {
		t.Errorf("%s is %s, want %s: %s", name, r.Status, status, r.Detail)
	}
	if (status == StatusFailed || status == StatusWarning) && r.Remedy == "" {
		t.Errorf("%s: nothing says what to do", name)
	}
	for _, text := range texts {
		if !strings.Contains(r.Detail+"\n"+r.Remedy, text) {
			t.Errorf("%s does not say %q: %+v", name, text, r)
		}
	}
}

// fakeAWS answers calls by operation; everything else gets AWS's refusal of a
// malformed call. Its names are AWS's own, so that nothing takes it for a
// stand-in.
type fakeAWS struct {
	answers map[string]answer
	ahead   time.Duration // of its clock
}

type answer struct {
	status int
	body   string
}

func (f fakeAWS) load(context.Context) (aws.Config, error) {
	return aws.Config{
		Region: "us-east-1", HTTPClient: f, RetryMaxAttempts: 1,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "id", SecretAccessKey: "secret"}, nil
		}),
	}, nil
}

// Do implements the SDK's HTTP client.
func (f fakeAWS) Do(r *http.Request) (*http.Response, error) {
	op := r.Header.Get("X-Amz-Target")
	op = op[strings.LastIndexByte(op, '.')+1:]
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
	}
	if op == "" {
		op = r.Method // S3
	}
	if _, form, found := strings.Cut(string(body), "Action="); found {
		op, _, _ = strings.Cut(form, "&")
	}
	a, found := f.answers[op]
	if !found {
		a = answer{400, `{"__type":"ValidationException","message":"malformed"}`}
	}
	header := http.Header{"Content-Type": {"application/x-amz-json-1.0"}, "Date": {time.Now().Add(f.ahead).UTC().Format(http.TimeFormat)}}
	if strings.HasPrefix(a.body, "<") {
		header.Set("Content-Type", "text/xml")
	}
	return &http.Response{StatusCode: a.status, Header: header, Body: io.NopCloser(bytes.NewReader([]byte(a.body))), Request: r}, nil
}

const identity = `<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::123456789012:user/ann</Arn>` +
	`<Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`

func denied() answer {
	return answer{403, `{"__type":"AccessDeniedException","message":"no"}`}
}
