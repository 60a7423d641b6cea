package provision

import (
	"os"
	"strings"
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

// queueURL asks for a queue's URL.
func (g ground) queueURL(t *testing.T, name string) *string {
	t.Helper()
	out, err := g.clients.SQS.GetQueueUrl(t.Context(), &sqs.GetQueueUrlInput{QueueName: aws.String(QueueName(g.prefix, name))})
	if err != nil {
		t.Fatal(err)
	}
	return out.QueueUrl
}
