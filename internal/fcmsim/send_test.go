package fcmsim_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-push/belfry/internal/fcmsim"
	"github.com/belfry-push/belfry/internal/fcmsim/fcmsimtest"
)

// clients are one client for each protocol that the simulator speaks.
func clients(t *testing.T, sim *fcmsim.Sim) map[string]struct {
	url    string
	client *http.Client
} {
	t.Helper()
	over1 := &http.Transport{}
	overTLS := &http.Transport{TLSClientConfig: tlsTrusting(sim), ForceAttemptHTTP2: true}
	t.Cleanup(over1.CloseIdleConnections)
	t.Cleanup(overTLS.CloseIdleConnections)
	return map[string]struct {
		url    string
		client *http.Client
	}{
		"HTTP/1.1":        {sim.URL(), &http.Client{Transport: over1}},
		"HTTP/2 plain":    {sim.URL(), fcmsimtest.Client(t)},
		"HTTP/2 over TLS": {sim.URLTLS(), &http.Client{Transport: overTLS}},
	}
}

func TestScriptedAnswers(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		token  string
		status []int // of the first tries; 0 is none
		code   string
		google string
	}{
		{"plain", []int{200, 200}, "", ""},
		{"sim-", []int{200}, "", ""},
		{"sim-other-1-x", []int{200}, "", ""},
		{"sim-quota-x", []int{200}, "", ""},
		{"sim-quota-1", []int{200}, "", ""},
		{"sim-quota-0-x", []int{200}, "", ""},
		{"sim-unregistered-x", []int{404, 404, 404}, "UNREGISTERED", "NOT_FOUND"},
		{"sim-invalid-x", []int{400, 400}, "INVALID_ARGUMENT", "INVALID_ARGUMENT"},
		{"sim-mismatch-x", []int{403, 403}, "SENDER_ID_MISMATCH", "PERMISSION_DENIED"},
		{"sim-auth-x", []int{401, 401}, "THIRD_PARTY_AUTH_ERROR", "UNAUTHENTICATED"},
		{"sim-quota-2-x", []int{429, 429, 200, 200}, "QUOTA_EXCEEDED", "RESOURCE_EXHAUSTED"},
		{"sim-unavailable-1-x", []int{503, 200}, "UNAVAILABLE", "UNAVAILABLE"},
		{"sim-internal-3-x", []int{500, 500, 500, 200}, "INTERNAL", "INTERNAL"},
		{"sim-drop-2-x", []int{0, 0, 200}, "", ""},
	} {
		t.Run(tc.token, func(t *testing.T) {
			t.Parallel()
			sim := fcmsimtest.Start(t, fcmsim.Config{ListenTLS: "127.0.0.1:0", RetryAfter: 1500 * time.Millisecond})
			for name, c := range clients(t, sim) {
				sim.Reset()
				for i, want := range tc.status {
					a, err := tryPost(t, c.client, c.url+sendPath, toToken(tc.token))
					if a.status != want || (want == 0) != (err != nil) {
						t.Fatalf("%s: try %d: status %d, want %d: %v %s", name, i+1, a.status, want, err, a.body)
					}
					if want >= 400 {
						google, code := errorCodes(t, a)
						if google != tc.google || code != tc.code {
							t.Errorf("%s: %s, %s", name, google, code)
						}
					}
					wantAfter := ""
					if want == 429 || want == 503 {
						wantAfter = "2"
					}
					if got := a.header.Get("Retry-After"); got != wantAfter {
						t.Errorf("%s: Retry-After %q, want %q", name, got, wantAfter)
					}
				}
				sum := uint64(0)
				st := sim.Stats()
				for _, n := range st.ByCode {
					sum += n
				}
				if sum != st.Requests || st.Requests != uint64(len(tc.status)) || st.Accepted != st.ByCode["OK"]+st.ByCode["DROP"] {
					t.Errorf("%s: stats %+v", name, st)
				}
			}
		})
	}
}

// TestLeanAnswersAlike: benchmarks meet the same FCM.
func TestLeanAnswersAlike(t *testing.T) {
	t.Parallel()
	client := fcmsimtest.Client(t)
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	var sims []*fcmsim.Sim
	for _, lean := range []bool{false, true} {
		sims = append(sims, fcmsimtest.Start(t, fcmsim.Config{Lean: lean, Now: func() time.Time { return now }}))
	}
	if err := errors.Join(sims[0].Refuse(fcmsim.Refusal{Platform: "ios", As: "topic"}),
		sims[1].Refuse(fcmsim.Refusal{Platform: "ios", As: "topic"})); err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{
		toToken("plain"), toToken("sim-unregistered-1"), toToken("sim-quota-1-a"), toToken("sim-quota-1-a"), toToken("sim-ios-1"),
		toToken("sim-drop-1-x"),
		toToken("sim-apns-410-Unregistered-1"), `{"message":{}}`, `{"message":`, toToken(strings.Repeat("t", 1<<20)),
		`{"validate_only":true,"message":{"token":"t"}}`,
	} {
		var answers [2]answer
		for i, sim := range sims {
			a, err := tryPost(t, client, sim.URL()+sendPath, body)
			if (err != nil) != strings.Contains(body, "sim-drop-1") {
				t.Errorf("%.60s: %v", body, err)
			}
			a.header.Del("Date")
			a.header.Del("Content-Length") // net/http counts short bodies only
			a.header.Del("X-Content-Type-Options")
			a.header.Del("Cross-Origin-Resource-Policy") // for browsers
			answers[i] = a
		}
		if diff := cmp.Diff(answers[0], answers[1], cmp.AllowUnexported(answer{})); diff != "" {
			t.Errorf("%.60s: (-net/http +lean):\n%s", body, diff)
		}
	}
	if diff := cmp.Diff(sims[0].Stats(), sims[1].Stats()); diff != "" {
		t.Errorf("stats (-net/http +lean):\n%s", diff)
	}
}

func TestHangingRequestEndsWithTheClient(t *testing.T) {
	t.Parallel()
	sim := fcmsimtest.Start(t, fcmsim.Config{ListenTLS: "127.0.0.1:0"})
	for name, c := range clients(t, sim) {
		sim.Reset()
		ctx, cancel := context.WithCancel(t.Context())
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+sendPath, strings.NewReader(toToken("sim-hang-1-x")))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		done := make(chan error, 1)
		go func() {
			_, err := do(c.client, req)
			done <- err
		}()
		for sim.Stats().ByCode["HANG"] == 0 {
			select {
			case err := <-done:
				t.Fatalf("%s: answered: %v", name, err)
			case <-time.NewTimer(time.Millisecond).C:
			}
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
		if a := post(t, c.client, c.url+sendPath, toToken("sim-hang-1-x")); a.status != 200 {
			t.Errorf("%s: second try: status %d", name, a.status)
		}
		if st := sim.Stats(); st.Accepted != 1 {
			t.Errorf("%s: a hung message was recorded: %+v", name, st)
		}
	}
}

func TestDryRun(t *testing.T) {
	t.Parallel()
	sim := fcmsimtest.Start(t, fcmsim.Config{})
	client := fcmsimtest.Client(t)
	dry := func(token string) answer {
		return post(t, client, sim.URL()+sendPath, `{"validate_only":true,"message":{"token":"`+token+`"}}`)
	}
	for _, token := range []string{"plain", "sim-quota-1-x", "sim-drop-1-x"} {
		if a := dry(token); a.status != 200 || !strings.Contains(a.body, `"projects/belfry-sandbox/messages/fake_message_id"`) {
			t.Errorf("%s: %d %s", token, a.status, a.body)
		}
	}
	if a := dry("sim-unregistered-x"); a.status != 404 {
		t.Errorf("a dry run to a dead token: %d", a.status)
	}
	if a := post(t, client, sim.URL()+sendPath, toToken("sim-quota-1-x")); a.status != 429 {
		t.Errorf("the dry run used up the scripted fault: %d", a.status)
	}
	want := fcmsim.Stats{
		Requests: 5, Connections: 1,
		ByCode: map[string]uint64{"VALIDATED": 3, "UNREGISTERED": 1, "QUOTA_EXCEEDED": 1},
	}
	if diff := cmp.Diff(want, sim.Stats()); diff != "" {
		t.Error(diff)
	}
}

func TestLedgerCountsUniqueAndDuplicate(t *testing.T) {
	t.Parallel()
	sim := fcmsimtest.Start(t, fcmsim.Config{})
	client := fcmsimtest.Client(t)
	send := func(body string) { post(t, client, sim.URL()+sendPath, body) }
	one := `{"message":{"token":"a","data":{"belfry_id":"ntf_1"}}}`
	send(one)
	send(one)                                                                 // duplicate
	send(`{"message":{"data":{"belfry_id":"ntf_1","more":"x"},"token":"a"}}`) // duplicate: same id
	send(`{"message":{"token":"a","data":{"belfry_id":"ntf_2"}}}`)
	send(`{"message":{"fid":"a","data":{"belfry_id":"ntf_1"}}}`) // an installation id is not a token
	send(`{"message":{"topic":"a","data":{"belfry_id":"ntf_1"}}}`)
	send(`{"message":{"topic":"a","data":{"belfry_id":"ntf_1"}}}`) // duplicate
	send(`{"message":{"token":"b"}}`)
	send(`{"message":{"token":"b"}}`) // duplicate: same body
	send(`{"message":{"token":"b","notification":{"title":"x"}}}`)
	want := fcmsim.Stats{
		Requests: 10, Accepted: 10, UniqueTokens: 3, Duplicates: 4, Connections: 1, ByCode: map[string]uint64{"OK": 10},
	}
	for range 2 { // asking twice changes nothing
		if diff := cmp.Diff(want, sim.Stats()); diff != "" {
			t.Error(diff)
		}
	}
}

func TestAcceptedRemembersMessages(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	sim := fcmsimtest.Start(t, fcmsim.Config{Project: "p", Now: func() time.Time { return now }})
	client := fcmsimtest.Client(t)
	bodies := []string{
		`{"message":{"token":"a","data":{"belfry_id":"ntf_1"}}}`,
		`{"message":{"topic":"news"}}`,
		`{"message":{"fid":"caf\u00e9"}}`,
	}
	names := make([]string, 0, len(bodies))
	for _, b := range bodies {
		a := post(t, client, sim.URL()+"/projects/p/messages:send", b)
		names = append(names, strings.Split(a.body, `"`)[3])
	}
	want := []fcmsim.Accepted{
		{Kind: "token", Token: "a", Name: names[0], BelfryID: "ntf_1", At: now, Body: []byte(bodies[0])},
		{Kind: "topic", Name: names[1], At: now, Body: []byte(bodies[1])},
		{Kind: "fid", Token: "café", Name: names[2], At: now, Body: []byte(bodies[2])},
	}
	if diff := cmp.Diff(want, slices.Collect(sim.Accepted())); diff != "" {
		t.Error(diff)
	}
	if !strings.HasPrefix(names[0], "projects/p/messages/0:1795262400000000%") {
		t.Errorf("name %q", names[0])
	}
	for range sim.Accepted() {
		break // must not go on by itself
	}
}

// TestOldMessagesAreDropped: what is told of them says how many, figures and names go on.
func TestOldMessagesAreDropped(t *testing.T) {
	t.Parallel()
	sim := fcmsimtest.Start(t, fcmsim.Config{Keep: 4})
	client := fcmsimtest.Client(t)
	const sent = 12
	for i := range sent { // a quarter of a megabyte each
		body := fmt.Sprintf(`{"message":{"token":"t-%[1]d","data":{"k":"%[1]d"}}%[2]s}`, i, strings.Repeat(" ", 300<<10))
		if a := post(t, client, sim.URL()+sendPath, body); a.status != 200 {
			t.Fatal(a.body)
		}
	}
	post(t, client, sim.URL()+sendPath, toToken("t-11"))
	st := sim.Stats()
	if st.Accepted != sent+1 || st.UniqueTokens != sent || st.Dropped < 4 || st.Dropped > sent {
		t.Errorf("stats %+v", st)
	}
	var tokens []string
	for a := range sim.Accepted() {
		tokens = append(tokens, a.Token)
	}
	if uint64(len(tokens)) != st.Accepted-st.Dropped || tokens[0] != fmt.Sprintf("t-%d", st.Dropped) {
		t.Errorf("%v are listed of %d, %d dropped", tokens, st.Accepted, st.Dropped)
	}
	res, err := client.Get(sim.AdminURL() + "/accepted?body=false")
	if err != nil {
		t.Fatal(err)
	}
	if err := res.Body.Close(); err != nil || res.Header.Get("Sim-Dropped") != strconv.FormatUint(st.Dropped, 10) {
		t.Errorf("the list says that %q are dropped (%v), want %d", res.Header.Get("Sim-Dropped"), err, st.Dropped)
	}
}

func TestNamesAreUniqueUnderLoad(t *testing.T) {
	t.Parallel()
	sim := fcmsimtest.Start(t, fcmsim.Config{})
	client := fcmsimtest.Client(t)
	const senders, each = 10, 100
	var wg sync.WaitGroup
	for i := range senders {
		wg.Go(func() {
			for j := range each {
				if a, err := tryPost(t, client, sim.URL()+sendPath, toToken(fmt.Sprintf("t-%d-%d", i, j))); a.status != 200 {
					t.Errorf("status %d: %v", a.status, err)
				}
			}
		})
	}
	wg.Wait()
	names := make(map[string]bool)
	for a := range sim.Accepted() {
		names[a.Name] = true
	}
	st := sim.Stats()
	if len(names) != senders*each || st.UniqueTokens != senders*each || st.Duplicates != 0 {
		t.Errorf("%d names, stats %+v", len(names), st)
	}
}

func TestOtherPathsAreNotFound(t *testing.T) {
	t.Parallel()
	sim := fcmsimtest.Start(t, fcmsim.Config{})
	client := fcmsimtest.Client(t)
	for _, path := range []string{"/projects//messages:send", "/projects/a/b/messages:send", "/projects/a/messages", "/x"} {
		if a := post(t, client, sim.URL()+path, toToken("t")); a.status != 404 || !strings.HasPrefix(a.body, "<!DOCTYPE html>") {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	if a := get(t, client, sim.URL()+sendPath); a.status != 404 {
		t.Errorf("GET: %d", a.status)
	}
	if st := sim.Stats(); st.Requests != 0 || st.Connections != 0 {
		t.Errorf("stats %+v", st)
	}
}

func TestHugeBodyIsRefused(t *testing.T) {
	t.Parallel()
	sim := fcmsimtest.Start(t, fcmsim.Config{})
	a := post(t, fcmsimtest.Client(t), sim.URL()+sendPath, toToken(strings.Repeat("t", 1<<20)))
	if a.status != 400 || !strings.Contains(a.body, "payload size exceeds the limit") {
		t.Errorf("%d %s", a.status, a.body)
	}
}
