package dynamo

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/belfry-push/belfry/internal/adapter/dynamo/table"
)

func TestTables(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, x := range Tables("acme") {
		if !strings.HasPrefix(x.Name, "acme-") || seen[x.Name] {
			t.Errorf("table is called %q", x.Name)
		}
		seen[x.Name] = true
		if !x.OnDemand || !x.PointInTimeRecovery || !x.Encrypted || x.Key.Partition == "" {
			t.Errorf("%s: %+v", x.Name, x)
		}
		// Index names: "between 3 and 255 characters"
		// (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html).
		for _, i := range x.Indexes {
			if len(i.Name) < 3 || i.Key.Partition == "" || i.Key.Sort == "" {
				t.Errorf("%s: index %+v", x.Name, i)
			}
		}
		in := x.CreateInput()
		if in.BillingMode != types.BillingModePayPerRequest || !aws.ToBool(in.SSESpecification.Enabled) {
			t.Errorf("%s is created as %+v", x.Name, in)
		}
	}
	if len(seen) > 9 {
		t.Errorf("%d tables: keep them to single digits", len(seen))
	}
}

// TestCreateTables holds what is made against what Tables says, and makes it
// again.
func TestCreateTables(t *testing.T) {
	t.Parallel()
	x := newTables(t)
	if err := CreateTables(t.Context(), x.client, x.prefix); err != nil {
		t.Fatalf("once more: %v", err)
	}
	for _, want := range Tables(x.prefix) {
		out, err := x.client.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: aws.String(want.Name)})
		if err != nil {
			t.Fatal(err)
		}
		got := Table{
			Name: aws.ToString(out.Table.TableName), Key: keyOf(out.Table.KeySchema), TTL: want.TTL,
			OnDemand:            out.Table.BillingModeSummary != nil && out.Table.BillingModeSummary.BillingMode == types.BillingModePayPerRequest,
			PointInTimeRecovery: want.PointInTimeRecovery, Encrypted: want.Encrypted,
		}
		for _, i := range out.Table.GlobalSecondaryIndexes {
			if i.Projection.ProjectionType != types.ProjectionTypeKeysOnly {
				t.Errorf("%s projects %s", aws.ToString(i.IndexName), i.Projection.ProjectionType)
			}
			got.Indexes = append(got.Indexes, Index{Name: aws.ToString(i.IndexName), Key: keyOf(i.KeySchema)})
		}
		for _, indexes := range [][]Index{got.Indexes, want.Indexes} { // AWS gives them in any order
			slices.SortFunc(indexes, func(a, b Index) int { return strings.Compare(a.Name, b.Name) })
		}
		same(t, want.Name, got, want)
	}
}

func keyOf(schema []types.KeySchemaElement) table.Key {
	var k table.Key
	for _, e := range schema {
		if e.KeyType == types.KeyTypeHash {
			k.Partition = aws.ToString(e.AttributeName)
		} else {
			k.Sort = aws.ToString(e.AttributeName)
		}
	}
	return k
}

// account answers like AWS where no stand-in does: tables exist, and TTL is on
// for some of them.
type account struct {
	mu      sync.Mutex
	ttlOn   string // table
	changed map[string]int
}

func (a *account) Do(r *http.Request) (*http.Response, error) {
	_, op, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	body := make([]byte, r.ContentLength)
	if _, err := r.Body.Read(body); err != nil && r.ContentLength < 0 {
		return nil, err
	}
	answer := canned{status: http.StatusOK, body: "{}"}
	switch op {
	case "CreateTable":
		answer = fault(http.StatusBadRequest, "ResourceInUseException", "")
	case "DescribeTable":
		answer.body = `{"Table":{"TableStatus":"ACTIVE"}}`
	case "DescribeTimeToLive":
		answer.body = `{"TimeToLiveDescription":{"TimeToLiveStatus":"DISABLED"}}`
		if strings.Contains(string(body), a.ttlOn) {
			answer.body = `{"TimeToLiveDescription":{"TimeToLiveStatus":"ENABLED","AttributeName":"expires_at"}}`
		}
	default:
		a.mu.Lock()
		a.changed[op]++
		a.mu.Unlock()
	}
	return answer.Do(r)
}

func TestCreateTablesTurnsTTLAndRecoveryOn(t *testing.T) {
	t.Parallel()
	a := &account{ttlOn: "x-config", changed: map[string]int{}}
	client := dynamodb.New(dynamodb.Options{Region: "us-east-1", HTTPClient: a, Credentials: aws.AnonymousCredentials{}})
	if err := CreateTables(t.Context(), client, "x"); err != nil {
		t.Fatal(err)
	}
	// Three of the four tables with TTL have it off; devices have none.
	same(t, "changes", a.changed, map[string]int{"UpdateTimeToLive": 3, "UpdateContinuousBackups": 5})
}
