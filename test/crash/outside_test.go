package crash

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/test/programs"
)

// TestKillsConvictNobody kills dispatchers from outside: at random while single
// pushes and a batch are sent to a slow FCM, and aimed, each time a request to one
// recipient is under way. Nobody is to blame for that, and nobody is blamed.
func TestKillsConvictNobody(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		pushes  int // before each kill
		batch   int
		latency time.Duration
		kills   int
		aimed   bool
	}{
		{"8 at random", 2, 300, 500 * time.Millisecond, 8, false},
		{"5 aimed at one", 0, 1, time.Second, 5, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			seed := uint64(time.Now().UnixNano())
			t.Logf("seed %d", seed)
			random := rand.New(rand.NewPCG(seed, 0))
			sim := commands.Simulator(t, tc.latency)
			store := []string{"BELFRY_DATA=" + t.TempDir(), "BELFRY_VISIBILITY=2s", "BELFRY_LOG_FORMAT=json"}
			_, rest := commands.Start(t, `"listen":"`, "ingest", store, "--listen", "127.0.0.1:0")
			listen, _, _ := strings.Cut(rest, `"`)
			api, err := client.New("http://"+listen, "")
			if err != nil {
				t.Fatal(err)
			}
			dispatch := func() *programs.Process {
				p, _ := commands.Start(t, `"metrics":"`, "dispatcher", slices.Concat(store,
					[]string{"BELFRY_FCM_ENDPOINT=" + sim.Endpoint, "BELFRY_FCM_PER_SECOND=8"}),
					"--metrics-listen", "127.0.0.1:0")
				return p
			}
			ids := []string{sendBatch(t, api, tc.batch)}
			for kill := range tc.kills {
				for i := range tc.pushes {
					ids = append(ids, sendPush(t, api, token(9000+10*kill+i)))
				}
				seen := sim.Stats(t).Requests
				p := dispatch()
				if tc.aimed {
					programs.WaitFor(t, "a request", func() bool { return sim.Stats(t).Requests > seen })
					pause(t, tc.latency/4)
				} else {
					pause(t, time.Duration(random.Int64N(int64(7*time.Second))))
				}
				p.Kill()
			}
			dispatch()
			flagged := 0
			for _, id := range ids {
				final, err := api.Await(t.Context(), id, 200*time.Millisecond)
				if err != nil {
					t.Fatal(err)
				}
				if c := final.Counts; c.Sent != c.Accepted || c.DeadLettered != 0 {
					t.Errorf("%s: %+v", id, c)
				} else {
					flagged += int(c.PossibleDuplicates)
				}
			}
			repeated := 0
			for _, times := range sim.Accepted(t) {
				if times > 1 {
					repeated++
				}
			}
			t.Logf("%d were sent to again, %d are flagged", repeated, flagged)
			if repeated > flagged {
				t.Errorf("%d were sent to again, and %d are flagged", repeated, flagged)
			}
		})
	}
}

const killsMessage = `{"notification":{"title":"kills"}}`

// sendPush sends to one token and returns the notification's id.
func sendPush(t *testing.T, api *client.Client, token string) string {
	t.Helper()
	n, err := api.Send(t.Context(),
		client.Request{Message: json.RawMessage(killsMessage), To: &client.Target{Tokens: []string{token}}, Priority: "high"})
	if err != nil {
		t.Fatal(err)
	}
	return n.ID
}

// sendBatch sends to n tokens and returns the batch's id.
func sendBatch(t *testing.T, api *client.Client, n int) string {
	t.Helper()
	b, err := api.CreateBatch(t.Context(), client.Request{Message: json.RawMessage(killsMessage), Priority: "bulk"})
	if err != nil {
		t.Fatal(err)
	}
	var lines strings.Builder
	for i := range n {
		fmt.Fprintf(&lines, "{\"token\":%q}\n", token(i+1))
	}
	if _, err := api.UploadRecipients(t.Context(), b.ID, strings.NewReader(lines.String()), client.UploadOptions{Offset: 1}); err != nil {
		t.Fatal(err)
	}
	if _, err := api.StartBatch(t.Context(), b.ID); err != nil {
		t.Fatal(err)
	}
	return b.ID
}

// pause waits by the real clock: kills from outside wait for no event.
func pause(t *testing.T, d time.Duration) {
	t.Helper()
	end := time.Now().Add(d)
	programs.WaitFor(t, "the moment to kill", func() bool { return !time.Now().Before(end) })
}
