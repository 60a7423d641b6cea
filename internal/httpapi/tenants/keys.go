package tenants

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/httpapi/views"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/request"
)

// How long two keys may be live in the place of one.
const (
	defaultOverlap = 24 * time.Hour
	mostOverlap    = 30 * 24 * time.Hour
)

func (h *handlers) listKeys(ctx context.Context, x *door.Exchange) (door.Reply, error) {
	tenant, err := h.whose(ctx, x)
	if err != nil {
		return door.Reply{}, err
	}
	keys, err := h.directory.Keys(ctx, tenant)
	if err != nil {
		return door.Reply{}, err
	}
	states, list := x.Query.Texts("state"), client.APIKeyList{Items: []client.APIKey{}}
	for i := range keys {
		v := keyView(&keys[i], x.Now())
		if ofKey(x, &keys[i]) && (len(states) == 0 || slices.Contains(states, string(v.State))) {
			list.Items = append(list.Items, v)
		}
	}
	return door.Reply{Status: http.StatusOK, Body: list}, nil
}

// ofKey reports whether the caller may work on a key: one that is limited to an app knows no
// keys of others, nor such as are not limited.
func ofKey(x *door.Exchange, k *access.Key) bool { return x.Who.App == "" || k.App == x.Who.App }

func (h *handlers) createKey(ctx context.Context, x *door.Exchange) (door.Reply, error) {
	var req struct {
		App       string         `json:"app"`
		Name      string         `json:"name"`
		Env       string         `json:"env"`
		Role      string         `json:"role"`
		Scopes    []access.Scope `json:"scopes"`
		Networks  []string       `json:"networks"`
		ExpiresAt time.Time      `json:"expires_at"`
	}
	if err := request.DecodeJSON(x.Body, &req); err != nil {
		return door.Reply{}, err
	}
	networks, faults := networksOf(req.Networks)
	if err := faults.Err(); err != nil {
		return door.Reply{}, err
	}
	tenant, err := h.whose(ctx, x)
	if err != nil {
		return door.Reply{}, err
	}
	if req.App == "" {
		req.App = x.Who.App
	}
	if !ofApp(x, req.App) {
		return door.Reply{}, door.Refuse(door.CodeForbidden, "%s is limited to the app %s, and cannot make keys for another", x.Who.Name,
			x.Who.App)
	}
	text, k, err := h.directory.CreateKey(ctx, tenant, access.NewKey{
		App: req.App, Name: req.Name, Env: req.Env, Role: req.Role, Scopes: req.Scopes, Networks: networks, ExpiresAt: req.ExpiresAt,
	}, x.Who.May, x.Who.Name)
	if err != nil {
		return door.Reply{}, err
	}
	if err := note(x, "api-keys", tenant, k.ID, nil, keyView(&k, x.Now())); err != nil {
		return door.Reply{}, err
	}
	return h.key201(ctx, x, text, &k)
}

// networksOf reads networks, and single addresses as networks of one.
func networksOf(texts []string) ([]netip.Prefix, push.Faults) {
	var out []netip.Prefix
	var faults push.Faults
	for i, text := range texts {
		n, err := netip.ParsePrefix(text)
		if addr, single := netip.ParseAddr(text); err != nil && single == nil && addr.Zone() == "" {
			n, err = netip.PrefixFrom(addr, addr.BitLen()), nil
		}
		if err != nil {
			faults = append(faults, push.Fault{
				Pointer: fmt.Sprintf("/networks/%d", i), Code: push.FaultValue,
				Detail: fmt.Sprintf("must be a network such as 203.0.113.0/24 or 2001:db8::/32, or an address (got %q)", push.Clip(text)),
			})
			continue
		}
		out = append(out, unmapped(n).Masked())
	}
	return out, faults
}

// unmapped turns a network of IPv4 addresses in IPv6 into one of IPv4 addresses, which is
// how callers' addresses are compared.
func unmapped(n netip.Prefix) netip.Prefix {
	const mapped = 96 // bits of ::ffff:0:0/96
	if n.Addr().Is4In6() && n.Bits() >= mapped {
		return netip.PrefixFrom(n.Addr().Unmap(), n.Bits()-mapped)
	}
	return n
}

// key201 answers with a new key. What is kept of the answer, for repeats with the same
// Idempotency-Key, is without the key's text.
func (h *handlers) key201(ctx context.Context, x *door.Exchange, text string, k *access.Key) (door.Reply, error) {
	view := client.NewAPIKey{Key: text, APIKey: keyView(k, x.Now())}
	kept := view
	kept.Key = ""
	kept.Notes = []string{"The key's text was in the first answer only. If that was lost, revoke this key and make another."}
	view.Notes = h.entranceNotes(ctx)
	return door.Reply{
		Status: http.StatusCreated, Body: view, Stored: kept, Location: "/v1/api-keys/" + k.ID + suffix(x, k.Tenant),
	}, nil
}

// entranceNotes say whether requests without a key are let in, and nothing if that can't be
// told: the key is made, and its text must get out.
func (h *handlers) entranceNotes(ctx context.Context) []string {
	open, err := h.entrance.LetsAnyone(ctx)
	switch {
	case err != nil:
		return nil
	case open:
		return []string{
			"Requests without a key are still let in: the server listens on the loopback interface only, asks for none, and there is " +
				"no other tenant. Start it with BELFRY_API_KEY set, and they are refused.",
		}
	}
	return []string{"Requests without a key are refused."}
}

// pathKey returns the key in the path, if the caller may know of it.
func (h *handlers) pathKey(ctx context.Context, x *door.Exchange) (access.Key, error) {
	tenant, err := h.whose(ctx, x)
	if err != nil {
		return access.Key{}, err
	}
	k, err := h.directory.Key(ctx, tenant, x.Request.PathValue("id"))
	if err == nil && !ofKey(x, &k) {
		err = push.ErrNotFound
	}
	return k, err
}

func (h *handlers) getKey(ctx context.Context, x *door.Exchange) (door.Reply, error) {
	k, err := h.pathKey(ctx, x)
	return key200(x, k, err)
}

func (h *handlers) revokeKey(ctx context.Context, x *door.Exchange) (door.Reply, error) {
	k, err := h.pathKey(ctx, x)
	if err != nil {
		return door.Reply{}, err
	}
	before := keyView(&k, x.Now())
	if k, err = h.directory.RevokeKey(ctx, k.Tenant, k.ID, x.Who.Name); err == nil {
		err = note(x, "api-keys", k.Tenant, k.ID, before, keyView(&k, x.Now()))
	}
	return key200(x, k, err)
}

func (h *handlers) rotateKey(ctx context.Context, x *door.Exchange) (door.Reply, error) {
	var req client.RotateRequest
	if len(x.Body) > 0 {
		if err := request.DecodeJSON(x.Body, &req); err != nil {
			return door.Reply{}, err
		}
	}
	overlap := defaultOverlap
	if req.Overlap != "" {
		var err error
		if overlap, err = time.ParseDuration(req.Overlap); err != nil || overlap < 0 || overlap > mostOverlap {
			return door.Reply{}, push.Faults{{
				Pointer: "/overlap", Code: push.FaultValue,
				Detail: fmt.Sprintf("must be a duration such as 24h, from 0s to 720h (got %q)", push.Clip(req.Overlap)),
			}}
		}
	}
	old, err := h.pathKey(ctx, x)
	if err != nil {
		return door.Reply{}, err
	}
	text, k, err := h.directory.RotateKey(ctx, old.Tenant, old.ID, overlap, x.Who.May, x.Who.Name)
	if err != nil {
		return door.Reply{}, err
	}
	if err := note(x, "api-keys", old.Tenant, old.ID, keyView(&old, x.Now()), keyView(&k, x.Now())); err != nil {
		return door.Reply{}, err
	}
	return h.key201(ctx, x, text, &k)
}

func key200(x *door.Exchange, k access.Key, err error) (door.Reply, error) {
	if err != nil {
		return door.Reply{}, err
	}
	return door.Reply{Status: http.StatusOK, Body: keyView(&k, x.Now())}, nil
}

func keyView(k *access.Key, now time.Time) client.APIKey {
	v := client.APIKey{
		ID: k.ID, Tenant: k.Tenant, App: k.App, Name: k.Name, Env: k.Env, Role: k.Role, State: client.APIKeyLive,
		CreatedAt: k.CreatedAt, CreatedBy: k.CreatedBy, ExpiresAt: views.Time(k.ExpiresAt), RevokedAt: views.Time(k.RevokedAt),
		RevokedBy: k.RevokedBy, UsedAt: views.Time(k.UsedAt), Replaces: k.Replaces,
	}
	for _, s := range k.Scopes {
		v.Scopes = append(v.Scopes, client.Scope(s))
	}
	for _, n := range k.Networks {
		v.Networks = append(v.Networks, n.String())
	}
	switch {
	case k.MustSign:
		v.Signing = client.SigningRequired
	case len(k.Signing) > 0:
		v.Signing = client.SigningAllowed
	}
	switch {
	case !k.RevokedAt.IsZero():
		v.State = client.APIKeyRevoked
	case !k.Live(now):
		v.State = client.APIKeyExpired
	}
	return v
}
