package top

import (
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mattn/go-runewidth"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/cli/clitest"
)

var at = time.Date(2026, 11, 22, 3, 14, 30, 0, time.UTC)

func before(d time.Duration) *time.Time { t := at.Add(-d); return &t }

// outage is a night in which FCM does not answer, after so many seconds of it.
func outage(seconds int) *client.Status {
	now := at.Add(time.Duration(seconds) * time.Second)
	open := int64(612_400 - 5000*min(seconds, 4))
	s := &client.Status{At: now, Health: client.HealthOK, Headline: "Everything works: 3 processes, 2 notifications under way.", Counted: true}
	process := func(kind, id, state string, in, out float64) client.StatusProcess {
		return client.StatusProcess{
			ID: id, Kind: kind, Version: "v1.4.0", State: state, Started: *before(26 * time.Hour), At: now, Age: 2,
			Rates:   client.StatusRates{Accepted: in, Ended: out, Sent: out},
			Checks:  []client.StatusCheck{{Name: "store", Status: "ok", Since: *before(26 * time.Hour), Age: 3}},
			Workers: []client.StatusWorker{{Queue: "deliveries-bulk", Lane: "bulk", InHand: 25, Places: 26, Window: 50}},
		}
	}
	s.Processes = []client.StatusProcess{
		process("dispatcher", "ip-10-0-3-17.eu-central-1.compute.internal/1/mh2kq9x1", "ok", 0, 2510),
		process("dispatcher", "ip-10-0-4-8.eu-central-1.compute.internal/1/mh2kq9x7", "ok", 0, 2490.4),
		process("ingest", "ip-10-0-3-5.eu-central-1.compute.internal/1/mh2kq8z0", "ok", 3.2, 0),
	}
	s.Credentials = []client.StatusCredential{{
		Label: "shop-prod", Processes: 2, Breaker: "closed", Since: before(26 * time.Hour), Pace: 16400, Quota: 16666.6, InFlight: 830,
		TokenAt: before(12 * time.Minute), TokenUntil: before(-47 * time.Minute), Retries: 20,
	}}
	s.Queues = []client.StatusQueue{
		{Name: "events"},
		{Name: "deliveries-bulk", Visible: 1173 - int64(10*seconds), InFlight: 51, OldestAge: 14.2},
		{Name: "deliveries-bulk-dlq"},
	}
	s.Running = []client.StatusRunning{
		{
			ID: "bat_3dc4358e-07c1-8d8e-9321-17b5e2a5eef8", Tenant: "acme", App: "default", State: "sending", Title: "Flash sale", Priority: "bulk",
			AcceptedAt: *before(70 * time.Second), Sources: 1_000_000, Accepted: 1_000_000, Open: open, Counted: true,
		},
		{
			ID: "ntf_27d52442-60ea-8d19-8b58-a9a632093e43", Tenant: "zoo", App: "default", State: "sending", AcceptedAt: *before(20 * time.Second),
			Sources: 1, Accepted: 1, Open: 1, Counted: true,
		},
	}
	s.Tenants = []client.StatusTenant{
		{Name: "acme", Running: 1, Open: open, Oldest: before(70 * time.Second)},
		{Name: "zoo", Running: 1, Open: 1, Oldest: before(20 * time.Second)},
	}
	s.Open, s.Rates = open+1, &client.StatusRates{Accepted: 3.2, Ended: 5000, Sent: 4990}
	s.Letters = client.StatusLetters{Parked: 1210, Causes: []client.StatusCause{
		{
			Fingerprint: "9f86d081", Code: "fcm.unavailable", Pattern: "503: The service is currently unavailable.", Letters: 1203,
			First: *before(80 * time.Hour), Last: *before(50 * time.Hour),
		},
		{
			Fingerprint: "a1b2c3d4", Code: "fcm.third_party_auth", Pattern: "401: APNs", Letters: 7,
			First: *before(time.Hour), Last: *before(time.Minute),
		},
	}}
	s.Replays = []client.StatusReplay{{
		ID: "rpl_01a22f30-b919-7de8-a5c3-462b4cbc3ff0", State: "stopped", Phase: "main", By: "ada", Total: 1203,
		CreatedAt: *before(3 * time.Hour), Why: "12 of 100 letters failed again",
	}}
	if seconds < 4 {
		return s
	}
	s.Health = client.HealthFailing
	why := "the breaker is open until 03:15:00 UTC (fcm.unavailable)"
	s.Headline = "FCM does not answer for shop-prod since 03:14:34 UTC: " + why + "."
	s.Problems = []client.Trouble{{
		Health: client.HealthFailing, What: "FCM does not answer for shop-prod", Since: before(-4 * time.Second), Why: why,
		Affected: "2 notifications with 592,401 open recipients of tenants acme, zoo",
		Do:       "wait: a few requests find out when FCM is back, and sending goes on by itself",
	}}
	c := &s.Credentials[0]
	c.Breaker, c.Since, c.Until, c.Cause, c.Sick = "open", before(-4*time.Second), before(-30*time.Second), "fcm.unavailable", 0.93
	s.Rates.Ended, s.Rates.Sent = 0, 0
	for i := range s.Running {
		s.Running[i].Reason, s.Running[i].Waiting = "breaker", "breaker open until 03:15:00 UTC (fcm.unavailable)"
	}
	s.Queues[1] = client.StatusQueue{Name: "deliveries-bulk", InFlight: 51, Delayed: 1133}
	s.Processes[2].State = "degraded"
	s.Pauses = []client.StatusPause{{
		Scope: client.PauseTenant,
		ID:    "pse_01a22f30-b919-7de8-a5c3-462b4cbc3ff0", What: "tenant acme", Tenant: "acme", By: "ops",
		Reason: "wrong price in the text", Since: *before(0),
	}}
	return s
}

// watching is the model after seven answers, two seconds apart, between which the outage began.
func watching(width, height int) model {
	m := newModel("https://push.example.com", 2*time.Second, at)
	m, _ = m.update(size{width, height})
	for i := range 7 {
		m, _ = m.update(answer{at: at.Add(time.Duration(2*i) * time.Second), status: outage(2 * i)})
	}
	return m
}

// pressed is a model after keys, with blanks between them.
func pressed(m model, keys string) model {
	for k := range strings.FieldsSeq(keys) {
		m, _ = m.update(key(k))
	}
	return m
}

// fits fails the test unless a view has a line for each of the screen, and none is wider.
func fits(t *testing.T, m model) {
	t.Helper()
	lines := strings.Split(m.view(false), "\n")
	if len(lines) != m.height {
		t.Errorf("%d lines on a screen of %d:\n%s", len(lines), m.height, m.view(false))
	}
	for _, line := range lines {
		if n := runewidth.StringWidth(line); n > m.width {
			t.Errorf("%d columns on a screen of %d: %s", n, m.width, line)
		}
	}
}

// Every section and what its rows lead to, on three sizes of terminals.
func TestScreens(t *testing.T) {
	t.Parallel()
	for _, s := range []struct{ width, height int }{{80, 24}, {100, 30}, {160, 50}} {
		t.Run(fmt.Sprintf("%dx%d", s.width, s.height), func(t *testing.T) {
			t.Parallel()
			var all strings.Builder
			for _, keys := range []string{
				"", "1", "1 enter", "2", "2 enter", "2 s s s s", "3", "3 enter", "4", "4 down enter", "5", "5 enter", "6", "6 enter", "7", "7 enter",
				"8", "8 enter", "9", "9 enter", "4 / d l q", "?",
			} {
				m := pressed(watching(s.width, s.height), keys)
				fits(t, m)
				all.WriteString("──── keys: " + keys + "\n" + m.view(false) + "\n")
			}
			clitest.Golden(t, fmt.Sprintf("screens-%dx%d.txt", s.width, s.height), all.String())
		})
	}
}

// The screen in the documentation is what it draws.
func TestDocumentedScreen(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../../../docs/status.md")
	if err != nil {
		t.Fatal(err)
	}
	if view := watching(80, 24).view(false); !strings.Contains(string(doc), view) {
		t.Errorf("docs/status.md has another screen than\n%s", view)
	}
}

// What each key does, as the state that it leads to.
func TestKeys(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		keys string
		want string // in the view
		not  string
	}{
		{"down down enter", "Credentials, 1", "Overview"},
		{"j k enter", "Problems, 1", ""},
		{"5 end", ">  ingest", ""},
		{"5 G home", ">  dispatcher  ip-10-0-3-17", ""},
		{"5 down up up", ">  dispatcher  ip-10-0-3-17", ""},
		{"5 pgdown", ">  ingest", ""},
		{"tab tab", "Running, 2", ""},
		{"shift+tab", "Pauses, 1", ""},
		{"2 enter esc", "Running, 2", "waits for"},
		{"2 enter esc esc", "Overview", ""},
		{"2 right", "waits for", ""},
		{"2 enter tab", "Credentials, 1", ""},
		{"2 / z o o enter", "1 of 2 with “zoo”", "bat_3dc"},
		{"2 / Z O O backspace enter", "with “ZO”", "bat_3dc"},
		{"2 / z o o esc", "Running, 2", "with"},
		{"2 / z o o enter esc", "Running, 2", "with"},
		{"2 / q 2 p", "with “q2p”", "quit"},
		{"2 / x y z enter", "Nothing has that in its row", ""},
		{"2 / x y z enter enter", "Nothing has that in its row", ""},
		{"2 / a space b enter", "with “a b”", ""},
		{"2 s", "by running", ""},
		{"2 s s s s", "OPEN▼", ""},
		{"2 s s s s S", "OPEN▲", ""},
		{"2 s s s s s s s s s", "Running, 2", ", by"},
		{"s S / enter", "Problems, 1", "filter:"},
		{"?", "any key goes back", ""},
		{"? q", "Overview", ""},
		{"p", "PAUSED (p goes on)", ""},
		{"space", "PAUSED (p goes on)", ""},
		{"7 enter", "dlq-replayer replay run --fingerprint=9f86d081", ""},
		{"7 enter", "Replay with a canary when the check is good", ""},
		{"3 enter", "closed → open (fcm.unavailable) until 03:15:00", ""},
		{"f1 x", "Overview", ""},
	} {
		t.Run(c.keys, func(t *testing.T) {
			t.Parallel()
			m := pressed(watching(100, 40), c.keys)
			fits(t, m)
			view := m.view(false)
			if !strings.Contains(view, c.want) || c.not != "" && strings.Contains(view, c.not) {
				t.Errorf("want %q and not %q:\n%s", c.want, c.not, view)
			}
		})
	}
}

// The keys that make the program do something.
func TestActions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		keys string
		last string
		want action
	}{
		{"", "q", quit},
		{"", "ctrl+c", quit},
		{"2 /", "ctrl+c", quit},
		{"2 /", "q", nothing},
		{"?", "q", nothing},
		{"", "r", ask},
		{"p", "p", ask},
		{"", "p", nothing},
		{"2", "enter", ask},
		{"p 2", "enter", nothing},
		{"r", "r", nothing},
		{"3", "enter", nothing},
	} {
		if _, got := pressed(watching(80, 24), c.keys).update(key(c.last)); got != c.want {
			t.Errorf("%s after %q: action %d, want %d", c.last, c.keys, got, c.want)
		}
	}
	if id := pressed(watching(80, 24), "2 enter").wants(); id != "bat_3dc4358e-07c1-8d8e-9321-17b5e2a5eef8" {
		t.Errorf("drilled into a batch it wants to know about %q", id)
	}
}

// It asks every two seconds and never twice at once; paused it does not.
func TestTicks(t *testing.T) {
	t.Parallel()
	m := newModel("x", 2*time.Second, at)
	m, a := m.update(tick(at))
	if a != ask {
		t.Fatal("the first tick does not ask")
	}
	if _, a = m.update(tick(at.Add(time.Minute))); a != nothing {
		t.Error("asks while it waits for the answer")
	}
	m, _ = m.update(answer{at: at, status: outage(0)})
	if _, a = m.update(tick(at.Add(1999 * time.Millisecond))); a != nothing {
		t.Error("asks before it is time")
	}
	if _, a = m.update(tick(at.Add(2 * time.Second))); a != ask {
		t.Error("does not ask when it is time")
	}
	if _, a = pressed(m, "p").update(tick(at.Add(time.Hour))); a != nothing {
		t.Error("asks while it is paused")
	}
}

// A server that is away leaves what was known, with its age; it is asked again, ever later, and then all is as before.
func TestServerAway(t *testing.T) {
	t.Parallel()
	m := watching(80, 24)
	away := errors.New("dial tcp 192.0.2.1:443: connect: connection refused\x1b[2J")
	now := m.now
	var pauses []time.Duration
	for range 5 {
		m, _ = m.update(answer{at: now, err: away})
		pauses = append(pauses, m.next.Sub(now))
		now = m.next
	}
	if got := fmt.Sprint(pauses); got != "[2s 4s 8s 10s 10s]" {
		t.Errorf("pauses %s", got)
	}
	m, _ = m.update(tick(now))
	clitest.Golden(t, "away.txt", m.view(false))
	fits(t, m)
	m, _ = m.update(answer{at: now, status: outage(20)})
	if v := m.view(false); strings.Contains(v, "NO ANSWER") || !strings.Contains(v, "0 s old") || !strings.Contains(v, "·") {
		t.Errorf("after it came back:\n%s", v)
	}
	first := newModel("https://push.example.com", time.Second, at)
	first, _ = first.update(answer{at: at, err: away})
	fits(t, first)
	if v := first.view(false); !strings.Contains(v, "No answer yet: dial tcp") {
		t.Errorf("before the first answer:\n%s", v)
	}
	fits(t, pressed(first, "2 enter down s / x enter 3 esc ?"))
}

// The terminal may change its size at any time, down to almost nothing.
func TestResize(t *testing.T) {
	t.Parallel()
	m := pressed(watching(160, 50), "7 enter")
	for _, s := range []size{{80, 24}, {200, 60}, {40, 12}, {79, 23}, {1, 1}, {0, 0}, {41, 13}, {300, 12}} {
		m, _ = m.update(s)
		if s.width < leastWidth {
			if !strings.Contains(m.view(false), "needs 40×12") {
				t.Errorf("%v: %s", s, m.view(false))
			}
			continue
		}
		for _, keys := range []string{"", "0", "2", "3 enter", "7 enter end", "?"} {
			fits(t, pressed(m, keys))
		}
	}
}

// A long page scrolls to its end and not beyond, and back.
func TestScroll(t *testing.T) {
	t.Parallel()
	m := pressed(watching(40, 14), "7 enter")
	if v := m.view(false); strings.Contains(v, "replay run") {
		t.Fatalf("it does not have to scroll:\n%s", v)
	}
	m = pressed(m, "end pgdown down")
	if v := m.view(false); !strings.Contains(v, "dlq-replayer replay run") {
		t.Errorf("the end is not there:\n%s", v)
	}
	if v := pressed(m, "home").view(false); !strings.Contains(v, "1,203 dead letters") {
		t.Errorf("the beginning is not there:\n%s", v)
	}
}

// The cursor stays on its row when rows move, and on the first when its row is gone; what is drilled into says when it is gone.
func TestRowsMove(t *testing.T) {
	t.Parallel()
	m := pressed(watching(100, 30), "2 down")
	s := outage(14)
	s.Running[0], s.Running[1] = s.Running[1], s.Running[0]
	m, _ = m.update(answer{at: at.Add(14 * time.Second), status: s})
	if v := m.view(false); !strings.Contains(v, ">  ntf_27d") {
		t.Errorf("the cursor is on another row:\n%s", v)
	}
	open := pressed(m, "enter")
	s = outage(16)
	s.Running = s.Running[:1]
	open, _ = open.update(answer{at: at.Add(16 * time.Second), status: s})
	if v := open.view(false); !strings.Contains(v, "It is not in the status any more") {
		t.Errorf("what is gone is shown:\n%s", v)
	}
	m, _ = m.update(answer{at: at.Add(16 * time.Second), status: s})
	if v := m.view(false); !strings.Contains(v, ">  bat_3dc") {
		t.Errorf("no row is chosen:\n%s", v)
	}
}

// An update changes nothing of the model before it.
func TestUpdateIsPure(t *testing.T) {
	t.Parallel()
	m := watching(100, 30)
	was := m.view(false)
	_ = pressed(m, "2 s s / a b enter down enter p ? 3 S end")
	_, _ = m.update(answer{at: at.Add(14 * time.Second), status: outage(0)})
	_, _ = m.update(answer{at: at.Add(14 * time.Second), err: errors.New("away")})
	if now := m.view(false); now != was {
		t.Errorf("it changed:\n%s\nwas\n%s", now, was)
	}
}

// What has happened for long is forgotten: nothing grows.
func TestHistoryIsBounded(t *testing.T) {
	t.Parallel()
	m := watching(80, 24)
	for i := range 1000 {
		s := outage(2 * (i % 3))
		s.At = at.Add(time.Duration(i) * time.Second)
		s.Running[1].ID, s.Queues[0].Name = fmt.Sprintf("ntf_%d", i), fmt.Sprintf("q%d", i)
		m, _ = m.update(answer{at: s.At, status: s})
	}
	h := m.history
	if len(h.in) != mostSamples || len(h.open) != mostSamples || len(h.changes) != mostChanges || len(h.under) != 2 || len(h.depth) != 3 {
		t.Errorf("%d, %d, %d, %d, %d", len(h.in), len(h.open), len(h.changes), len(h.under), len(h.depth))
	}
	for id, s := range h.under {
		if len(s) > mostSamples {
			t.Errorf("%s: %d samples", id, len(s))
		}
	}
}

// Nothing that a server or a person types in drives the terminal, and what is to be copied stays one command.
func TestHostileTexts(t *testing.T) {
	t.Parallel()
	const evil = "x\x1b[2J\x1b]0;t\x07\r\b\u009b31m\x7f\u202e\u2028\u200b\nforged line\tz'; rm -rf ~ #"
	s := outage(10)
	s.Headline, s.Problems[0].What, s.Problems[0].Do = evil, evil, evil
	s.Running[0].ID, s.Running[0].Title, s.Running[0].Waiting = evil, evil, strings.Repeat(evil, 50)
	s.Credentials[0].Label, s.Credentials[0].Cause = evil, evil
	s.Queues[0].Name, s.Queues[0].Delayed = evil, 1e6
	s.Processes[0].ID, s.Processes[0].State, s.Processes[0].Checks[0].Reason = evil, evil, evil
	s.Tenants[0].Name, s.Letters.Causes[0].Fingerprint, s.Letters.Causes[0].Pattern = evil, evil, evil
	s.Replays[0].ID, s.Pauses[0].ID, s.Pauses[0].What = evil, evil, evil
	for _, w := range []size{{80, 24}, {160, 50}, {40, 12}} {
		m, _ := watching(w.width, w.height).update(answer{at: at.Add(14 * time.Second), status: s})
		for i := range sections {
			for _, keys := range []string{"", " enter", " enter end", " s", " s s"} {
				k := strconv.Itoa(i) + keys
				shown := pressed(m, k)
				fits(t, shown)
				clitest.ShowsAll(t, k, shown.view(false), false)
			}
		}
		typing, _ := pressed(m, "2 /").update(typed(evil))
		clitest.ShowsAll(t, "filter", typing.view(false), false)
		fits(t, typing)
	}
	if got := shell("x'; rm -rf ~"); got != `'x'\''; rm -rf ~'` {
		t.Errorf("to be copied: %s", got)
	}
}

// Colours are there only where the terminal shows them, and change no text.
func TestColours(t *testing.T) {
	t.Parallel()
	m := watching(80, 24)
	if strings.Contains(m.view(false), "\x1b") {
		t.Error("colours where there are none")
	}
	if !strings.Contains(m.view(true), "\x1b[31m") {
		t.Error("a failing system is not red")
	}
}

func TestSparkline(t *testing.T) {
	t.Parallel()
	for want, samples := range map[string][]float64{
		"": nil, "▁▁": {0, 0}, "▁▄█": {0, 5, 10}, "█": {3}, "▁█": {0.001, 1e9}, "·█": {math.NaN(), 1},
	} {
		if got := sparkline(samples, 3); got != want {
			t.Errorf("%v: %q, want %q", samples, got, want)
		}
	}
	if got := sparkline([]float64{9, 1, 2, 4}, 3); got != "▂▄█" {
		t.Errorf("the last three: %q", got)
	}
}
