package provision

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/belfry-push/belfry/internal/adapter/awsconf"
	"github.com/belfry-push/belfry/test/standins"
)

var servers standins.Servers

func TestMain(m *testing.M) { os.Exit(servers.Main(m)) }

// ground is where a test provisions: the stand-ins, with names of its own.
type ground struct {
	clients Clients
	account awsconf.Account
	prefix  string
}

func newGround(t *testing.T) ground {
	t.Helper()
	messaging, tables, objects := servers.Messaging(t), servers.Tables(t), servers.Objects(t)
	if messaging.Account {
		t.Skip("provisioning an account takes minutes and leaves a bucket's name behind: belfry provision is tried by hand there")
	}
	return ground{
		clients: Clients{
			SQS: sqs.NewFromConfig(messaging.Config), SNS: sns.NewFromConfig(messaging.Config),
			DynamoDB: dynamodb.NewFromConfig(tables.Config), S3: NewS3Client(objects.Config),
		},
		account: StandInAccount(messaging.Config.Region),
		prefix:  strings.TrimSuffix(messaging.Prefix, "-"),
	}
}

func (g ground) state() State { return Desired(g.prefix, g.account, Options{}) }

func (g ground) provisioner() *Provisioner { return New(g.clients, g.state()) }

// rulesStore is an S3 that keeps lifecycle configurations, which the stand-in
// does not: they are stored as written, and shown late, as AWS does.
type rulesStore struct {
	behind http.Handler

	mu      sync.Mutex
	shown   []byte
	pending [][]byte // written, oldest first
	late    int      // how many reads go by before something written is shown
	reads   int
	puts    int
	size    string // the header that says from which size on objects move
}

const sizeHeader = "X-Amz-Transition-Default-Minimum-Object-Size"

func (s *rulesStore) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !r.URL.Query().Has("lifecycle") {
		s.behind.ServeHTTP(w, r)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Method == http.MethodPut {
		body, _ := io.ReadAll(r.Body)
		s.puts, s.reads, s.size = s.puts+1, 0, r.Header.Get(sizeHeader)
		s.pending = append(s.pending, body)
	}
	for ; len(s.pending) > 0 && s.reads >= s.late; s.pending = s.pending[1:] {
		s.shown = s.pending[0]
	}
	if r.Method == http.MethodPut {
		return
	}
	s.reads++
	if s.shown == nil {
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `<Error><Code>NoSuchLifecycleConfiguration</Code></Error>`)
		return
	}
	w.Header().Set(sizeHeader, s.size)
	_, _ = w.Write(s.shown)
}

// withRules puts a [rulesStore] before the stand-in for S3; it shows what was
// written after so many reads.
func (g *ground) withRules(t *testing.T, late int) *rulesStore {
	t.Helper()
	behind, err := url.Parse(*g.clients.S3.Options().BaseEndpoint)
	if err != nil {
		t.Fatal(err)
	}
	store := &rulesStore{behind: httputil.NewSingleHostReverseProxy(behind), late: late}
	front := httptest.NewServer(store)
	t.Cleanup(front.Close)
	cfg := servers.Objects(t).Config
	cfg.BaseEndpoint = &front.URL
	g.clients.S3 = NewS3Client(cfg)
	return store
}

// queueURL asks for a queue's URL.
func (g ground) queueURL(t *testing.T, name string) *string {
	t.Helper()
	out, err := g.clients.SQS.GetQueueUrl(t.Context(), &sqs.GetQueueUrlInput{QueueName: aws.String(QueueName(g.prefix, name))})
	if err != nil {
		t.Fatal(err)
	}
	return out.QueueUrl
}
