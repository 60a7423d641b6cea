package upgrade

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/belfry-push/belfry/test/programs"
)

// fill stores the items that testdata/make-aws.sh scanned in the tables with a prefix, by the stand-in's own protocol, as they were
// but for the times at which TTL removes them. It returns how many there are.
func fill(t *testing.T, endpoint, prefix string) (items int) {
	t.Helper()
	expires := regexp.MustCompile(`"expires_at":\{"N":"\d+"\}`)
	later := fmt.Appendf(nil, `"expires_at":{"N":"%d"}`, time.Now().Add(90*24*time.Hour).Unix())
	for name, scanned := range contents(t, "single-tenant-aws.tar.gz") {
		var all struct{ Items []json.RawMessage }
		if err := json.Unmarshal(scanned, &all); err != nil {
			t.Fatal(err)
		}
		table := prefix + "-" + strings.TrimSuffix(filepath.Base(name), ".json")
		for _, item := range all.Items {
			body := fmt.Appendf(nil, `{"TableName":%q,"Item":%s}`, table, expires.ReplaceAll(item, later))
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, endpoint, bytes.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			for k, v := range map[string]string{
				"X-Amz-Target": "DynamoDB_20120810.PutItem", "Content-Type": "application/x-amz-json-1.0", "X-Amz-Date": "20261201T000000Z",
				"Authorization": "AWS4-HMAC-SHA256 Credential=x/20261201/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=x",
			} {
				req.Header.Set(k, v)
			}
			answer, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			said, _ := io.ReadAll(answer.Body)
			_ = answer.Body.Close()
			if answer.StatusCode != http.StatusOK {
				t.Fatalf("%s: %s", table, said)
			}
			items++
		}
	}
	http.DefaultClient.CloseIdleConnections()
	return items
}

// TestSingleTenantTables: tables of the last version serve this one in place. The queues were lost on the way, which is
// worse than an upgrade: what was open is sent all the same.
func TestSingleTenantTables(t *testing.T) {
	t.Parallel()
	at := servers.Start(t)
	if at.DynamoDB == "" {
		t.Skip("the items are stored by the stand-in's protocol")
	}
	prefix := fmt.Sprintf("up-%x", time.Now().UnixNano()&0xffffff)
	sim := commands.Simulator(t, time.Millisecond)
	env := append(at.Env(), "BELFRY_BACKEND=aws", "BELFRY_AWS_PREFIX="+prefix, "BELFRY_API_KEY=the-old-key", "BELFRY_LISTEN=127.0.0.1:0",
		"BELFRY_FCM_ENDPOINT="+sim.Endpoint, "BELFRY_LATE_AFTER=1s", "BELFRY_MAX_ATTEMPTS=1", "BELFRY_LOG_FORMAT=json")
	commands.Output(t, "belfry", env, "provision")
	if n := fill(t, at.DynamoDB, prefix); n < 20 {
		t.Fatalf("only %d items", n)
	}
	_, rest := commands.Start(t, `"listen":"`, "belfry", slices.Clone(env), "up")
	address, _, _ := strings.Cut(rest, `"`)
	url := "http://" + address
	c := connect(t, url, "the-old-key")
	programs.WaitFor(t, "readiness", func() bool { return c.Ready(t.Context()) == nil })
	whole(t, url, c, connect(t, url, ""))
	http.DefaultClient.CloseIdleConnections()
}
