package httpapi

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/batch"
	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/httpapi/door/doortest"
	"github.com/belfry-push/belfry/internal/push"
)

// start is the path of an operation without a body.
const start = "/v1/batches/" + batID + "/start"

const recipients = "/v1/batches/" + batID + "/recipients"

func TestMoves(t *testing.T) {
	t.Parallel()
	for path, state := range map[string]client.State{
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
			doortest.Decode(t, setup(t).Do(t, "POST", path, "").Want(t, http.StatusOK, "").Body.Bytes(), &n)
			if n.State != state || !strings.Contains(path, n.ID) {
				t.Errorf("got %+v", n)
			}
		})
	}
	setup(t).Do(t, "POST", "/v1/batches/"+ntfID+"/start", "").Want(t, http.StatusNotFound, door.CodeNotFound)
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
		doortest.Decode(t, g.Do(t, "POST", "/v1/batches/"+batID+"/start"+query, "").Want(t, http.StatusOK, "").Body.Bytes(), &n)
		if asked != want || n.UploadOpen != (want == "start early") || *n.Duplicates != 3 || *n.UncheckedFrom != 12 {
			t.Errorf("%q asked for %q: %+v", query, asked, n)
		}
	}
	setup(t).Do(t, "POST", "/v1/batches/"+batID+"/start?early=perhaps", "").Want(t, http.StatusUnprocessableEntity, door.CodeInvalid)
}

func TestIllegalMove(t *testing.T) {
	t.Parallel()
	g := setup(t)
	g.batches.fn = func(op string, id push.ID) (push.Notification, error) {
		return push.Notification{}, &push.StateError{ID: id, State: "completed", Op: op, Legal: []string{"report"}}
	}
	got := g.Do(t, "POST", "/v1/batches/"+batID+"/pause", "").Want(t, http.StatusConflict, door.CodeState)
	if !strings.Contains(got.Problem.Detail, "legal now: report") {
		t.Errorf("must list what is legal: %q", got.Problem.Detail)
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
	got := g.Do(t, "POST", recipients+"?offset=5&all_or_nothing=true", "{}\n{}\n", "Content-Type", door.TypeNDJSON).Want(t, http.StatusOK, "")
	var res client.UploadResult
	doortest.Decode(t, got.Body.Bytes(), &res)
	if g.batches.uploaded != (batch.Options{Offset: 5, AllOrNothing: true}) || res.Accepted != 2 || res.Duplicates != 1 ||
		res.Errors[0].Line != 2 {
		t.Errorf("options %+v, result %+v", g.batches.uploaded, res)
	}
	g.Do(t, "POST", recipients, "{}\n").Want(t, http.StatusOK, "")
	if g.batches.uploaded != (batch.Options{}) {
		t.Errorf("without parameters: %+v", g.batches.uploaded)
	}
}

// An upload is larger than any other body may be.
func TestLargeUpload(t *testing.T) {
	t.Parallel()
	line := `{"token":"` + strings.Repeat("x", 180) + "\"}\n"
	setup(t).Do(t, "POST", recipients, strings.Repeat(line, 4*maxBody/len(line))).Want(t, http.StatusOK, "")
}

func TestRefusedUploads(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		target string
		res    batch.Result
		err    error
		status int
		code   door.Code
		says   string
	}{
		"offset 0":    {target: recipients + "?offset=0", status: 422, code: door.CodeInvalid},
		"flag":        {target: recipients + "?all_or_nothing=yes", status: 422, code: door.CodeInvalid, says: "true or false"},
		"not a batch": {target: "/v1/batches/" + ntfID + "/recipients", status: 404, code: door.CodeNotFound},
		"unknown":     {err: push.ErrNotFound, status: 404, code: door.CodeNotFound},
		"started": {
			err: &push.StateError{ID: batID, State: "sending", Op: "upload", Legal: []string{"pause"}}, status: 409, code: door.CodeState,
			says: "pause",
		},
		"gap": {err: &batch.GapError{Offset: 12, Watermark: 7}, status: 409, code: door.CodeGap, says: "offset=8"},
		"all or nothing": {
			err: &batch.RefusedError{
				Result: batch.Result{
					Invalid: 1, Faults: []batch.LineFault{{Line: 9, Fault: push.Fault{Pointer: "/token", Code: "value", Detail: "bad"}}},
				},
			},
			status: 422, code: door.CodeRefused, says: "line 9: bad",
		},
		"fails at once": {err: errors.New("disk"), status: 500, code: door.CodeInternal, says: "0 lines"},
		"fails halfway": {
			res: batch.Result{Accepted: 40, Watermark: 90}, err: errors.New("disk"), status: 500, code: door.CodeInternal, says: "offset=91",
		},
		"client hangs up": {
			res: batch.Result{Accepted: 1, Watermark: 1}, err: context.Canceled, status: 400, code: door.CodeIncomplete, says: "offset=2",
		},
		"no memory left":    {err: batch.ErrBusy, status: 503, code: door.CodeUnavailable, says: "offset=1"},
		"takes too long":    {err: context.DeadlineExceeded, status: 503, code: door.CodeUnavailable},
		"written by others": {err: push.ErrConflict, status: 409, code: door.CodeConflict},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := setup(t)
			g.batches.upload = func(io.Reader, batch.Options) (batch.Result, error) { return c.res, c.err }
			target := c.target
			if target == "" {
				target = recipients
			}
			got := g.Do(t, "POST", target, "{}\n").Want(t, c.status, c.code)
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
		g.Do(t, "POST", recipients, "{}\n", "Content-Type", kind).Want(t, http.StatusUnsupportedMediaType, door.CodeMediaType)
	}
	for _, kind := range []string{
		"application/ndjson", "application/jsonl; charset=utf-8", "text/csv", "text/csv; charset=UTF-8; header=present",
	} {
		g.Do(t, "POST", recipients, "{}\n", "Content-Type", kind).Want(t, http.StatusOK, "")
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
			first := g.Do(t, "POST", recipients+c.query, "{}\n", "Idempotency-Key", "k")
			again := g.Do(t, "POST", recipients+c.query, "{}\n", "Idempotency-Key", "k")
			if runs != c.runs || first.Code != again.Code {
				t.Errorf("executed %d times, want %d; answers %d and %d", runs, c.runs, first.Code, again.Code)
			}
			if c.runs == 1 && (!bytes.Equal(first.Body.Bytes(), again.Body.Bytes()) || again.Header().Get("Idempotency-Replayed") != "true") {
				t.Errorf("a repeat must get the first answer: %s, then %s", first.Body, again.Body)
			}
		})
	}
}

func TestUploadFormats(t *testing.T) {
	t.Parallel()
	for kind, want := range map[string]batch.Format{
		door.TypeNDJSON: batch.NDJSON, "Application/X-NDJSON": batch.NDJSON, "application/jsonl": batch.NDJSON, "text/csv": batch.CSV,
		"Text/CSV; charset=utf-8; header=present": batch.CSV, "text/csv; charset=US-ASCII": batch.CSV,
	} {
		g := setup(t)
		g.Do(t, "POST", recipients, "x\n", "Content-Type", kind).Want(t, http.StatusOK, "")
		if g.batches.uploaded.Format != want {
			t.Errorf("%q: format is %d, want %d", kind, g.batches.uploaded.Format, want)
		}
	}
}

func TestCodingRefused(t *testing.T) {
	t.Parallel()
	g := setup(t)
	for name, c := range map[string]struct {
		target  string
		headers []string
		says    string
	}{
		"unknown":      {recipients, []string{"Content-Encoding", "br"}, "one of zstd, gzip"},
		"two":          {recipients, []string{"Content-Encoding", "gzip, zstd"}, "one Content-Encoding: zstd, gzip"},
		"two headers":  {recipients, []string{"Content-Encoding", "gzip", "Content-Encoding", "gzip"}, "one Content-Encoding"},
		"not here":     {"/v1/notifications", []string{"Content-Encoding", "gzip"}, "without Content-Encoding"},
		"no UTF-8":     {recipients, []string{"Content-Type", "text/csv; charset=latin1"}, "UTF-8, not latin1"},
		"no header":    {recipients, []string{"Content-Type", "text/csv; header=absent"}, "header row"},
		"no CSV there": {"/v1/devices/import", []string{"Content-Type", "text/csv"}, "x-ndjson"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := g.Do(t, "POST", c.target, "x\n", c.headers...).Want(t, http.StatusUnsupportedMediaType, door.CodeMediaType)
			if !strings.Contains(got.Problem.Detail, c.says) {
				t.Errorf("must say %q: %s", c.says, got.Problem.Detail)
			}
			if accepts := got.Header().Get("Accept-Encoding"); (accepts != "") != (c.headers[0] == "Content-Encoding") {
				t.Errorf("Accept-Encoding is %q", accepts)
			}
		})
	}
}

// A Content-Length that promises more than comes is a broken body; what comes
// beyond one is no part of it, and no request either.
func TestLyingContentLength(t *testing.T) {
	t.Parallel()
	t.Run("too long", func(t *testing.T) {
		t.Parallel()
		c := setup(t).Converse(t)
		fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-ndjson\r\nContent-Length: 1000\r\n\r\n{}\n{}\n",
			recipients)
		if err := c.Conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		status, text := c.Answered(t)
		if status != http.StatusBadRequest || !strings.Contains(text, "before its Content-Length") ||
			!strings.Contains(text, "continue with offset=3") {
			t.Errorf("got %d %s", status, text)
		}
	})
	t.Run("too short", func(t *testing.T) {
		t.Parallel()
		g := setup(t)
		c := g.Converse(t)
		fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-ndjson\r\nContent-Length: 6\r\n\r\n{}\n{}\n{}\n{}\n",
			recipients)
		status, text := c.Answered(t)
		if status != http.StatusOK || !strings.Contains(text, `"accepted":2,`) {
			t.Errorf("got %d %s", status, text)
		}
		if status, _ := c.Answered(t); status != http.StatusBadRequest {
			t.Errorf("what is beyond it: got %d", status)
		}
		if _, err := c.In.ReadByte(); !errors.Is(err, io.EOF) {
			t.Errorf("the connection is still open: %v", err)
		}
	})
}

// Of a stream that is damaged the lines before the damage count, and the answer
// says which they are.
func TestDamagedUploads(t *testing.T) {
	t.Parallel()
	g := setup(t)
	for target, says := range map[string]string{
		recipients:           "the upload broke off: the body is not sound gzip; 0 lines are durable in all: continue with offset=1",
		"/v1/devices/import": "the body is not sound gzip; the import broke off after 0 devices: send it again",
	} {
		got := g.Do(t, "POST", target, strings.Repeat("{}\n", 9), "Content-Encoding", "gzip").Want(t, http.StatusBadRequest, door.CodeMalformed)
		if got.Problem.Detail != says {
			t.Errorf("%s: says %q, want %q", target, got.Problem.Detail, says)
		}
	}
}
