package httpapi

import (
	"context"
	"net/http"
	"reflect"
	"time"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/httpapi/describe"
	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/httpapi/views"
	"github.com/belfry-push/belfry/internal/override"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/request"
	"github.com/belfry-push/belfry/internal/status"
)

// Breakers are the breakers of all FCM credentials.
type Breakers interface {
	List(ctx context.Context) ([]status.CredentialSum, error)
	// Set overrides or resets the breaker of a credential, which is named by its label or by an app that has it. The error may
	// be push.Faults, or an *override.UnknownError.
	Set(ctx context.Context, asked override.Override) (status.CredentialSum, error)
}

// breakers serve the operators' overrides of breakers.
type breakers struct{ room Breakers }

func (b *breakers) routes() []*door.Route {
	const all = "/v1/breakers"
	move := func(do, name, about, detail string, state override.State) *door.Route {
		return &door.Route{
			Method: http.MethodPost, Path: all + "/{credential}/" + do, Name: name, Needs: access.PermPlatform, Group: describe.GroupBreakers,
			About: about, Detail: detail,
			Once: door.KeyByStore, Takes: []string{door.TypeJSON}, Body: reflect.TypeFor[client.BreakerRequest](),
			Gives: door.OK(reflect.TypeFor[client.Breaker]()), Codes: []door.Code{door.CodeNotFound, door.CodeConflict},
			Run: door.Replying(door.OnceRead(func(ctx context.Context, x *door.Exchange) (door.Reply, error) {
				return b.move(ctx, x, state)
			})),
		}
	}
	return []*door.Route{
		{
			Method: http.MethodGet, Path: all, Name: "listBreakers", Needs: access.PermPlatform, Group: describe.GroupBreakers,
			About: "List the breakers of all credentials that a process has sent with lately, or that are overridden.",
			Gives: door.OK(reflect.TypeFor[client.BreakerList]()), Run: door.Replying(b.list),
		},
		move("open", "openBreaker", "Hold the breaker of a credential open: nothing is sent with it.",
			"Every dispatcher hears of it within seconds, and one that starts later follows it too. What waits loses no attempt and says so "+
				"(`waiting`); what expires ends as `expired`. It replaces what stood before. When its time is up the breaker probes, as one does "+
				"that opened by itself.", override.Open),
		move("close", "closeBreaker", "Hold the breaker of a credential closed: it does not open, whatever FCM answers.",
			"For when FCM is known to be back, or the breaker is wrong. It forgets what it saw. In an outage deliveries use up their attempts "+
				"then: give it an end. The throttle, the pace and the retry budget hold all the same, and so does a time that FCM named with a 429.",
			override.Closed),
		move("reset", "resetBreaker", "End what operators have decided of the breaker of a credential, and have it forget what it saw.",
			"It decides by itself again.", override.Automatic),
	}
}

func (b *breakers) list(ctx context.Context, _ *door.Exchange) (door.Reply, error) {
	all, err := b.room.List(ctx)
	if err != nil {
		return door.Reply{}, err
	}
	out := client.BreakerList{Items: []client.Breaker{}}
	for i := range all {
		out.Items = append(out.Items, breakerView(&all[i]))
	}
	return door.Reply{Status: http.StatusOK, Body: out}, nil
}

func (b *breakers) move(ctx context.Context, x *door.Exchange, state override.State) (door.Reply, error) {
	var req client.BreakerRequest
	if err := request.DecodeJSON(x.Body, &req); err != nil {
		return door.Reply{}, err
	}
	until, err := endOf(&req, state, x.Now())
	if err != nil {
		return door.Reply{}, err
	}
	x.Because(req.Reason)
	one, err := b.room.Set(ctx, override.Override{
		Credential: x.Request.PathValue("credential"), State: state, By: x.Who.Name, Reason: req.Reason, Until: until,
	})
	if unknown, ok := override.AsUnknown(err); ok {
		return door.Reply{}, door.Refuse(door.CodeNotFound, "%s", unknown.Error())
	}
	if err != nil {
		return door.Reply{}, err
	}
	x.Targets("breakers", one.Label)
	return door.Reply{Status: http.StatusOK, Body: breakerView(&one)}, nil
}

// endOf returns when an override that is asked for ends, zero if it does not.
func endOf(req *client.BreakerRequest, state override.State, now time.Time) (time.Time, error) {
	fault := func(pointer, code, detail string) error {
		return push.Faults{{Pointer: pointer, Code: code, Detail: detail}}
	}
	switch {
	case state == override.Automatic && req.Until != nil:
		return time.Time{}, fault("/until", push.FaultConflict, "a reset has no end: leave it out")
	case state == override.Automatic && req.For != "":
		return time.Time{}, fault("/for", push.FaultConflict, "a reset has no end: leave it out")
	case req.Until != nil && req.For != "":
		return time.Time{}, fault("/for", push.FaultConflict, "give for or until, not both")
	case req.Until != nil:
		return *req.Until, nil
	case req.For == "":
		return time.Time{}, nil
	}
	d, err := time.ParseDuration(req.For)
	if err != nil || d <= 0 {
		return time.Time{}, fault("/for", push.FaultValue, "must be a duration above 0, such as 90s, 30m or 24h")
	}
	return now.Add(d), nil
}

func breakerView(c *status.CredentialSum) client.Breaker {
	return client.Breaker{
		Credential: c.Label, Apps: c.Apps, Processes: c.Processes, State: c.Breaker, Since: views.Moment(c.Since), Until: views.Moment(c.Until),
		Cause: c.Cause, Override: views.Override(c.Override),
	}
}
