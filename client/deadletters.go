package client

import (
	"context"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const deadLetters = "/v1/dead-letters"

// query is the filter as lists take it. Ids have no place in a URL.
func (f *DeadLetterFilter) query() url.Values {
	q := url.Values{}
	set := func(name, value string) {
		if value != "" {
			q.Set(name, value)
		}
	}
	at := func(name string, t *time.Time) {
		if t != nil {
			q.Set(name, t.UTC().Format(time.RFC3339Nano))
		}
	}
	states := make([]string, len(f.States))
	for i, s := range f.States {
		states[i] = string(s)
	}
	set("state", strings.Join(states, ","))
	set("queue", f.Queue)
	set("tenant", f.Tenant)
	set("app", f.App)
	set("code", string(f.Code))
	set("class", string(f.Class))
	set("fingerprint", f.Fingerprint)
	set("notification", f.Notification)
	set("replay", f.Replay)
	set("label", f.Label)
	set("text", f.Text)
	set("older", f.Older)
	set("younger", f.Younger)
	at("dead_after", f.DeadAfter)
	at("dead_before", f.DeadBefore)
	at("stored_before", f.StoredBefore)
	return q
}

// DeadLetterGroups returns dead letters by cause, the largest groups first;
// limit 0 is the server's choice. Without states it is about parked letters.
// f.IDs is not used here, nor by any other call that lists.
func (c *Client) DeadLetterGroups(ctx context.Context, f DeadLetterFilter, limit int) (DeadLetterGroups, error) {
	var g DeadLetterGroups
	err := c.do(ctx, get(deadLetters+"/groups", limited(f.query(), limit)), &g)
	return g, err
}

// DeadLetterStats returns sums over dead letters.
func (c *Client) DeadLetterStats(ctx context.Context, f DeadLetterFilter) (DeadLetterStats, error) {
	var s DeadLetterStats
	err := c.do(ctx, get(deadLetters+"/stats", f.query()), &s)
	return s, err
}

// DeadLetterPage returns one page of dead letters, newest first. cursor is ""
// or the NextCursor of the page before; limit 0 is the server's choice.
func (c *Client) DeadLetterPage(ctx context.Context, f DeadLetterFilter, cursor string, limit int) (DeadLetterList, error) {
	items, next, err := list[DeadLetter](ctx, c, deadLetters, limited(f.query(), limit), cursor)
	return DeadLetterList{Items: items, NextCursor: next}, err
}

// DeadLetters returns dead letters, newest first, page by page. An error is the
// last pair.
func (c *Client) DeadLetters(ctx context.Context, f DeadLetterFilter) iter.Seq2[DeadLetter, error] {
	return pages(ctx, func(ctx context.Context, cursor string) ([]DeadLetter, string, error) {
		return list[DeadLetter](ctx, c, deadLetters, limited(f.query(), largestPage), cursor)
	})
}

// DeadLetter returns one dead letter with what the ledger says of it now. With
// body, the letter of a message has its bytes, which may hold addresses.
func (c *Client) DeadLetter(ctx context.Context, id string, body bool) (DeadLetter, error) {
	q := url.Values{}
	if body {
		q.Set("body", "true")
	}
	var l DeadLetter
	err := c.do(ctx, get(deadLetters+"/"+url.PathEscape(id), q), &l)
	return l, err
}

// Simulate says what a replay would come to now, against the present state.
// Nothing is sent. It looks at every letter, so it may take a while: only ctx
// bounds it.
func (c *Client) Simulate(ctx context.Context, req SimulateRequest) (Simulation, error) {
	var s Simulation
	err := c.postLong(ctx, "/v1/simulations", req, &s)
	return s, err
}

// Simulation returns an earlier simulation.
func (c *Client) Simulation(ctx context.Context, id string) (Simulation, error) {
	var s Simulation
	err := c.do(ctx, get("/v1/simulations/"+url.PathEscape(id), nil), &s)
	return s, err
}

// Discard gives parked letters up and leaves tombstones. It looks at every
// letter, and may take ten minutes; one that was cut short is simply repeated.
func (c *Client) Discard(ctx context.Context, req DiscardRequest) (Discarded, error) {
	var d Discarded
	err := c.postLong(ctx, deadLetters+"/discard", req, &d)
	return d, err
}

// DrainDeadLetters moves dead letters from their queues into the store. The server works on it
// for some seconds and returns: call it again as long as Drained.More says so. A drain that
// was cut short is simply repeated.
func (c *Client) DrainDeadLetters(ctx context.Context) (Drained, error) {
	var d Drained
	err := c.postLong(ctx, deadLetters+"/drain", nil, &d)
	return d, err
}

// postLong is a POST whose answer takes as long as its work.
func (c *Client) postLong(ctx context.Context, path string, body, out any) error {
	cl, err := post(path, body)
	if err != nil {
		return err
	}
	cl.timeout, cl.silence = 0, workPatience
	return c.do(ctx, cl, out)
}

// ExportDeadLetters streams letters in whatever state as an archive that
// [Client.ImportDeadLetters] takes: NDJSON, or NDJSON compressed with zstd
// (RFC 8878). It holds addresses. The caller closes it. An archive that was cut
// short has no last line, which importing it finds.
func (c *Client) ExportDeadLetters(ctx context.Context, f DeadLetterFilter, zstd bool) (io.ReadCloser, error) {
	cl := get(deadLetters+"/export", f.query())
	cl.accept, cl.timeout = typeNDJSON, 0
	if zstd {
		cl.accepts = "zstd"
	}
	return c.open(ctx, cl)
}

// ImportDeadLetters stores the letters of an archive, compressed or not, that are
// not there yet. Importing twice changes nothing. The archive is sent once.
func (c *Client) ImportDeadLetters(ctx context.Context, archive io.Reader) (ArchiveResult, error) {
	var res ArchiveResult
	err := c.do(ctx, call{
		method: http.MethodPost, path: deadLetters + "/import", stream: archive, contentType: typeNDJSON,
	}, &res)
	return res, err
}
