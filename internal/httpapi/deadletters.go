package httpapi

import (
	"context"
	"net/http"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/replay"
)

func (a *api) listLetters(ctx context.Context, x *exchange) (reply, error) {
	f, err := a.letters(x)
	if err != nil {
		return reply{}, err
	}
	items, next, err := a.cfg.DeadLetters.List(ctx, f, x.query.text("cursor"), int(x.query.integer("limit")))
	if err != nil {
		return reply{}, err
	}
	list := client.DeadLetterList{Items: make([]client.DeadLetter, len(items)), NextCursor: next}
	for i := range items {
		list.Items[i] = letterView(&items[i])
	}
	return reply{status: http.StatusOK, body: list}, nil
}

func (a *api) groupLetters(ctx context.Context, x *exchange) (reply, error) {
	f, err := a.letters(x)
	if err != nil {
		return reply{}, err
	}
	groups, err := a.cfg.DeadLetters.Groups(ctx, f)
	if err != nil {
		return reply{}, err
	}
	expiry, err := a.cfg.DeadLetters.Expiring(ctx, f)
	if err != nil {
		return reply{}, err
	}
	shown := groups[:min(len(groups), int(x.query.integer("limit")))]
	list := client.DeadLetterGroups{Items: make([]client.DeadLetterGroup, len(shown)), Total: len(groups), Expiry: expiryView(&expiry)}
	for i := range shown {
		list.Items[i] = groupView(&shown[i], f.States)
	}
	return reply{status: http.StatusOK, body: list}, nil
}

func (a *api) letterStats(ctx context.Context, x *exchange) (reply, error) {
	f, err := a.letters(x)
	if err != nil {
		return reply{}, err
	}
	s, err := a.cfg.DeadLetters.Stats(ctx, f)
	if err != nil {
		return reply{}, err
	}
	return reply{status: http.StatusOK, body: statsView(&s)}, nil
}

func (a *api) getLetter(ctx context.Context, x *exchange) (reply, error) {
	id, err := x.pathID(push.PrefixDeadLetter)
	if err != nil {
		return reply{}, err
	}
	d, err := a.cfg.DeadLetters.Get(ctx, id)
	if err != nil {
		return reply{}, err
	}
	if !a.sees(x, d.Tenant) {
		return reply{}, push.ErrNotFound
	}
	return reply{status: http.StatusOK, body: detailView(&d, x.query.flag("body"))}, nil
}

func (a *api) discardLetters(ctx context.Context, x *exchange) (reply, error) {
	var req client.DiscardRequest
	f, by, err := a.selection(x, &req, &req.Filter, &req.By, &req.All)
	if err != nil {
		return reply{}, err
	}
	n, err := a.cfg.DeadLetters.Discard(ctx, replay.DiscardRequest{Filter: f, All: req.All, Reason: req.Reason, By: by, Expect: req.Expect})
	if err != nil {
		return reply{}, err
	}
	return reply{status: http.StatusOK, body: client.Discarded{Discarded: n}}, nil
}

// selection reads a body into req, whose parts the other pointers are, and
// returns the filter, within what the caller may see, and the name for the
// record. That a filter takes everything is judged as it was given.
func (a *api) selection(x *exchange, req any, filter *client.DeadLetterFilter, by *string, all *bool) (push.LetterFilter, string, error) {
	if err := readJSON(x.body, req); err != nil {
		return push.LetterFilter{}, "", err
	}
	f, err := a.chosen(filter)
	if err != nil {
		return f, "", err
	}
	if f.IsZero() && !*all {
		return f, "", replay.ErrUnbounded
	}
	if err := a.scope(x, &f); err != nil {
		return f, "", err
	}
	name, err := signed(x, "/by", *by)
	return f, name, err
}

// signed returns who is named for the record: by a caller's own word, or the
// tenant of its key.
func signed(x *exchange, pointer, by string) (string, error) {
	const most = 100
	if len(by) > most {
		return "", push.Faults{{Pointer: pointer, Code: push.FaultTooLarge, Detail: "must be at most 100 bytes"}}
	}
	if by == "" {
		return x.tenant, nil
	}
	return by, nil
}
