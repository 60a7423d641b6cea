package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/replay"
)

const letters = "/v1/dead-letters"

// operated is a door whose only key is the operator's.
func operated(c *Config) { c.Operator = DefaultTenant }

func TestLettersAreFiltered(t *testing.T) {
	t.Parallel()
	g := setup(t, operated)
	for query, want := range map[string]int{
		"":                                  5,
		"?queue=events":                     1,
		"?tenant=other":                     1,
		"?app=app":                          4,
		"?code=fcm.unavailable":             4,
		"?code=attempts_exhausted":          4,
		"?class=retryable":                  4,
		"?fingerprint=f2":                   1,
		"?notification=" + batID:            4,
		"?notification=" + ntfID:            0,
		"?replay=rpl_1":                     0,
		"?label=campaign":                   4,
		"?label=campaign%3Dx":               4,
		"?label=campaign%3Dy":               0,
		"?text=OVERLOADED":                  4,
		"?text=u2":                          1,
		"?state=replayed,discarded":         0,
		"?state=parked":                     5,
		"?older=90m":                        3,
		"?younger=90m":                      2,
		"?older=90m&younger=150m":           1,
		"?dead_before=2026-11-03T10:00:00Z": 2,
		"?dead_after=2026-11-03T10:00:00Z":  3,
	} {
		var list client.DeadLetterList
		got := g.do(t, "GET", letters+query, "").want(t, http.StatusOK, "")
		decode(t, got.Body.Bytes(), &list)
		if len(list.Items) != want {
			t.Errorf("%s: %d letters, want %d", query, len(list.Items), want)
		}
		if strings.Contains(got.Body.String(), "secret") {
			t.Errorf("%s shows an address or a body: %s", query, got.Body)
		}
	}
	for query, pointer := range map[string]string{
		"?code=fcm.nope": "?code", "?class=x": "?class", "?state=parked,x": "?state", "?queue=x": "?queue", "?label=%3Dx": "?label", "?older=soon": "?older",
		"?younger=-1h": "?younger", "?dead_after=today": "?dead_after", "?older=1h&dead_before=2026-11-03T10:00:00Z": "?dead_before", "?ids=x": "?ids",
	} {
		if got := g.do(t, "GET", letters+query, "").want(t, http.StatusUnprocessableEntity, codeInvalid); got.problem.Errors[0].Pointer != pointer {
			t.Errorf("%s: %+v", query, got.problem.Errors)
		}
	}
}

func TestLettersArePaged(t *testing.T) {
	t.Parallel()
	g := setup(t, operated)
	seen := map[string]bool{}
	for cursor := ""; ; {
		var list client.DeadLetterList
		decode(t, g.do(t, "GET", letters+"?limit=2&cursor="+cursor, "").want(t, http.StatusOK, "").Body.Bytes(), &list)
		for _, l := range list.Items {
			seen[l.ID] = true
		}
		if cursor = list.NextCursor; cursor == "" {
			break
		}
	}
	if len(seen) != 5 {
		t.Errorf("%d letters over all pages", len(seen))
	}
	g.do(t, "GET", letters+"?cursor=nobody-gave-this", "").want(t, http.StatusBadRequest, codeCursor)
}

func TestGroupsAndStats(t *testing.T) {
	t.Parallel()
	g := setup(t, operated)
	var groups client.DeadLetterGroups
	decode(t, g.do(t, "GET", letters+"/groups?limit=1", "").want(t, http.StatusOK, "").Body.Bytes(), &groups)
	if groups.Total != 2 || len(groups.Items) != 1 || groups.Items[0].Count != 4 || groups.Items[0].Tenants["other"] != 1 ||
		groups.Items[0].Advice.Runbook != "docs/runbooks/dead-letters.md#fcmunavailable" || groups.Expiry.Letters != 5 {
		t.Errorf("groups: %+v", groups)
	}
	var stats client.DeadLetterStats
	decode(t, g.do(t, "GET", letters+"/stats", "").want(t, http.StatusOK, "").Body.Bytes(), &stats)
	if stats.ByState["parked"] != 5 || stats.ByCode["fcm.unavailable"] != 4 || stats.ByTenant["other"] != 1 || stats.Groups != 2 || stats.Expiry.Within != "1h0m0s" {
		t.Errorf("stats: %+v", stats)
	}
}

func TestLetterTellsItsStory(t *testing.T) {
	t.Parallel()
	g := setup(t, operated)
	id := string(push.DerivedID(push.PrefixDeadLetter, "", "0"))
	got := g.do(t, "GET", letters+"/"+id, "").want(t, http.StatusOK, "")
	var l client.DeadLetter
	decode(t, got.Body.Bytes(), &l)
	if l.Prediction != "would_send" || l.Ledger != "attempts_exhausted" || len(l.Evidence) != 1 || l.Advice.Cause == "" ||
		string(l.Message) != `{"notification":{"title":"Hi"}}` || len(l.AddressHash) != 16 || strings.Contains(got.Body.String(), "secret") {
		t.Errorf("letter: %+v", l)
	}
	message := letters + "/" + string(push.DerivedID(push.PrefixDeadLetter, "", "4"))
	decode(t, g.do(t, "GET", message+"?body=true", "").want(t, http.StatusOK, "").Body.Bytes(), &l)
	if string(l.Body) != "\x00secret" {
		t.Errorf("body: %q", l.Body)
	}
	l = client.DeadLetter{}
	if decode(t, g.do(t, "GET", message, "").want(t, http.StatusOK, "").Body.Bytes(), &l); l.Body != nil {
		t.Errorf("body without being asked: %q", l.Body)
	}
	g.do(t, "GET", letters+"/"+ntfID, "").want(t, http.StatusNotFound, codeNotFound)
}

// From simulation to the end, in which an executor does the work.
func TestReplay(t *testing.T) {
	t.Parallel()
	g := setup(t, operated)
	room := g.cfg.DeadLetters.(*replay.Room)
	simulate := `{"filter":{"fingerprint":"f1","tenant":"default"},"edits":{"patch":[{"op":"replace","path":"/notification/title","value":"Sorry"}],"expire_after":"1h"},"rate":10,"by":"me"}`
	var s client.Simulation
	got := g.do(t, "POST", "/v1/simulations", simulate, "Idempotency-Key", "k1").want(t, http.StatusCreated, "")
	decode(t, got.Body.Bytes(), &s)
	if s.Total != 3 || s.Sends != 3 || s.Counts["would_send"] != 3 || s.By != "me" || s.Seconds != 0.3 || string(s.MessageAfter) != `{"notification":{"title":"Sorry"}}` ||
		s.Edits.ExpireAfter != "1h0m0s" || s.Filter.Fingerprint != "f1" || got.Header().Get("Location") != "/v1/simulations/"+s.ID {
		t.Errorf("simulation: %+v", s)
	}
	again := g.do(t, "POST", "/v1/simulations", simulate, "Idempotency-Key", "k1").want(t, http.StatusCreated, "")
	if !bytes.Equal(again.Body.Bytes(), got.Body.Bytes()) || again.Header().Get("Idempotency-Replayed") != "true" {
		t.Errorf("a repeat simulates again: %s", again.Body)
	}
	g.do(t, "POST", "/v1/simulations", `{"all":true}`, "Idempotency-Key", "k1").want(t, http.StatusUnprocessableEntity, codeKeyReused)
	g.do(t, "GET", "/v1/simulations/"+s.ID, "").want(t, http.StatusOK, "")

	var r client.Replay
	decode(t, g.do(t, "POST", "/v1/replays", `{"simulation":"`+s.ID+`","stop_if_refail":0.5,"max":10,"by":"me"}`).want(t, http.StatusCreated, "").Body.Bytes(), &r)
	one := "/v1/replays/" + r.ID
	decode(t, g.do(t, "POST", one+"/pause?by=me", "").want(t, http.StatusOK, "").Body.Bytes(), &r)
	if r.State != client.ReplayPaused || r.Why != "by me" || r.Total != 3 || r.StopIfRefail != 0.5 {
		t.Errorf("paused: %+v", r)
	}
	g.do(t, "POST", one+"/pause", "").want(t, http.StatusConflict, codeState)
	g.do(t, "POST", one+"/resume", "").want(t, http.StatusOK, "")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		room.Execute(ctx)
	}()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !r.Done() || r.State == client.ReplayPaused {
		<-tick.C
		decode(t, g.do(t, "GET", one, "").want(t, http.StatusOK, "").Body.Bytes(), &r)
	}
	cancel()
	<-ended
	if r.State != client.ReplayCompleted || r.Sent != 3 || r.ByOutcome["sent"] != 3 || r.EndedAt == nil {
		t.Errorf("completed: %+v", r)
	}
	var list client.ReplayList
	decode(t, g.do(t, "GET", "/v1/replays", "").want(t, http.StatusOK, "").Body.Bytes(), &list)
	if len(list.Items) != 1 || list.Items[0].ID != r.ID {
		t.Errorf("list: %+v", list)
	}
	g.do(t, "POST", "/v1/replays", `{"simulation":"`+s.ID+`"}`).want(t, http.StatusConflict, codeStale)
	g.do(t, "POST", one+"/cancel", "").want(t, http.StatusConflict, codeState)
}

// What an operator gets wrong is said clearly.
func TestLetterFaults(t *testing.T) {
	t.Parallel()
	g := setup(t, operated)
	const missing = "sim_01890a5d-ac96-774b-bcce-b302099a8057"
	for name, c := range map[string]struct {
		target, body string
		status       int
		code         code
	}{
		"nothing matches":    {"/v1/simulations", `{"filter":{"fingerprint":"nope"}}`, 422, codeNothing},
		"no filter":          {"/v1/simulations", `{}`, 422, codeUnbounded},
		"discard all":        {letters + "/discard", `{"reason":"x"}`, 422, codeUnbounded},
		"discard nothing":    {letters + "/discard", `{"filter":{"text":"nope"},"reason":"x"}`, 422, codeNothing},
		"discard, no reason": {letters + "/discard", `{"filter":{"queue":"events"}}`, 422, codeInvalid},
		"more than expected": {letters + "/discard", `{"all":true,"reason":"x","expect":2}`, 409, codeStale},
		"replayed letters":   {"/v1/simulations", `{"filter":{"states":["replayed"]}}`, 422, codeInvalid},
		"bad patch":          {"/v1/simulations", `{"all":true,"edits":{"patch":[{"op":"swap","path":"/x"}]}}`, 422, codeInvalid},
		"bad deadline":       {"/v1/simulations", `{"all":true,"edits":{"expire_after":"later"}}`, 422, codeInvalid},
		"bad id":             {"/v1/simulations", `{"filter":{"ids":["x"]}}`, 422, codeInvalid},
		"unknown field":      {"/v1/simulations", `{"filter":{"quere":"x"}}`, 422, codeInvalid},
		"wrong type":         {"/v1/simulations", `{"filter":{"queue":7}}`, 422, codeInvalid},
		"no JSON":            {"/v1/simulations", `{"filter"`, 400, codeMalformed},
		"two values":         {"/v1/simulations", `{} {}`, 400, codeMalformed},
		"no simulation":      {"/v1/replays", `{"simulation":"` + missing + `"}`, 404, codeNotFound},
		"not a simulation":   {"/v1/replays", `{"simulation":"x"}`, 422, codeInvalid},
		"long name":          {"/v1/simulations", `{"all":true,"by":"` + strings.Repeat("x", 101) + `"}`, 422, codeInvalid},
		"no archive":         {letters + "/import", "what\n", 422, codeArchive},
		"cut archive":        {letters + "/import", `{"type":"dead_letters","v":1,"at":"2026-11-03T10:00:00Z","filter":{}}` + "\n", 422, codeArchive},
		"newer archive":      {letters + "/import", `{"type":"dead_letters","v":9,"at":"2026-11-03T10:00:00Z","filter":{}}` + "\n", 422, codeArchive},
	} {
		kind := typeJSON
		if strings.HasSuffix(c.target, "import") {
			kind = typeNDJSON
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g.do(t, "POST", c.target, c.body, "Content-Type", kind).want(t, c.status, c.code)
		})
	}
}

func TestDiscard(t *testing.T) {
	t.Parallel()
	g := setup(t, operated)
	id := string(push.DerivedID(push.PrefixDeadLetter, "", "4"))
	got := g.do(t, "POST", letters+"/discard", `{"filter":{"ids":["`+id+`"]},"reason":"a test"}`).want(t, http.StatusOK, "")
	var l client.DeadLetter
	decode(t, g.do(t, "GET", letters+"/"+id+"?body=true", "").want(t, http.StatusOK, "").Body.Bytes(), &l)
	if strings.TrimSpace(got.Body.String()) != `{"discarded":1}` || l.State != "discarded" || l.Reason != "a test" || l.By != DefaultTenant || l.Body != nil {
		t.Errorf("%s: %+v", got.Body, l)
	}
}

func TestArchive(t *testing.T) {
	t.Parallel()
	from, to := setup(t, operated), setup(t, operated)
	plain := from.do(t, "GET", letters+"/export?fingerprint=f1", "").want(t, http.StatusOK, "")
	if !strings.Contains(plain.Body.String(), "secret-token-0") || strings.Count(plain.Body.String(), "\n") != 6 {
		t.Errorf("archive: %s", plain.Body)
	}
	r := httptest.NewRequest(http.MethodGet, letters+"/export?fingerprint=f1", nil)
	r.Header.Set("Accept-Encoding", "gzip, zstd;q=0.5")
	packed := httptest.NewRecorder()
	from.mux.ServeHTTP(packed, r)
	zip, err := zstd.NewReader(bytes.NewReader(packed.Body.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	defer zip.Close()
	unpacked, err := io.ReadAll(zip)
	if err != nil || packed.Header().Get("Content-Encoding") != "zstd" || !bytes.Equal(unpacked, plain.Body.Bytes()) {
		t.Errorf("compressed: %v %s (%v)", packed.Header(), unpacked, err)
	}
	for _, archive := range []string{plain.Body.String(), packed.Body.String()} {
		var res client.ArchiveResult
		decode(t, to.do(t, "POST", letters+"/import", archive, "Content-Type", typeZstd).want(t, http.StatusOK, "").Body.Bytes(), &res)
		if res.Letters != 4 || res.Stored != 0 {
			t.Errorf("import: %+v", res)
		}
	}
	from.do(t, "HEAD", letters+"/export", "")
	for accept, want := range map[string]bool{"": false, "gzip": false, "zstd": true, "ZSTD ; q=1": true, "br, zstd;q=0": false} {
		if got := wantsZstd(http.Header{"Accept-Encoding": {accept}}); got != want {
			t.Errorf("Accept-Encoding %q: %v", accept, got)
		}
	}
}

// A tenant that is no operator sees and moves its own letters only.
func TestTenantsLetters(t *testing.T) {
	t.Parallel()
	g := setup(t, func(c *Config) {
		c.Auth, c.Operator = NewKeys(map[string]string{"op": DefaultTenant, "theirs": "other", "third": "third"}), DefaultTenant
	})
	theirs := []string{"Authorization", "Bearer theirs"}
	var list client.DeadLetterList
	decode(t, g.do(t, "GET", letters, "", theirs...).want(t, http.StatusOK, "").Body.Bytes(), &list)
	if len(list.Items) != 1 || list.Items[0].Tenant != "other" {
		t.Errorf("list: %+v", list)
	}
	g.do(t, "GET", letters+"?tenant=default", "", theirs...).want(t, http.StatusForbidden, codeForbidden)
	g.do(t, "GET", letters+"/"+string(push.DerivedID(push.PrefixDeadLetter, "", "0")), "", theirs...).want(t, http.StatusNotFound, codeNotFound)
	g.do(t, "POST", letters+"/import", "", append(theirs, "Content-Type", typeNDJSON)...).want(t, http.StatusForbidden, codeForbidden)
	g.do(t, "POST", "/v1/simulations", `{}`, theirs...).want(t, http.StatusUnprocessableEntity, codeUnbounded)
	var s client.Simulation
	decode(t, g.do(t, "POST", "/v1/simulations", `{"all":true}`, theirs...).want(t, http.StatusCreated, "").Body.Bytes(), &s)
	if s.Total != 1 {
		t.Errorf("simulated %d letters", s.Total)
	}
	third := []string{"Authorization", "Bearer third"}
	g.do(t, "GET", "/v1/simulations/"+s.ID, "", third...).want(t, http.StatusNotFound, codeNotFound)
	g.do(t, "POST", "/v1/replays", `{"simulation":"`+s.ID+`"}`, third...).want(t, http.StatusNotFound, codeNotFound)
	var r client.Replay
	decode(t, g.do(t, "POST", "/v1/replays", `{"simulation":"`+s.ID+`"}`, theirs...).want(t, http.StatusCreated, "").Body.Bytes(), &r)
	for target, method := range map[string]string{"/v1/replays/" + r.ID: "GET", "/v1/replays/" + r.ID + "/cancel": "POST"} {
		g.do(t, method, target, "", third...).want(t, http.StatusNotFound, codeNotFound)
	}
	var replays client.ReplayList
	decode(t, g.do(t, "GET", "/v1/replays", "", third...).want(t, http.StatusOK, "").Body.Bytes(), &replays)
	if len(replays.Items) != 0 {
		t.Errorf("a third tenant sees %+v", replays)
	}
	g.do(t, "POST", "/v1/replays/"+r.ID+"/cancel", "", "Authorization", "Bearer op").want(t, http.StatusOK, "")
}

// An archive that breaks in the middle is cut, not ended.
func TestExportBreaks(t *testing.T) {
	t.Parallel()
	g := setup(t, operated, func(c *Config) { c.DeadLetters = broken{c.DeadLetters} })
	defer func() {
		if v := recover(); v != http.ErrAbortHandler { //nolint:errorlint // the very value, as net/http compares it
			t.Errorf("it ended with %v", v)
		}
	}()
	g.mux.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, letters+"/export", nil))
}

type broken struct{ DeadLetters }

func (broken) ExportPlain(_ context.Context, _ push.LetterFilter, w io.Writer) (int64, error) {
	_, _ = io.WriteString(w, "half of it")
	return 0, errors.New("disk")
}

// The door of the backend has the same routes without the rest.
func TestNewDeadLetters(t *testing.T) {
	t.Parallel()
	g := setup(t)
	h, err := NewDeadLetters(newRoom(t), g.answers, g.log)
	if err != nil {
		t.Fatal(err)
	}
	for target, want := range map[string]int{letters: 200, "/v1/replays": 200, "/v1/notifications": 404, "/metrics": 404} {
		got := httptest.NewRecorder()
		h.ServeHTTP(got, httptest.NewRequest(http.MethodGet, target, nil))
		if got.Code != want || !json.Valid(got.Body.Bytes()) {
			t.Errorf("%s: %d %s", target, got.Code, got.Body)
		}
	}
}

// A backend without dead letters has no such routes.
func TestWithoutDeadLetters(t *testing.T) {
	t.Parallel()
	g := setup(t, func(c *Config) { c.DeadLetters = nil })
	g.do(t, "GET", letters, "").want(t, http.StatusNotFound, codeNoRoute)
}
