package tenants

import (
	"context"
	"net/http"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/request"
)

func (h *handlers) signingRoutes() []*door.Route {
	const group, one = Group, "/v1/api-keys/{id}/signing"
	params := []door.Param{ofTenant()}
	return []*door.Route{
		{
			Method: http.MethodPut, Path: one, Name: "enableSigning", Needs: access.PermAdmin, Group: group,
			About: "Give an API key a new secret to sign requests with; an earlier one opens nothing any more.",
			Detail: "Requests are signed as webhooks are by Standard Webhooks 1.0.0: HMAC-SHA256 with the secret over id.timestamp.body, in " +
				"`Webhook-Id` (new for every request), `Webhook-Timestamp` (within five minutes) and `Webhook-Signature`. A signed request " +
				"names its key in `Belfry-Key-Id`, and need not bring the key's text. Bodies of up to 16 MiB can be signed. With `required` " +
				"the key opens nothing without a signature.",
			Params: params, Takes: []string{door.TypeJSON}, Body: typ[client.SigningRequest](), Gives: door.OK(typ[client.SigningSecret]()),
			Codes: []door.Code{door.CodeNotFound, door.CodeConflict}, Run: door.Replying(h.enableSigning),
		},
		{
			Method: http.MethodDelete, Path: one, Name: "disableSigning", Needs: access.PermAdmin, Group: group,
			About: "Take an API key's signing secret away: its text alone opens then.", Params: params, Gives: door.OK(typ[client.APIKey]()),
			Codes: []door.Code{door.CodeNotFound, door.CodeConflict}, Run: door.Replying(h.disableSigning),
		},
	}
}

func (h *handlers) enableSigning(ctx context.Context, x *door.Exchange) (door.Reply, error) {
	body, err := x.ReadBody()
	if err != nil {
		return door.Reply{}, err
	}
	var req client.SigningRequest
	if err := request.DecodeJSON(body, &req); err != nil {
		return door.Reply{}, err
	}
	old, err := h.pathKey(ctx, x)
	if err != nil {
		return door.Reply{}, err
	}
	secret, k, err := h.directory.EnableSigning(ctx, old.Tenant, old.ID, req.Required)
	if err != nil {
		return door.Reply{}, err
	}
	if err := note(x, "api-keys", k.Tenant, k.ID, keyView(&old, x.Now()), keyView(&k, x.Now())); err != nil {
		return door.Reply{}, err
	}
	return door.Reply{Status: http.StatusOK, Body: client.SigningSecret{Secret: secret, APIKey: keyView(&k, x.Now())}}, nil
}

func (h *handlers) disableSigning(ctx context.Context, x *door.Exchange) (door.Reply, error) {
	old, err := h.pathKey(ctx, x)
	if err != nil {
		return door.Reply{}, err
	}
	k, err := h.directory.DisableSigning(ctx, old.Tenant, old.ID)
	if err == nil {
		err = note(x, "api-keys", k.Tenant, k.ID, keyView(&old, x.Now()), keyView(&k, x.Now()))
	}
	return key200(x, k, err)
}
