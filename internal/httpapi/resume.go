package httpapi

import (
	"context"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/idempotency"
	"github.com/belfry-push/belfry/internal/push"
)

// The values of the parameter brake.
const (
	brakeOn  = "on"
	brakeOff = "off"
)

// resumeRoute adds to the route of a resume the release of what is held, with the brake on
// or off.
func resumeRoute(l Lifecycle, r *door.Route, prefixes ...string) *door.Route {
	r.Detail = "Ends a pause, and lets go what is `held` because FCM refused it for everybody: those who were refused are tried again, too. " +
		"It is held again when as many are refused as before. With `brake=off` nothing of it is held from then on: who is refused ends with " +
		"that outcome."
	r.Params = []door.Param{
		{
			Name: "brake", About: "off: hold nothing of it any more.", Kind: door.ParamChoice, Choices: []string{brakeOn, brakeOff},
			Fallback: brakeOn,
		},
	}
	braked, unbraked := move(l.Resume, prefixes...), move(l.ResumeUnbraked, prefixes...)
	r.Run = door.Replying(door.Once(idempotency.Lease, func(ctx context.Context, x *door.Exchange) (door.Reply, error) {
		if x.Query.Text("brake") == brakeOff {
			return unbraked(ctx, x)
		}
		return braked(ctx, x)
	}))
	return r
}

// holdsView lists what waits for an operator.
func holdsView(held *push.Holds) []client.Hold {
	var list []client.Hold
	for _, part := range push.Parts() {
		if h := held[part]; h.Code != push.CodeOpen {
			list = append(list, client.Hold{
				Platform: client.Platform(part.String()), Code: client.Code(h.Code.String()), Meaning: h.Code.Facts().Meaning, Refused: h.Refused,
				Since: h.Since, Scattered: h.Scattered,
			})
		}
	}
	return list
}
