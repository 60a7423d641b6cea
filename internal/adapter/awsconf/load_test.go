package awsconf

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/belfry-push/belfry/internal/adapter/awsmeter"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(int) { http.DefaultClient.CloseIdleConnections() }))
}

// withEnvironment makes the standard AWS environment empty but for what is
// given; it bars the test from running in parallel.
func withEnvironment(t *testing.T, settings map[string]string) {
	t.Helper()
	for _, name := range []string{
		"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SQS", "AWS_MAX_ATTEMPTS", "AWS_CA_BUNDLE",
	} {
		t.Setenv(name, "")
	}
	nowhere := t.TempDir() + "/none"
	t.Setenv("AWS_CONFIG_FILE", nowhere)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", nowhere)
	for name, value := range settings {
		t.Setenv(name, value)
	}
}

//nolint:paralleltest // changes the environment
func TestLoadReadsTheStandardEnvironment(t *testing.T) {
	var userAgent string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		userAgent = r.UserAgent()
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		_, _ = w.Write([]byte(`{"QueueUrl":"http://queue"}`))
		w.(http.Flusher).Flush()
	}))
	defer server.Close()
	withEnvironment(t, map[string]string{
		"AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_ENDPOINT_URL_SQS": server.URL,
		"AWS_MAX_ATTEMPTS": "7",
	})
	cfg, err := Load(t.Context(), Options{Version: "1.2.3"})
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := cfg.HTTPClient.(*Client); !ok {
		t.Errorf("the client is a %T, without limits of its own", cfg.HTTPClient)
	}
	if cfg.Region != "eu-central-1" || cfg.Retryer().MaxAttempts() != MaxAttempts {
		t.Errorf("region %q and %d attempts, want eu-central-1 and %d", cfg.Region, cfg.Retryer().MaxAttempts(), MaxAttempts)
	}
	cfg.HTTPClient = server.Client() // ends with the server
	if err := callSQS(t.Context(), cfg); err != nil {
		t.Fatalf("AWS_ENDPOINT_URL_SQS is not used: %v", err)
	}
	if !strings.Contains(userAgent, "belfry/1.2.3") {
		t.Errorf("user agent %q does not name belfry/1.2.3", userAgent)
	}
}

//nolint:paralleltest // changes the environment
func TestLoadWithoutARegionSaysSo(t *testing.T) {
	withEnvironment(t, nil)
	_, err := Load(t.Context(), Options{})
	if KindOf(err) != KindRegion || !strings.Contains(err.Error(), "AWS_REGION") {
		t.Errorf("error %v, want one that names AWS_REGION", err)
	}
	if cfg, err := Load(t.Context(), Options{Region: "us-west-2"}); err != nil || cfg.Region != "us-west-2" {
		t.Errorf("region %q, %v; want the given one", cfg.Region, err)
	}
}

//nolint:paralleltest // changes the environment
func TestLoadWithAnUnknownProfileSaysSo(t *testing.T) {
	withEnvironment(t, map[string]string{"AWS_PROFILE": "nobody", "AWS_REGION": "us-east-1"})
	_, err := Load(t.Context(), Options{})
	if KindOf(err) != KindCredentials || !strings.Contains(err.Error(), "nobody") {
		t.Errorf("kind %q, %v; want the profile named", KindOf(err), err)
	}
}

func TestClientHasAConnectionForEveryPoll(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		options Options
		want    int
	}{
		{"nothing said", Options{}, defaultCalls},
		{"pollers", Options{Pollers: 100}, 100 + defaultCalls},
		{"both", Options{Pollers: 8, Calls: 16}, 24},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			client, ok := clientOf(forCredentials(), c.options).(*Client)
			if !ok {
				t.Fatal("not our client")
			}
			tr := client.pools.of("SQS")
			if tr.MaxConnsPerHost != c.want || tr.MaxIdleConnsPerHost != c.want || tr.MaxIdleConns != 0 {
				t.Errorf("connections %d, idle %d of %d in all, want %d, all of them", tr.MaxConnsPerHost, tr.MaxIdleConnsPerHost, tr.MaxIdleConns,
					c.want)
			}
			if tr == client.pools.of("DynamoDB") || tr != client.pools.of("SQS") {
				t.Error("services share connections, or one has none of its own")
			}
		})
	}
}

func TestWhoAmI(t *testing.T) {
	t.Parallel()
	const identity = `<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>%s</Arn><Account>123456789012</Account></` +
		`GetCallerIdentityResult></GetCallerIdentityResponse>`
	for _, c := range []struct {
		name  string
		arn   string
		topic string
		fails bool
	}{
		{"a role", "arn:aws:sts::123456789012:assumed-role/belfry/i-1", "arn:aws:sns:us-east-1:123456789012:belfry-events", false},
		{"China", "arn:aws-cn:iam::123456789012:user/belfry", "arn:aws-cn:sns:us-east-1:123456789012:belfry-events", false},
		{"not AWS", "nobody", "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			meter := awsmeter.New(prometheus.NewRegistry())
			cfg := against(t, answer{200, map[string]string{"Content-Type": "text/xml"}, strings.ReplaceAll(identity, "%s", c.arn)})
			a, err := WhoAmI(t.Context(), cfg, meter)
			if (err != nil) != c.fails {
				t.Fatalf("error %v", err)
			}
			if !c.fails && (a.TopicARN("belfry-events") != c.topic || a.ID != "123456789012" || a.Caller != c.arn) {
				t.Errorf("account %+v with the topic %s, want %s", a, a.TopicARN("belfry-events"), c.topic)
			}
			if !c.fails && a.QueueARN("q") != strings.ReplaceAll(strings.ReplaceAll(c.topic, ":sns:", ":sqs:"), "belfry-events", "q") {
				t.Errorf("queue %s", a.QueueARN("q"))
			}
			if got := meter.Snapshot().Total(awsmeter.STS); got != 1 {
				t.Errorf("metered %d calls, want 1", got)
			}
		})
	}
}
