package deadletters

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/httpapi/deadletters/deadletterstest"
	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/httpapi/door/doortest"
	"github.com/belfry-push/belfry/internal/letters"
	"github.com/belfry-push/belfry/internal/push"
)

const lettersPath = "/v1/dead-letters"

func TestLettersAreFiltered(t *testing.T) {
	t.Parallel()
	g := setup(t)
	for query, want := range map[string]int{
		"":                         5,
		"?queue=events":            1,
		"?tenant=other":            1,
		"?app=app":                 4,
		"?code=fcm.unavailable":    4,
		"?code=attempts_exhausted": 4,
		"?class=retryable":         4,
		"?fingerprint=f2":          1,
		"?notification=" + string(deadletterstest.Batch):              4,
		"?notification=" + "ntf_01890a5d-ac96-774b-bcce-b302099a8057": 0,
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
		got := g.Do(t, "GET", lettersPath+query, "").Want(t, http.StatusOK, "")
		doortest.Decode(t, got.Body.Bytes(), &list)
		if len(list.Items) != want {
			t.Errorf("%s: %d letters, want %d", query, len(list.Items), want)
		}
		if strings.Contains(got.Body.String(), "secret") {
			t.Errorf("%s shows an address or a body: %s", query, got.Body)
		}
	}
	for query, pointer := range map[string]string{
		"?code=fcm.nope": "?code", "?code=open": "?code", "?code=sent": "?code", "?class=x": "?class", "?class=open": "?class",
		"?class=cancelled": "?class", "?state=parked,x": "?state", "?queue=x": "?queue", "?label=%3Dx": "?label",
		"?older=soon":  "?older",
		"?younger=-1h": "?younger", "?dead_after=today": "?dead_after", "?older=1h&dead_before=2026-11-03T10:00:00Z": "?dead_before",
		"?ids=x": "?ids",
	} {
		got := g.Do(t, "GET", lettersPath+query, "").Want(t, http.StatusUnprocessableEntity, door.CodeInvalid)
		if got.Problem.Errors[0].Pointer != pointer {
			t.Errorf("%s: %+v", query, got.Problem.Errors)
		}
	}
}

func TestLettersArePaged(t *testing.T) {
	t.Parallel()
	g := setup(t)
	seen := map[string]bool{}
	for cursor := ""; ; {
		var list client.DeadLetterList
		doortest.Decode(t, g.Do(t, "GET", lettersPath+"?limit=2&cursor="+cursor, "").Want(t, http.StatusOK, "").Body.Bytes(), &list)
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
	g.Do(t, "GET", lettersPath+"?cursor=nobody-gave-this", "").Want(t, http.StatusBadRequest, door.CodeCursor)
}

func TestGroupsAndStats(t *testing.T) {
	t.Parallel()
	g := setup(t)
	var groups client.DeadLetterGroups
	doortest.Decode(t, g.Do(t, "GET", lettersPath+"/groups?limit=1", "").Want(t, http.StatusOK, "").Body.Bytes(), &groups)
	if groups.Total != 2 || len(groups.Items) != 1 || groups.Items[0].Count != 4 || groups.Items[0].Tenants["other"] != 1 ||
		groups.Items[0].Advice.Runbook != "docs/runbooks/dead-letters.md#fcmunavailable" || groups.Expiry.Letters != 5 {
		t.Errorf("groups: %+v", groups)
	}
	var stats client.DeadLetterStats
	doortest.Decode(t, g.Do(t, "GET", lettersPath+"/stats", "").Want(t, http.StatusOK, "").Body.Bytes(), &stats)
	if stats.ByState["parked"] != 5 || stats.ByCode["fcm.unavailable"] != 4 || stats.ByTenant["other"] != 1 || stats.Groups != 2 ||
		stats.Expiry.Within != "1h0m0s" {
		t.Errorf("stats: %+v", stats)
	}
}

func TestLetterTellsItsStory(t *testing.T) {
	t.Parallel()
	g := setup(t)
	id := string(push.DerivedID(push.PrefixDeadLetter, "", "0"))
	got := g.Do(t, "GET", lettersPath+"/"+id, "").Want(t, http.StatusOK, "")
	var l client.DeadLetter
	doortest.Decode(t, got.Body.Bytes(), &l)
	if l.Prediction != "would_send" || l.Ledger != "attempts_exhausted" || len(l.Evidence) != 1 || l.Advice.Cause == "" ||
		string(l.Message) != `{"notification":{"title":"Hi"}}` || len(l.AddressHash) != 16 || strings.Contains(got.Body.String(), "secret") {
		t.Errorf("letter: %+v", l)
	}
	message := lettersPath + "/" + string(push.DerivedID(push.PrefixDeadLetter, "", "4"))
	doortest.Decode(t, g.Do(t, "GET", message+"?body=true", "").Want(t, http.StatusOK, "").Body.Bytes(), &l)
	if string(l.Body) != "\x00secret" {
		t.Errorf("body: %q", l.Body)
	}
	l = client.DeadLetter{}
	if doortest.Decode(t, g.Do(t, "GET", message, "").Want(t, http.StatusOK, "").Body.Bytes(), &l); l.Body != nil {
		t.Errorf("body without being asked: %q", l.Body)
	}
	g.Do(t, "GET", lettersPath+"/"+"ntf_01890a5d-ac96-774b-bcce-b302099a8057", "").Want(t, http.StatusNotFound, door.CodeNotFound)
}

// From simulation to the end, in which an executor does the work.
func TestReplay(t *testing.T) {
	t.Parallel()
	g := setup(t)
	room := g.replays
	simulate := `{"filter":{"fingerprint":"f1","tenant":"default"},"edits":{"patch":[{"op":"replace","path":"/notification/title",` +
		`"value":"Sorry"}],"expire_after":"1h"},"rate":10,"by":"me"}`
	var s client.Simulation
	got := g.Do(t, "POST", "/v1/simulations", simulate, "Idempotency-Key", "k1").Want(t, http.StatusCreated, "")
	doortest.Decode(t, got.Body.Bytes(), &s)
	if s.Total != 3 || s.Sends != 3 || s.Counts["would_send"] != 3 || s.By != "me" || s.Seconds != 0.3 ||
		string(s.MessageAfter) != `{"notification":{"title":"Sorry"}}` ||
		s.Edits.ExpireAfter != "1h0m0s" || s.Filter.Fingerprint != "f1" || got.Header().Get("Location") != "/v1/simulations/"+s.ID {
		t.Errorf("simulation: %+v", s)
	}
	again := g.Do(t, "POST", "/v1/simulations", simulate, "Idempotency-Key", "k1").Want(t, http.StatusCreated, "")
	if !bytes.Equal(again.Body.Bytes(), got.Body.Bytes()) || again.Header().Get("Idempotency-Replayed") != "true" {
		t.Errorf("a repeat simulates again: %s", again.Body)
	}
	g.Do(t, "POST", "/v1/simulations", `{"all":true}`, "Idempotency-Key", "k1").Want(t, http.StatusUnprocessableEntity, door.CodeKeyReused)
	g.Do(t, "GET", "/v1/simulations/"+s.ID, "").Want(t, http.StatusOK, "")

	var r client.Replay
	doortest.Decode(t,
		g.Do(t, "POST", "/v1/replays", `{"simulation":"`+s.ID+
			`","canary":0,"stop_if_refail":0.5,"max":10,"by":"me"}`).Want(t, http.StatusCreated, "").Body.Bytes(),
		&r)
	one := "/v1/replays/" + r.ID
	doortest.Decode(t, g.Do(t, "POST", one+"/pause?by=me", "").Want(t, http.StatusOK, "").Body.Bytes(), &r)
	if r.State != client.ReplayPaused || r.Why != "by me" || r.Total != 3 || r.StopIfRefail != 0.5 || r.Canary != 0 || r.Next == "" {
		t.Errorf("paused: %+v", r)
	}
	g.Do(t, "POST", one+"/pause", "").Want(t, http.StatusConflict, door.CodeState)
	g.Do(t, "POST", one+"/resume", "").Want(t, http.StatusOK, "")
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
		doortest.Decode(t, g.Do(t, "GET", one, "").Want(t, http.StatusOK, "").Body.Bytes(), &r)
	}
	cancel()
	<-ended
	if r.State != client.ReplayCompleted || r.Sent != 3 || r.ByOutcome["sent"] != 3 || r.EndedAt == nil {
		t.Errorf("completed: %+v", r)
	}
	var list client.ReplayList
	doortest.Decode(t, g.Do(t, "GET", "/v1/replays", "").Want(t, http.StatusOK, "").Body.Bytes(), &list)
	if len(list.Items) != 1 || list.Items[0].ID != r.ID {
		t.Errorf("list: %+v", list)
	}
	g.Do(t, "POST", "/v1/replays", `{"simulation":"`+s.ID+`"}`).Want(t, http.StatusConflict, door.CodeStale)
	g.Do(t, "POST", one+"/cancel", "").Want(t, http.StatusConflict, door.CodeState)
}

// What an operator gets wrong is said clearly.
func TestLetterFaults(t *testing.T) {
	t.Parallel()
	g := setup(t)
	const missing = "sim_01890a5d-ac96-774b-bcce-b302099a8057"
	for name, c := range map[string]struct {
		target, body string
		status       int
		code         door.Code
	}{
		"nothing matches":    {"/v1/simulations", `{"filter":{"fingerprint":"nope"}}`, 422, door.CodeNothing},
		"no filter":          {"/v1/simulations", `{}`, 422, door.CodeUnbounded},
		"discard all":        {lettersPath + "/discard", `{"reason":"x"}`, 422, door.CodeUnbounded},
		"discard nothing":    {lettersPath + "/discard", `{"filter":{"text":"nope"},"reason":"x"}`, 422, door.CodeNothing},
		"discard, no reason": {lettersPath + "/discard", `{"filter":{"queue":"events"}}`, 422, door.CodeInvalid},
		"more than expected": {lettersPath + "/discard", `{"all":true,"reason":"x","expect":2}`, 409, door.CodeStale},
		"replayed letters":   {"/v1/simulations", `{"filter":{"states":["replayed"]}}`, 422, door.CodeInvalid},
		"bad patch":          {"/v1/simulations", `{"all":true,"edits":{"patch":[{"op":"swap","path":"/x"}]}}`, 422, door.CodeInvalid},
		"bad deadline":       {"/v1/simulations", `{"all":true,"edits":{"expire_after":"later"}}`, 422, door.CodeInvalid},
		"bad id":             {"/v1/simulations", `{"filter":{"ids":["x"]}}`, 422, door.CodeInvalid},
		"unknown field":      {"/v1/simulations", `{"filter":{"quere":"x"}}`, 422, door.CodeInvalid},
		"wrong type":         {"/v1/simulations", `{"filter":{"queue":7}}`, 422, door.CodeInvalid},
		"no JSON":            {"/v1/simulations", `{"filter"`, 400, door.CodeMalformed},
		"two values":         {"/v1/simulations", `{} {}`, 400, door.CodeMalformed},
		"no simulation":      {"/v1/replays", `{"simulation":"` + missing + `"}`, 404, door.CodeNotFound},
		"not a simulation":   {"/v1/replays", `{"simulation":"x"}`, 422, door.CodeInvalid},
		"long name":          {"/v1/simulations", `{"all":true,"by":"` + strings.Repeat("x", 101) + `"}`, 422, door.CodeInvalid},
		"no archive":         {lettersPath + "/import", "what\n", 422, door.CodeArchive},
		"cut archive": {
			lettersPath + "/import", `{"type":"dead_letters","v":1,"at":"2026-11-03T10:00:00Z","filter":{}}` + "\n", 422, door.CodeArchive,
		},
		"newer archive": {
			lettersPath + "/import", `{"type":"dead_letters","v":9,"at":"2026-11-03T10:00:00Z","filter":{}}` + "\n", 422, door.CodeArchive,
		},
	} {
		kind := door.TypeJSON
		if strings.HasSuffix(c.target, "import") {
			kind = door.TypeNDJSON
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g.Do(t, "POST", c.target, c.body, "Content-Type", kind).Want(t, c.status, c.code)
		})
	}
}

func TestDiscard(t *testing.T) {
	t.Parallel()
	g := setup(t)
	id := string(push.DerivedID(push.PrefixDeadLetter, "", "4"))
	got := g.Do(t, "POST", lettersPath+"/discard", `{"filter":{"ids":["`+id+`"]},"reason":"a test"}`).Want(t, http.StatusOK, "")
	var l client.DeadLetter
	doortest.Decode(t, g.Do(t, "GET", lettersPath+"/"+id+"?body=true", "").Want(t, http.StatusOK, "").Body.Bytes(), &l)
	if strings.TrimSpace(got.Body.String()) != `{"discarded":1}` || l.State != "discarded" || l.Reason != "a test" ||
		l.By != access.DefaultName || l.Body != nil {
		t.Errorf("%s: %+v", got.Body, l)
	}
}

func TestArchive(t *testing.T) {
	t.Parallel()
	from, to := setup(t), setup(t)
	plain := from.Do(t, "GET", lettersPath+"/export?fingerprint=f1", "").Want(t, http.StatusOK, "")
	if !strings.Contains(plain.Body.String(), "secret-token-0") || strings.Count(plain.Body.String(), "\n") != 6 {
		t.Errorf("archive: %s", plain.Body)
	}
	r := httptest.NewRequest(http.MethodGet, lettersPath+"/export?fingerprint=f1", nil)
	r.Header.Set("Accept-Encoding", "gzip, zstd;q=0.5")
	packed := httptest.NewRecorder()
	from.ServeHTTP(packed, r)
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
		doortest.Decode(t, to.Do(t, "POST", lettersPath+"/import", archive, "Content-Type", typeZstd).Want(t, http.StatusOK, "").Body.Bytes(),
			&res)
		if res.Letters != 4 || res.Stored != 0 {
			t.Errorf("import: %+v", res)
		}
	}
	from.Do(t, "HEAD", lettersPath+"/export", "")
	for accept, want := range map[string]bool{"": false, "gzip": false, "zstd": true, "ZSTD ; q=1": true, "br, zstd;q=0": false} {
		if got := door.WantsZstd(http.Header{"Accept-Encoding": {accept}}); got != want {
			t.Errorf("Accept-Encoding %q: %v", accept, got)
		}
	}
}

// A tenant that is no operator sees and moves its own letters only.
func TestTenantsLetters(t *testing.T) {
	t.Parallel()
	g := setup(t, func(c *config) {
		c.Auth = access.NewKeys(map[string]string{"op": access.DefaultName, "theirs": "other", "third": "third"})
	})
	theirs := []string{"Authorization", "Bearer theirs"}
	var list client.DeadLetterList
	doortest.Decode(t, g.Do(t, "GET", lettersPath, "", theirs...).Want(t, http.StatusOK, "").Body.Bytes(), &list)
	if len(list.Items) != 1 || list.Items[0].Tenant != "other" {
		t.Errorf("list: %+v", list)
	}
	g.Do(t, "GET", lettersPath+"?tenant=default", "", theirs...).Want(t, http.StatusForbidden, door.CodeForbidden)
	g.Do(t, "GET", lettersPath+"/"+
		string(push.DerivedID(push.PrefixDeadLetter, "", "0")), "", theirs...).Want(t, http.StatusNotFound, door.CodeNotFound)
	g.Do(t, "POST", lettersPath+
		"/import", "", append(theirs, "Content-Type", door.TypeNDJSON)...).Want(t, http.StatusForbidden, door.CodeForbidden)
	g.Do(t, "POST", lettersPath+"/drain", "", theirs...).Want(t, http.StatusForbidden, door.CodeForbidden)
	g.Do(t, "POST", "/v1/simulations", `{}`, theirs...).Want(t, http.StatusUnprocessableEntity, door.CodeUnbounded)
	var s client.Simulation
	doortest.Decode(t, g.Do(t, "POST", "/v1/simulations", `{"all":true}`, theirs...).Want(t, http.StatusCreated, "").Body.Bytes(), &s)
	if s.Total != 1 {
		t.Errorf("simulated %d letters", s.Total)
	}
	third := []string{"Authorization", "Bearer third"}
	g.Do(t, "GET", "/v1/simulations/"+s.ID, "", third...).Want(t, http.StatusNotFound, door.CodeNotFound)
	g.Do(t, "POST", "/v1/replays", `{"simulation":"`+s.ID+`"}`, third...).Want(t, http.StatusNotFound, door.CodeNotFound)
	var r client.Replay
	doortest.Decode(t, g.Do(t, "POST", "/v1/replays", `{"simulation":"`+s.ID+`"}`, theirs...).Want(t, http.StatusCreated, "").Body.Bytes(), &r)
	for target, method := range map[string]string{"/v1/replays/" + r.ID: "GET", "/v1/replays/" + r.ID + "/cancel": "POST"} {
		g.Do(t, method, target, "", third...).Want(t, http.StatusNotFound, door.CodeNotFound)
	}
	var replays client.ReplayList
	doortest.Decode(t, g.Do(t, "GET", "/v1/replays", "", third...).Want(t, http.StatusOK, "").Body.Bytes(), &replays)
	if len(replays.Items) != 0 {
		t.Errorf("a third tenant sees %+v", replays)
	}
	g.Do(t, "POST", "/v1/replays/"+r.ID+"/cancel", "", "Authorization", "Bearer op").Want(t, http.StatusOK, "")
}

// An archive that breaks in the middle is cut, not ended.
func TestExportBreaks(t *testing.T) {
	t.Parallel()
	g := setup(t, func(c *config) { c.letters = broken{c.letters} })
	defer func() {
		if v := recover(); v != http.ErrAbortHandler { //nolint:errorlint // the very value, as net/http compares it
			t.Errorf("it ended with %v", v)
		}
	}()
	g.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, lettersPath+"/export", nil))
}

type broken struct{ Letters }

func (broken) ExportPlain(_ context.Context, _ push.LetterFilter, w io.Writer) (int64, error) {
	_, _ = io.WriteString(w, "half of it")
	return 0, errors.New("disk")
}

// What a request leaves out is careful; 0 and at_once are choices.
func TestReplayIsCareful(t *testing.T) {
	t.Parallel()
	for more, want := range map[string][2]float64{
		"":                                     {0.5, 0.2},
		`,"max":1`:                             {0.5, 0.2},
		`,"canary":0`:                          {0, 0.2},
		`,"canary":0.1`:                        {0.1, 0.2},
		`,"stop_if_refail":0`:                  {0.5, 0},
		`,"stop_if_refail":0.7`:                {0.5, 0.7},
		`,"canary":0,"stop_if_refail":0`:       {0, 0},
		`,"at_once":true`:                      {0, 0},
		`,"at_once":true,"stop_if_refail":0.1`: {0, 0.1},
		`,"at_once":false`:                     {0.5, 0.2},
	} {
		g := setup(t)
		var s client.Simulation
		doortest.Decode(t, g.Do(t, "POST", "/v1/simulations", `{"filter":{"fingerprint":"f1"}}`).Want(t, http.StatusCreated, "").Body.Bytes(), &s)
		var r client.Replay
		doortest.Decode(t, g.Do(t, "POST", "/v1/replays", `{"simulation":"`+s.ID+`"`+more+`}`).Want(t, http.StatusCreated, "").Body.Bytes(), &r)
		if got := [2]float64{r.Canary, r.StopIfRefail}; got != want {
			t.Errorf("%s: canary and limit %v, want %v", more, got, want)
		}
	}
	g := setup(t)
	var s client.Simulation
	doortest.Decode(t, g.Do(t, "POST", "/v1/simulations", `{"filter":{"fingerprint":"f1"}}`).Want(t, http.StatusCreated, "").Body.Bytes(), &s)
	got := g.Do(t, "POST", "/v1/replays", `{"simulation":"`+s.ID+`","at_once":true,"canary":0.1}`).Want(t, http.StatusUnprocessableEntity,
		door.CodeInvalid)
	if got.Problem.Errors[0].Pointer != "/at_once" {
		t.Errorf("%+v", got.Problem.Errors)
	}
}

// A letter tells until when it can be replayed.
func TestLetterTellsItsDeadlines(t *testing.T) {
	t.Parallel()
	g := setup(t)
	var list client.DeadLetterList
	doortest.Decode(t, g.Do(t, "GET", lettersPath+"?text=u0", "").Want(t, http.StatusOK, "").Body.Bytes(), &list)
	var l client.DeadLetter
	doortest.Decode(t, g.Do(t, "GET", lettersPath+"/"+list.Items[0].ID, "").Want(t, http.StatusOK, "").Body.Bytes(), &l)
	now := deadletterstest.Now()
	if l.ExpiresAt == nil || !l.ExpiresAt.Equal(now.Add(push.MaxTTL)) || l.KeptUntil == nil || !l.KeptUntil.Equal(now.Add(59*time.Minute)) {
		t.Errorf("expires %v, kept until %v", l.ExpiresAt, l.KeptUntil)
	}
}

// The queues are everybody's: only the operator drains them.
func TestDrain(t *testing.T) {
	t.Parallel()
	g := setup(t, func(c *config) { c.letters = draining{c.letters} })
	var d client.Drained
	doortest.Decode(t, g.Do(t, "POST", lettersPath+"/drain", "").Want(t, http.StatusOK, "").Body.Bytes(), &d)
	if want := (client.Drained{Messages: 1, Letters: 2, Stored: 3, Left: 4, Mended: 5, More: true}); d != want {
		t.Errorf("drained %+v, want %+v", d, want)
	}
}

type draining struct{ Letters }

func (draining) DrainFor(_ context.Context, most time.Duration) (letters.Drained, error) {
	if most <= 0 || most > 30*time.Second {
		return letters.Drained{}, errors.New("unbounded")
	}
	return letters.Drained{Messages: 1, Letters: 2, Stored: 3, Left: 4, Mended: 5, More: true}, nil
}
