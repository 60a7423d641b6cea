package client

import (
	"context"
	"iter"
	"net/url"
)

func replayPath(id, rest string) string { return "/v1/replays/" + url.PathEscape(id) + rest }

// StartReplay starts a replay of what was simulated; the server executes it. Unless
// req.AtOnce is set, a canary goes first, and the replay stops when too many letters fail
// again; req chooses how many.
func (c *Client) StartReplay(ctx context.Context, req ReplayRequest) (Replay, error) {
	cl, err := post("/v1/replays", req)
	if err != nil {
		return Replay{}, err
	}
	var r Replay
	err = c.do(ctx, cl, &r)
	return r, err
}

// Replay returns how a replay stands now.
func (c *Client) Replay(ctx context.Context, id string) (Replay, error) {
	var r Replay
	err := c.do(ctx, get(replayPath(id, ""), nil), &r)
	return r, err
}

// ReplayPage returns one page of replays, oldest first, without their counts.
// cursor is "" or the NextCursor of the page before; limit 0 is the server's
// choice.
func (c *Client) ReplayPage(ctx context.Context, cursor string, limit int) (ReplayList, error) {
	items, next, err := list[Replay](ctx, c, "/v1/replays", limited(url.Values{}, limit), cursor)
	return ReplayList{Items: items, NextCursor: next}, err
}

// Replays returns all replays, oldest first, without their counts. An error is
// the last pair.
func (c *Client) Replays(ctx context.Context) iter.Seq2[Replay, error] {
	return pages(ctx, func(ctx context.Context, cursor string) ([]Replay, string, error) {
		return list[Replay](ctx, c, "/v1/replays", limited(url.Values{}, largestPage), cursor)
	})
}

// PauseReplay makes a running replay stop after the letters in hand. by is for
// the record, here and below.
func (c *Client) PauseReplay(ctx context.Context, id, by string) (Replay, error) {
	return c.controlReplay(ctx, id, "/pause", by)
}

// ResumeReplay lets a paused or stopped replay go on. What failed again before no
// longer counts against it.
func (c *Client) ResumeReplay(ctx context.Context, id, by string) (Replay, error) {
	return c.controlReplay(ctx, id, "/resume", by)
}

// CancelReplay ends a replay for good; what was sent stays sent.
func (c *Client) CancelReplay(ctx context.Context, id, by string) (Replay, error) {
	return c.controlReplay(ctx, id, "/cancel", by)
}

func (c *Client) controlReplay(ctx context.Context, id, verb, by string) (Replay, error) {
	cl, err := post(replayPath(id, verb), nil)
	if err != nil {
		return Replay{}, err
	}
	if by != "" {
		cl.query = url.Values{"by": {by}}
	}
	var r Replay
	err = c.do(ctx, cl, &r)
	return r, err
}
