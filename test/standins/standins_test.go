package standins

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

var servers Servers

func TestMain(m *testing.M) { os.Exit(servers.Main(m)) }

func TestStandInsAnswer(t *testing.T) {
	t.Parallel()
	if againstAccount() {
		t.Skip("an account needs no stand-ins")
	}
	for _, c := range []struct {
		name   string
		target func(testing.TB) Target
		call   func(*testing.T, Target) error
	}{
		{"SQS", servers.Messaging, func(t *testing.T, target Target) error {
			t.Helper()
			_, err := sqs.NewFromConfig(target.Config).ListQueues(t.Context(), &sqs.ListQueuesInput{})
			return err
		}},
		{"STS", servers.Messaging, func(t *testing.T, target Target) error {
			t.Helper()
			_, err := sts.NewFromConfig(target.Config).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
			return err
		}},
		{"DynamoDB", servers.Tables, func(t *testing.T, target Target) error {
			t.Helper()
			_, err := dynamodb.NewFromConfig(target.Config).ListTables(t.Context(), &dynamodb.ListTablesInput{})
			return err
		}},
		{"S3", servers.Objects, func(t *testing.T, target Target) error {
			t.Helper()
			_, err := s3.NewFromConfig(target.Config).ListBuckets(t.Context(), &s3.ListBucketsInput{})
			return err
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			target := c.target(t)
			if url := *target.Config.BaseEndpoint; !strings.HasPrefix(url, "http://127.0.0.1:") {
				t.Errorf("listens on %s, not on loopback", url)
			}
			if err := c.call(t, target); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestOneSetForAllTests(t *testing.T) {
	t.Parallel()
	if againstAccount() {
		t.Skip("an account needs no stand-ins")
	}
	first, second := servers.Start(t), servers.Start(t)
	if first != second {
		t.Errorf("started %v, then %v", first, second)
	}
	if a, b := servers.Messaging(t), servers.Messaging(t); a.Prefix == b.Prefix {
		t.Errorf("two targets share the prefix %s", a.Prefix)
	}
	env := strings.Join(first.Env(), " ")
	for _, want := range []string{"AWS_ENDPOINT_URL_SQS=" + first.SQS, "AWS_ENDPOINT_URL_DYNAMODB=" + first.DynamoDB, "AWS_REGION="} {
		if !strings.Contains(env, want) {
			t.Errorf("Env %s lacks %s", env, want)
		}
	}
}

func TestStopEndsTheProcess(t *testing.T) {
	t.Parallel()
	if againstAccount() {
		t.Skip("an account needs no stand-ins")
	}
	var own Servers
	url := *own.Messaging(t).Config.BaseEndpoint
	if err := own.Stop(); err != nil {
		t.Fatal(err)
	}
	if resp, err := http.Get(url + "/health"); err == nil {
		resp.Body.Close()
		t.Errorf("%s still answers", url)
	}
	if err := own.Stop(); err != nil {
		t.Errorf("stopping twice: %v", err)
	}
}

func TestUnknownStandInSaysSo(t *testing.T) {
	t.Parallel()
	leaveOut(t, Available())
	_, _, err := startNode(t.Context(), "goaws", 0)
	if err == nil || !strings.Contains(err.Error(), "unknown stand-in goaws") {
		t.Errorf("error %v, want what Node printed", err)
	}
}

func TestNoEndpointsNoEnvironment(t *testing.T) {
	t.Parallel()
	if env := (Endpoints{}).Env(); env != nil {
		t.Errorf("Env = %v, want nothing", env)
	}
}

// verdict is a test that notes how it was ended.
type verdict struct {
	testing.TB
	skipped, failed string
}

func (v *verdict) Helper()                           {}
func (v *verdict) Skipf(format string, args ...any)  { v.skipped = fmt.Sprintf(format, args...) }
func (v *verdict) Fatalf(format string, args ...any) { v.failed = fmt.Sprintf(format, args...) }

// Changes the environment, so it does not run in parallel.
func TestSuitesAreLeftOutUnlessRequired(t *testing.T) {
	missing := errors.New("node is missing")
	t.Setenv(envRequire, "0")
	var optional verdict
	leaveOut(&optional, missing)
	if optional.skipped != "AWS suites left out: node is missing" || optional.failed != "" {
		t.Errorf("%+v, want the test skipped", optional)
	}
	t.Setenv(envRequire, "1")
	var required verdict
	leaveOut(&required, missing)
	if required.skipped != "" || !strings.Contains(required.failed, "node is missing") {
		t.Errorf("%+v, want the test failed", required)
	}
}
