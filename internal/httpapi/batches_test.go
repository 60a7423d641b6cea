package httpapi

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/batch"
	"github.com/belfry-push/belfry/internal/push"
)

const recipients = "/v1/batches/" + batID + "/recipients"

func TestMoves(t *testing.T) {
	t.Parallel()
	for path, state := range map[string]string{
		"/v1/batches/" + batID + "/start":        "accepted",
		"/v1/batches/" + batID + "/pause":        "paused",
		"/v1/batches/" + batID + "/resume":       "sending",
		"/v1/batches/" + batID + "/cancel":       "cancelled",
		"/v1/notifications/" + batID + "/cancel": "cancelled",
		"/v1/notifications/" + ntfID + "/cancel": "cancelled",
	} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			var n client.Notification
			decode(t, setup(t).do(t, "POST", path, "").want(t, http.StatusOK, "").Body.Bytes(), &n)
			if n.State != state || !strings.Contains(path, n.ID) {
				t.Errorf("got %+v", n)
			}
		})
	}
	setup(t).do(t, "POST", "/v1/batches/"+ntfID+"/start", "").want(t, http.StatusNotFound, codeNotFound)
}

func TestStartEarly(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]string{"": "start", "?early=false": "start", "?early=true": "start early"} {
		g := setup(t)
		asked := ""
		g.batches.fn = func(op string, id push.ID) (push.Notification, error) {
			asked = op
			n, err := moved("start", id)
			n.Progress.Early = op == "start early"
			n.Progress.Duplicates, n.Progress.UncheckedFrom = 3, 12
			return n, err
		}
		var n client.Notification
		decode(t, g.do(t, "POST", "/v1/batches/"+batID+"/start"+query, "").want(t, http.StatusOK, "").Body.Bytes(), &n)
		if asked != want || n.UploadOpen != (want == "start early") || *n.Duplicates != 3 || *n.UncheckedFrom != 12 {
			t.Errorf("%q asked for %q: %+v", query, asked, n)
		}
	}
	setup(t).do(t, "POST", "/v1/batches/"+batID+"/start?early=perhaps", "").want(t, http.StatusUnprocessableEntity, codeInvalid)
}

func TestIllegalMove(t *testing.T) {
	t.Parallel()
	g := setup(t)
	g.batches.fn = func(op string, id push.ID) (push.Notification, error) {
		return push.Notification{}, &push.StateError{ID: id, State: "completed", Op: op, Legal: []string{"report"}}
	}
	got := g.do(t, "POST", "/v1/batches/"+batID+"/pause", "").want(t, http.StatusConflict, codeState)
	if !strings.Contains(got.problem.Detail, "legal now: report") {
		t.Errorf("must list what is legal: %q", got.problem.Detail)
	}
}

func TestUpload(t *testing.T) {
	t.Parallel()
	g := setup(t)
	g.batches.upload = func(r io.Reader, o batch.Options) (batch.Result, error) {
		res, err := countLines(r, o)
		res.Duplicates = 1
		res.Faults = []batch.LineFault{{Line: 2, Fault: push.Fault{Pointer: "/token", Code: push.FaultValue, Detail: "must not be empty"}}}
		return res, err
	}
	got := g.do(t, "POST", recipients+"?offset=5&all_or_nothing=true", "{}\n{}\n", "Content-Type", typeNDJSON).want(t, http.StatusOK, "")
	var res client.UploadResult
	decode(t, got.Body.Bytes(), &res)
	if g.batches.uploaded != (batch.Options{Offset: 5, AllOrNothing: true}) || res.Accepted != 2 || res.Duplicates != 1 || res.Errors[0].Line != 2 {
		t.Errorf("options %+v, result %+v", g.batches.uploaded, res)
	}
	g.do(t, "POST", recipients, "{}\n").want(t, http.StatusOK, "")
	if g.batches.uploaded != (batch.Options{}) {
		t.Errorf("without parameters: %+v", g.batches.uploaded)
	}
}

// An upload is larger than any other body may be.
func TestLargeUpload(t *testing.T) {
	t.Parallel()
	line := `{"token":"` + strings.Repeat("x", 180) + "\"}\n"
	setup(t).do(t, "POST", recipients, strings.Repeat(line, 4*maxBody/len(line))).want(t, http.StatusOK, "")
}

func TestRefusedUploads(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		target string
		res    batch.Result
		err    error
		status int
		code   code
		says   string
	}{
		"offset 0":          {target: recipients + "?offset=0", status: 422, code: codeInvalid},
		"flag":              {target: recipients + "?all_or_nothing=yes", status: 422, code: codeInvalid, says: "true or false"},
		"not a batch":       {target: "/v1/batches/" + ntfID + "/recipients", status: 404, code: codeNotFound},
		"unknown":           {err: push.ErrNotFound, status: 404, code: codeNotFound},
		"started":           {err: &push.StateError{ID: batID, State: "sending", Op: "upload", Legal: []string{"pause"}}, status: 409, code: codeState, says: "pause"},
		"gap":               {err: &batch.GapError{Offset: 12, Watermark: 7}, status: 409, code: codeGap, says: "offset=8"},
		"all or nothing":    {err: &batch.RefusedError{Result: batch.Result{Invalid: 1, Faults: []batch.LineFault{{Line: 9, Fault: push.Fault{Pointer: "/token", Code: "value", Detail: "bad"}}}}}, status: 422, code: codeRefused, says: "line 9: bad"},
		"fails at once":     {err: errors.New("disk"), status: 500, code: codeInternal, says: "0 lines"},
		"fails halfway":     {res: batch.Result{Accepted: 40, Watermark: 90}, err: errors.New("disk"), status: 500, code: codeInternal, says: "offset=91"},
		"client hangs up":   {res: batch.Result{Accepted: 1, Watermark: 1}, err: context.Canceled, status: 400, code: codeIncomplete, says: "offset=2"},
		"no memory left":    {err: batch.ErrBusy, status: 503, code: codeUnavailable, says: "offset=1"},
		"takes too long":    {err: context.DeadlineExceeded, status: 503, code: codeUnavailable},
		"written by others": {err: push.ErrConflict, status: 409, code: codeConflict},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := setup(t)
			g.batches.upload = func(io.Reader, batch.Options) (batch.Result, error) { return c.res, c.err }
			target := c.target
			if target == "" {
				target = recipients
			}
			got := g.do(t, "POST", target, "{}\n").want(t, c.status, c.code)
			if !strings.Contains(got.Body.String(), c.says) || strings.Contains(got.Body.String(), "disk") {
				t.Errorf("must say %q, and nothing of the inside: %s", c.says, got.Body)
			}
		})
	}
}

func TestUploadMediaType(t *testing.T) {
	t.Parallel()
	g := setup(t)
	for _, kind := range []string{"application/json", "application/x-www-form-urlencoded", "text/tab-separated-values"} {
		g.do(t, "POST", recipients, "{}\n", "Content-Type", kind).want(t, http.StatusUnsupportedMediaType, codeMediaType)
	}
	for _, kind := range []string{"application/ndjson", "application/jsonl; charset=utf-8", "text/csv", "text/csv; charset=UTF-8; header=present"} {
		g.do(t, "POST", recipients, "{}\n", "Content-Type", kind).want(t, http.StatusOK, "")
	}
}

// An append with a key happens once, even when it broke off in the middle; with
// an offset, the key is not needed and not looked at.
func TestKeyedUploads(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		query string
		res   batch.Result
		err   error
		runs  int
	}{
		"append":                   {runs: 1},
		"with an offset":           {query: "?offset=1", runs: 2},
		"append that broke":        {res: batch.Result{Accepted: 3, Watermark: 3}, err: io.ErrUnexpectedEOF, runs: 1},
		"append that failed":       {res: batch.Result{Accepted: 3, Watermark: 3}, err: errors.New("disk"), runs: 1},
		"append that did not work": {err: errors.New("disk"), runs: 2},
		"client left at once":      {err: context.Canceled, runs: 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := setup(t)
			runs := 0
			g.batches.upload = func(io.Reader, batch.Options) (batch.Result, error) { runs++; return c.res, c.err }
			first := g.do(t, "POST", recipients+c.query, "{}\n", "Idempotency-Key", "k")
			again := g.do(t, "POST", recipients+c.query, "{}\n", "Idempotency-Key", "k")
			if runs != c.runs || first.Code != again.Code {
				t.Errorf("executed %d times, want %d; answers %d and %d", runs, c.runs, first.Code, again.Code)
			}
			if c.runs == 1 && (!bytes.Equal(first.Body.Bytes(), again.Body.Bytes()) || again.Header().Get("Idempotency-Replayed") != "true") {
				t.Errorf("a repeat must get the first answer: %s, then %s", first.Body, again.Body)
			}
		})
	}
}
