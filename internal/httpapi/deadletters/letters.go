package deadletters

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/letters"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/request"
)

func (h *letterHandlers) listLetters(ctx context.Context, x *door.Exchange) (door.Reply, error) {
	f, err := listed(x)
	if err != nil {
		return door.Reply{}, err
	}
	items, next, err := h.letters.List(ctx, f, x.Query.Text("cursor"), int(x.Query.Integer("limit")))
	if err != nil {
		return door.Reply{}, err
	}
	list := client.DeadLetterList{Items: make([]client.DeadLetter, len(items)), NextCursor: next}
	for i := range items {
		list.Items[i] = letterView(&items[i])
	}
	return door.Reply{Status: http.StatusOK, Body: list}, nil
}

func (h *letterHandlers) groupLetters(ctx context.Context, x *door.Exchange) (door.Reply, error) {
	f, err := listed(x)
	if err != nil {
		return door.Reply{}, err
	}
	groups, err := h.letters.Groups(ctx, f)
	if err != nil {
		return door.Reply{}, err
	}
	expiry, err := h.letters.Expiring(ctx, f)
	if err != nil {
		return door.Reply{}, err
	}
	shown := groups[:min(len(groups), int(x.Query.Integer("limit")))]
	if err := h.letters.AddSources(ctx, f, shown); err != nil {
		return door.Reply{}, err
	}
	list := client.DeadLetterGroups{Items: make([]client.DeadLetterGroup, len(shown)), Total: len(groups), Expiry: expiryView(&expiry)}
	for i := range shown {
		list.Items[i] = groupView(&shown[i], f.States)
	}
	return door.Reply{Status: http.StatusOK, Body: list}, nil
}

func (h *letterHandlers) letterStats(ctx context.Context, x *door.Exchange) (door.Reply, error) {
	f, err := listed(x)
	if err != nil {
		return door.Reply{}, err
	}
	s, err := h.letters.Stats(ctx, f)
	if err != nil {
		return door.Reply{}, err
	}
	sources, err := h.letters.Sources(ctx, f)
	if err != nil {
		return door.Reply{}, err
	}
	v := statsView(&s)
	v.Sources = sourcesView(&sources)
	return door.Reply{Status: http.StatusOK, Body: v}, nil
}

func (h *letterHandlers) getLetter(ctx context.Context, x *door.Exchange) (door.Reply, error) {
	id, err := x.PathID(push.PrefixDeadLetter)
	if err != nil {
		return door.Reply{}, err
	}
	d, err := h.replays.Detail(ctx, id)
	if err != nil {
		return door.Reply{}, err
	}
	if !sees(x, d.Tenant) {
		return door.Reply{}, push.ErrNotFound
	}
	return door.Reply{Status: http.StatusOK, Body: detailView(&d, x.Query.Flag("body"))}, nil
}

// drainMost is how long one request drains: well within the patience of proxies and clients.
const drainMost = 15 * time.Second

func (h *letterHandlers) drainLetters(ctx context.Context, x *door.Exchange) (door.Reply, error) {
	d, err := h.letters.DrainFor(ctx, drainMost)
	if err != nil {
		return door.Reply{}, err
	}
	return door.Reply{Status: http.StatusOK, Body: client.Drained{
		Messages: d.Messages, Letters: d.Letters, Stored: d.Stored, Left: d.Left, Mended: d.Mended, More: d.More,
	}}, nil
}

func (h *letterHandlers) discardLetters(ctx context.Context, x *door.Exchange) (door.Reply, error) {
	var req client.DiscardRequest
	f, by, err := selection(x, &req, &req.Filter, &req.By, &req.All)
	if err != nil {
		return door.Reply{}, err
	}
	if err := h.approveDiscard(ctx, x, f, req.Reason); err != nil {
		return door.Reply{}, err
	}
	n, err := h.letters.Discard(ctx, letters.DiscardRequest{Filter: f, All: req.All, Reason: req.Reason, By: by, Expect: req.Expect})
	if err != nil {
		return door.Reply{}, err
	}
	return door.Reply{Status: http.StatusOK, Body: client.Discarded{Discarded: n}}, nil
}

// approveDiscard asks for a second person if many letters would go.
func (h *letterHandlers) approveDiscard(ctx context.Context, x *door.Exchange, f push.LetterFilter, reason string) error {
	return x.Approve(ctx, access.ActDiscard, x.Body, func(ctx context.Context) (int64, string, error) {
		stats, err := h.letters.Stats(ctx, f)
		n := stats.ByState[push.LetterParked]
		return n, fmt.Sprintf("discard %d letters: %s", n, push.Clip(reason)), err
	})
}

// selection reads a body into req; the other pointers are parts of it. It returns the
// filter, bounded to what the caller may see, and the name for the record. Whether the
// filter matches everything is decided before it is bounded.
func selection(x *door.Exchange, req any, filter *client.DeadLetterFilter, by *string,
	all *bool,
) (push.LetterFilter, string, error) {
	if err := request.DecodeJSON(x.Body, req); err != nil {
		return push.LetterFilter{}, "", err
	}
	f, err := chosen(x, filter)
	if err != nil {
		return f, "", err
	}
	if f.IsZero() && !*all {
		return f, "", letters.ErrUnbounded
	}
	if err := scope(x, &f); err != nil {
		return f, "", err
	}
	name, err := signed(x, "/by", *by)
	return f, name, err
}

// signed returns the name for the record: the caller's own word, or the tenant of its key.
func signed(x *door.Exchange, pointer, by string) (string, error) {
	const most = 100
	if len(by) > most {
		return "", push.Faults{{Pointer: pointer, Code: push.FaultTooLarge, Detail: "must be at most 100 bytes"}}
	}
	if by == "" {
		return x.Tenant, nil
	}
	return by, nil
}
