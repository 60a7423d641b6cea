package cost

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/adapter/awsmeter"
	"github.com/belfry-push/belfry/internal/adapter/dynamo"
	"github.com/belfry-push/belfry/internal/cost"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/test/programs"
)

const (
	// recipients make whole chunks of one page.
	recipients = 2800
	singles    = 60
	// indexed is what a notification writes to indexes, which the stand-in does
	// not bill (docs/dynamodb.md).
	indexed = 2 + 2 + 1
	// audited is the page of the audit log that a request makes which comes alone;
	// requests at the same time share one, so that the model leaves it out.
	audited = 1
	message = `{"notification":{"title":"The bells are ringing","body":"As long as messages are."}}`
)

var (
	reads  = cost.Metered(awsmeter.Quantity{Service: awsmeter.DynamoDB, Unit: awsmeter.ReadUnits})
	writes = cost.Metered(awsmeter.Quantity{Service: awsmeter.DynamoDB, Unit: awsmeter.WriteUnits})
)

// TestCasesAreAsMetered sends each case of the model through the whole pipeline
// and compares the units that the program's meter counted with the model's: to
// devices that were noted lately, that were noted more than a week ago, that
// nobody knows, and one notification each. It fails when the two part by more
// than what polls, sweeps and looks at the progress make.
func TestCasesAreAsMetered(t *testing.T) { //nolint:paralleltest // one meter
	h := newHouse(t)
	models := map[string]cost.Case{}
	for _, c := range cost.CasesOf(recipients) {
		models[c.Name] = c
	}
	lately, longAgo := time.Now().Add(-time.Hour), time.Now().Add(-push.SuccessGrain-time.Hour)
	h.register("known", recipients, lately)
	h.register("weekly", recipients, longAgo)
	for _, name := range []string{"known", "weekly", "first"} {
		used := h.meter(func() { h.batch(name) })
		compare(t, name, models[name].Usage, used, indexed, recipients/10)
	}
	h.register("single", singles, lately)
	used := h.meter(func() { h.singles("single") })
	for _, c := range cost.CasesOf(singles) {
		if c.Name == "single" {
			compare(t, c.Name, c.Usage, used, singles*(indexed-audited), singles*2/3)
		}
	}
}

// compare wants both units within a tenth of the model's, without what the
// stand-in does not bill less what the model leaves out. The clock makes some checkpoints and heartbeats more, the slower
// the machine: clock write units, too few to hide one a device, and three times as many reads.
func compare(t *testing.T, name string, model, used cost.Usage, unbilled, clock float64) {
	t.Helper()
	t.Logf("%s: metered %v", name, used)
	const tolerance = 0.1
	for _, x := range []struct {
		item        cost.Item
		want, clock float64
	}{
		{writes, model[writes] - unbilled, clock},
		{reads, model[reads], 3 * clock}, // what goes by time mostly looks
	} {
		item, want, clock := x.item, x.want, x.clock
		t.Logf("%s: %s: metered %.1f, the model says %.1f", name, item, used[item], want)
		if used[item] < want*(1-tolerance)-clock || used[item] > want*(1+tolerance)+clock {
			t.Errorf("%s: %s: metered %.1f, the model says %.1f", name, item, used[item], want)
		}
	}
}

// house is a running Belfry on stand-ins.
type house struct {
	t     *testing.T
	addr  string
	api   *client.Client
	store *dynamo.Store
	rest  cost.Usage // in a second in which there is nothing to send
}

func newHouse(t *testing.T) *house {
	t.Helper()
	const prefix = "belfry-metered"
	env := append(servers.Start(t).Env(), "BELFRY_AWS_PREFIX="+prefix)
	if len(env) == 1 {
		t.Skip("an account is not metered by a test")
	}
	commands.Output(t, "belfry", env, "provision")
	env = append(env, "BELFRY_BACKEND=aws", "BELFRY_LISTEN=127.0.0.1:0", "BELFRY_SIM_LISTEN=127.0.0.1:0", "BELFRY_LOG_FORMAT=json",
		"BELFRY_FCM_SHARED_QUOTA=off") // its leases go by time (docs/quotas.md), not by notification
	_, rest := commands.Start(t, `"listen":"`, "belfry", env, "up", "--sandbox")
	addr, _, _ := strings.Cut(rest, `"`)
	h := &house{t: t, addr: "http://" + addr}
	var err error
	if h.api, err = client.New(h.addr, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(http.DefaultTransport.(*http.Transport).CloseIdleConnections)
	h.store = dynamo.New(dynamodb.NewFromConfig(servers.Tables(t).Config), dynamo.Config{Prefix: prefix})
	h.rest = h.restful()
	t.Logf("at rest, in a second: %v", h.rest)
	return h
}

// token has the length of FCM's.
func token(kind string, i int) string {
	return fmt.Sprintf("%s-%06d-%s", kind, i, strings.Repeat("x", 163-len(kind)-8))
}

// register puts devices into the registry as sends leave them, the last success
// noted at a time.
func (h *house) register(kind string, n int, success time.Time) {
	h.t.Helper()
	const most = 700
	for from := 0; from < n; from += most {
		var notes []push.DeviceNote
		for i := from; i < min(from+most, n); i++ {
			a := push.Address{Kind: push.KindToken, Value: push.Token(token(kind, i))}
			notes = append(notes, push.DeviceNote{Address: a, Code: push.CodeSent, At: success, SentAt: success, Record: true})
		}
		h.must(h.store.RecordDevices(h.t.Context(), "default", notes))
	}
}

// batch sends to all devices of a kind.
func (h *house) batch(kind string) {
	h.t.Helper()
	b, err := h.api.CreateBatch(h.t.Context(), client.Request{Message: json.RawMessage(message), Priority: "bulk"})
	h.must(err)
	var lines strings.Builder
	for i := range recipients {
		fmt.Fprintf(&lines, "{\"token\":%q}\n", token(kind, i))
	}
	_, err = h.api.UploadRecipients(h.t.Context(), b.ID, strings.NewReader(lines.String()), client.UploadOptions{Offset: 1})
	h.must(err)
	_, err = h.api.StartBatch(h.t.Context(), b.ID)
	h.must(err)
	final, err := h.api.Await(h.t.Context(), b.ID, time.Second)
	h.must(err)
	if final.Counts == nil || final.Counts.Sent != recipients {
		h.t.Fatalf("%s: %+v", kind, final.Counts)
	}
}

// singles sends one notification to each device of a kind.
func (h *house) singles(kind string) {
	h.t.Helper()
	for i := range singles {
		_, err := h.api.Send(h.t.Context(),
			client.Request{To: &client.Target{Tokens: []string{token(kind, i)}}, Message: json.RawMessage(message)})
		h.must(err)
	}
	programs.WaitForMoment(h.t, time.Second, "all outcomes", func() bool { return h.outcomes() >= 3*recipients+singles })
}

// meter returns what the program used for f, without what it uses at rest, once
// it is at rest again.
func (h *house) meter(f func()) cost.Usage {
	h.t.Helper()
	before, begun := h.measured().Units, time.Now()
	f()
	after, ended := h.measured().Units, time.Now()
	const still = 3 * time.Second // device notes and events follow the outcome
	programs.WaitForMoment(h.t, still/10, "the meter to be at rest", func() bool {
		now := time.Now()
		if now.Sub(ended) < still {
			return false
		}
		units := h.measured().Units
		used, atRest := cost.Of(units.Since(after))[writes], h.rest[writes]*now.Sub(ended).Seconds()
		after, ended = units, now
		return used <= atRest+2
	})
	used := cost.Of(after.Since(before))
	for item, perSecond := range h.rest {
		used[item] -= perSecond * ended.Sub(begun).Seconds()
	}
	return used
}

// restful returns what the program uses in a second of rest.
func (h *house) restful() cost.Usage {
	h.t.Helper()
	before, begun := h.measured().Units, time.Now()
	const rest = 6 * time.Second
	<-time.NewTimer(rest).C
	used := cost.Of(h.measured().Units.Since(before))
	for item := range used {
		used[item] /= time.Since(begun).Seconds()
	}
	return used
}

func (h *house) outcomes() int64 { return h.measured().Notifications }

// measured reads the program's meter.
func (h *house) measured() cost.Measured {
	h.t.Helper()
	req, err := http.NewRequestWithContext(h.t.Context(), http.MethodGet, h.addr+"/metrics", http.NoBody)
	h.must(err)
	res, err := http.DefaultClient.Do(req)
	h.must(err)
	defer func() { _ = res.Body.Close() }()
	m, err := cost.ReadMetrics(res.Body)
	h.must(err)
	return m
}

func (h *house) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}
