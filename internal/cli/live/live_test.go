package live

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/app"
	"github.com/belfry-push/belfry/internal/cli/clitest"
	"github.com/belfry-push/belfry/internal/cli/command"
	"github.com/belfry-push/belfry/internal/cli/display"
	"github.com/belfry-push/belfry/internal/config"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// belfry runs a command line on a terminal of 80 columns.
func belfry(t *testing.T, args ...string) clitest.Result {
	t.Helper()
	var out, errs bytes.Buffer
	p := command.Program{Name: "belfry", Grammar: &struct {
		Commands Commands `embed:""`
	}{}, Env: func(string) (string, bool) { return "", false }}
	code := p.Run(t.Context(), args, &display.Console{In: strings.NewReader(""), Out: &out, Err: &errs, Width: 80})
	return clitest.Result{Code: code, Out: out.String(), Err: errs.String()}
}

// serve answers the status.
func serve(t *testing.T, s *client.Status) string {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/status" {
			t.Errorf("asked for %s", r.URL.Path)
		}
		clitest.Say(w, http.StatusOK, s)
	}))
	t.Cleanup(srv.Close)
	t.Cleanup(http.DefaultTransport.(*http.Transport).CloseIdleConnections)
	return srv.URL
}

var at = time.Date(2026, 11, 22, 3, 14, 30, 0, time.UTC)

func before(d time.Duration) *time.Time { t := at.Add(-d); return &t }

func after(d time.Duration) *time.Time { return before(-d) }

// healthy is a system at work.
func healthy() *client.Status {
	process := func(kind, id string, in, out float64) client.StatusProcess {
		return client.StatusProcess{
			ID: id, Kind: kind, Version: "v1.4.0", State: "ok", Started: *before(26 * time.Hour), At: *before(2 * time.Second), Age: 2,
			Rates: client.StatusRates{Accepted: in, Ended: out, Sent: out},
		}
	}
	return &client.Status{
		At: at, Health: client.HealthOK,
		Headline: "Everything works: 3 processes, 1 notification with 612,400 open recipients under way.",
		Processes: []client.StatusProcess{
			process("dispatcher", "ip-10-0-3-17.eu-central-1.compute.internal/1/mh2kq9x1", 0, 8210),
			process("dispatcher", "ip-10-0-4-8.eu-central-1.compute.internal/1/mh2kq9x7", 0, 8190.4),
			process("ingest", "ip-10-0-3-5.eu-central-1.compute.internal/1/mh2kq8z0", 3.2, 0),
		},
		Credentials: []client.StatusCredential{{
			Label: "shop-prod", Processes: 2, Breaker: "closed", Since: before(26 * time.Hour), Pace: 16400, Quota: 16666.6, InFlight: 830,
			TokenAt: before(12 * time.Minute), TokenUntil: after(47 * time.Minute),
		}},
		Lanes: []client.StatusLane{
			{Lane: "high", Places: 12, Window: 100, Processes: 2}, {Lane: "bulk", InHand: 51, Places: 52, Window: 50, Processes: 2},
		},
		Queues: []client.StatusQueue{
			{Name: "events"},
			{Name: "notifications"},
			{Name: "deliveries-bulk", Visible: 1173, InFlight: 51, OldestAge: 14.2},
			{Name: "deliveries-bulk-dlq"},
		},
		Running: []client.StatusRunning{{
			ID: "bat_3dc4358e-07c1-8d8e-9321-17b5e2a5eef8", Tenant: "acme", App: "default", State: "sending", Title: "Flash sale",
			AcceptedAt: *before(70 * time.Second),
			Sources:    1_000_000, Accepted: 1_000_000, Open: 612_400, Counted: true,
		}},
		Tenants: []client.StatusTenant{{Name: "acme", Running: 1, Open: 612_400, Oldest: before(70 * time.Second)}},
		Open:    612_400, Counted: true, Oldest: before(70 * time.Second),
		Letters: client.StatusLetters{Parked: 1203, Causes: []client.StatusCause{{
			Fingerprint: "9f86d081", Code: "fcm.unavailable", Pattern: "503: The service is currently unavailable.", Letters: 1203,
			First: *before(80 * time.Hour), Last: *before(50 * time.Hour),
		}}},
		Store: &client.StatusStore{Backend: "aws", Seconds: 0.011}, Rates: &client.StatusRates{Accepted: 3.2, Ended: 16400, Sent: 16390},
	}
}

// outage is one in which FCM does not answer.
func outage() *client.Status {
	s := healthy()
	s.Health = client.HealthFailing
	why := "the breaker is open until 03:15:00 UTC (fcm.unavailable)"
	s.Headline = "FCM does not answer for shop-prod since 03:12:04 UTC: " + why + " (and 1 other problem)."
	wait := "wait: a few requests find out when FCM is back, and sending goes on by itself"
	s.Problems = []client.Trouble{
		{
			Health: client.HealthFailing, What: "FCM does not answer for shop-prod", Since: before(146 * time.Second), Why: why, Do: wait,
			Affected: "2 notifications with 612,401 open recipients of tenants acme, zoo",
		},
		{
			Health: client.HealthDegraded, What: "Check events of ingest ip-10-0-3-5/1/mh2kq8z0 fails", Since: before(time.Hour),
			Why: "AccessDenied: not authorized to perform sns:Publish", Do: "see belfry doctor", Affected: "what that process does",
		},
	}
	c := &s.Credentials[0]
	c.Breaker, c.Since, c.Until, c.Cause = "open", before(146*time.Second), after(30*time.Second), "fcm.unavailable"
	for i := range s.Processes {
		s.Processes[i].Rates.Ended = 0
	}
	s.Processes[2].State = "degraded"
	s.Queues[2] = client.StatusQueue{Name: "deliveries-bulk", Visible: 0, InFlight: 51, Delayed: 1173}
	s.Running[0].Reason, s.Running[0].Waiting = "breaker", "breaker open until 03:15:00 UTC (fcm.unavailable)"
	s.Running = append(s.Running, client.StatusRunning{
		ID: "ntf_27d52442-60ea-8d19-8b58-a9a632093e43", Tenant: "zoo", App: "default", State: "sending", AcceptedAt: *before(20 * time.Second),
		Sources: 1, Accepted: 1, Open: 1, Counted: true, Reason: "breaker", Waiting: "breaker open until 03:15:00 UTC (fcm.unavailable)",
	})
	s.Tenants = append(s.Tenants, client.StatusTenant{Name: "zoo", Running: 1, Open: 1, Oldest: before(20 * time.Second)})
	return s
}

// stale is one whose dispatcher hangs.
func stale() *client.Status {
	s := healthy()
	s.Health = client.HealthFailing
	s.Headline = "Nothing is sent since 03:13:50 UTC: no dispatcher has been heard from for 40 s, the last was " +
		"ip-10-0-4-8/1/mh2kq9x7."
	s.Problems = []client.Trouble{{
		Health: client.HealthFailing, What: "Nothing is sent", Since: before(40 * time.Second),
		Affected: "everybody: 1 notification with 612,400 open recipients",
		Why:      "no dispatcher has been heard from for 40 s, the last was ip-10-0-4-8/1/mh2kq9x7",
		Do:       "start it, or see why it hangs; what it had in hand comes back by itself",
	}}
	s.Processes = s.Processes[1:]
	s.Processes[0].State, s.Processes[0].Age, s.Processes[0].Rates = "silent", 40, client.StatusRates{}
	s.Credentials, s.Lanes = nil, nil
	s.Running[0].Counted, s.Counted = false, false
	s.Missing = []client.StatusMissing{{Part: "queues", Reason: "depth of events: context deadline exceeded", Age: 12}}
	return s
}

// paused is one in which a tenant is paused.
func paused() *client.Status {
	s := healthy()
	s.Health = client.HealthDegraded
	s.Headline = "Tenant acme is paused since 02:10:00 UTC: ops asked for it, because: wrong price in the text."
	s.Problems = []client.Trouble{{
		Health: client.HealthDegraded, What: "Tenant acme is paused", Since: before(64 * time.Minute),
		Affected: "1 notification with 612,400 open recipients", Why: "ops asked for it, because: wrong price in the text",
		Do: "belfry resume pse_01a22f30-b919-7de8-a5c3-462b4cbc3ff0",
	}}
	s.Pauses = []client.StatusPause{{
		Scope: client.PauseTenant,
		ID:    "pse_01a22f30-b919-7de8-a5c3-462b4cbc3ff0", What: "tenant acme", Tenant: "acme", By: "ops", Reason: "wrong price in the text",
		Since: *before(64 * time.Minute),
	}}
	s.Tenants[0].Paused = "tenant acme"
	s.Running[0].Reason = "suspended"
	s.Running[0].Waiting = "tenant acme is paused since 2026-11-22 02:10:00 UTC by ops: wrong price in the text"
	s.Replays = []client.StatusReplay{{
		ID: "rpl_01a22f30-b919-7de8-a5c3-462b4cbc3ff0", State: "stopped", Phase: "main", By: "ada", Total: 1203,
		CreatedAt: *before(3 * time.Hour),
		Why:       "12 of 100 letters failed again",
	}}
	s.Processes, s.Queues, s.Credentials, s.Lanes, s.Store, s.Rates = nil, nil, nil, nil, nil, nil // as a tenant sees it
	return s
}

// The screen at 80 columns, in each kind of night, and the exit code that tells them apart.
func TestScreens(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		s    *client.Status
		code int
	}{
		{"healthy", healthy(), display.ExitOK},
		{"outage", outage(), display.ExitFailing},
		{"stale", stale(), display.ExitFailing},
		{"paused", paused(), display.ExitDegraded},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			api := serve(t, c.s)
			r := belfry(t, "status", "--api", api)
			r.Expect(t, c.code)
			clitest.Fits(t, "status", r.Out, 80)
			if n := strings.Count(r.Out, "\n"); n > 40 {
				t.Errorf("%d lines are more than a screen", n)
			}
			clitest.Golden(t, c.name+".txt", r.Out+r.Err)
			var back client.Status
			r = belfry(t, "status", "--api", api, "-o", "json")
			if err := json.Unmarshal([]byte(r.Out), &back); err != nil || back.Health != c.s.Health || r.Code != c.code {
				t.Errorf("json: %v, %+v, exit code %d", err, back, r.Code)
			}
			belfry(t, "status", "--api", api, "-o", "wide").Expect(t, c.code, c.s.Running[0].Title)
		})
	}
}

// Asked for again and again, it is a line of JSON each, and goes on when the server fails.
func TestAgain(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	asked := 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		switch asked++; asked {
		case 2:
			clitest.Say(w, http.StatusForbidden, client.Problem{Code: "forbidden", Title: "not now"})
		case 3:
			cancel()
			fallthrough
		default:
			clitest.Say(w, http.StatusOK, healthy())
		}
	}))
	t.Cleanup(srv.Close)
	var out, errs bytes.Buffer
	p := command.Program{Name: "belfry", Grammar: &struct {
		Commands Commands `embed:""`
	}{}, Env: func(string) (string, bool) { return "", false }}
	code := p.Run(ctx, []string{"status", "--api", srv.URL, "-o", "json", "--every", "1s"}, &display.Console{Out: &out, Err: &errs})
	lines := strings.Count(out.String(), "\n")
	if code != display.ExitInterrupted || lines != 1 || !strings.Contains(errs.String(), "not now") {
		t.Errorf("exit code %d, %d lines\n%s%s", code, lines, out.String(), errs.String())
	}
	belfry(t, "status", "--every", "1s").Expect(t, display.ExitUsage, "belfry top shows the status live")
	belfry(t, "status", "-o", "json", "--every", "10ms").Expect(t, display.ExitUsage, "at least 1s")
}

// Nothing that the server says drives the terminal, or makes lines of its own.
func TestHostileNames(t *testing.T) {
	t.Parallel()
	api := clitest.HostileAPI(t)
	for _, line := range []string{"status --api " + api, "status -o wide --api " + api, "status -o json --api " + api} {
		r := belfry(t, strings.Fields(line)...)
		clitest.ShowsAll(t, line, r.Out+r.Err, false)
	}
}

// Without a server the data directory is read; nothing runs on it, and that is what the status says.
func TestDataDirectory(t *testing.T) {
	t.Parallel()
	c := config.Store{Backend: config.BackendEmbedded, Data: filepath.Join(t.TempDir(), "data"), Visibility: 30 * time.Second}
	b, err := app.Opener(c, zap.NewNop())(t.Context(), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	r := belfry(t, "status", "--data", c.Data)
	r.Expect(t, display.ExitFailing, "FAILING: Nothing is sent: no dispatcher runs", "All queues are empty", "store  embedded")
	clitest.Fits(t, "status", r.Out, 80)
	belfry(t, "status", "--data", "/nowhere").Expect(t, display.ExitUsage, "there is no directory /nowhere")
}
