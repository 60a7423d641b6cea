package tenants

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/app"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/test/sandbox"
)

// The tenants: what belongs to acme is asked for by everybody.
const (
	acme  = "acme"
	rival = "rival"
	shop  = "shop" // acme's app that everything is of
	bank  = "bank" // the other one
)

// world is a whole Belfry with two tenants beside the default one, and what acme has.
type world struct {
	t    *testing.T
	url  string
	root string // key of the platform's operator
	keys map[string]string
	past *access.Directory // the server's an hour ago, where keys are made that have expired since

	ntf, bat, dlt, sim, rpl, key string // ids of what acme has
	names                        int    // given to what is made anew
}

func newWorld(t *testing.T) *world {
	t.Helper()
	s := sandbox.Start(t, 1, zap.NewNop())
	w := &world{t: t, url: s.API, keys: map[string]string{}}
	b, err := app.Opener(s.Store, zap.NewNop())(t.Context(), prometheus.NewRegistry())
	w.must(err)
	t.Cleanup(func() { w.must(b.Close(context.Background())) })
	w.past = access.New(b.Store, func() time.Time { return time.Now().Add(-time.Hour) })

	// As an operator does it: a key first, because the second tenant closes the door.
	made, err := w.client("").CreateAPIKey(t.Context(), client.APIKeyRequest{Role: access.RoleOwner})
	w.must(err)
	w.root = made.Key
	for _, name := range []string{acme, rival} {
		_, err := w.client(w.root).CreateTenant(t.Context(), client.TenantRequest{Name: name})
		w.must(err)
	}
	for _, name := range []string{shop, bank} {
		_, err := w.client(w.root).CreateApp(t.Context(), client.AppRequest{Name: name}, client.OfTenant(acme))
		w.must(err)
	}
	w.makeKeys()
	w.fill(b)
	return w
}

func (w *world) must(errs ...error) {
	w.t.Helper()
	for _, err := range errs {
		if err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w *world) client(key string) *client.Client {
	w.t.Helper()
	c, err := client.New(w.url, key)
	w.must(err)
	return c
}

// makeKeys makes a key for every kind of caller.
func (w *world) makeKeys() {
	w.t.Helper()
	ctx := w.t.Context()
	create := func(name, tenant string, req client.APIKeyRequest) {
		k, err := w.client(w.root).CreateAPIKey(ctx, req, client.OfTenant(tenant))
		w.must(err)
		w.keys[name] = k.Key
	}
	for _, r := range access.BuiltinRoles() {
		create(r.Name, acme, client.APIKeyRequest{Role: r.Name})
	}
	for _, s := range access.Scopes() {
		create("scope "+string(s), acme, client.APIKeyRequest{Role: access.RoleOwner, Scopes: []client.Scope{client.Scope(s)}})
	}
	create("limited", acme, client.APIKeyRequest{Role: access.RoleOwner, App: bank})
	create("rival", rival, client.APIKeyRequest{Role: access.RoleOwner})

	revoked, err := w.client(w.root).CreateAPIKey(ctx, client.APIKeyRequest{Role: access.RoleOwner}, client.OfTenant(acme))
	w.must(err)
	_, err = w.client(w.root).RevokeAPIKey(ctx, revoked.APIKey.ID, client.OfTenant(acme))
	w.must(err)
	gone, _, err := w.past.CreateKey(ctx, acme, access.NewKey{Role: access.RoleOwner, ExpiresAt: time.Now().Add(-time.Minute)},
		access.AllPermissions(), "test")
	w.must(err)
	w.keys["none"], w.keys["malformed"], w.keys["unknown"] = "", w.keys[access.RoleOwner]+"0", strings.Repeat("x", 40)
	w.keys["revoked"], w.keys["expired"] = revoked.Key, gone
}

// fill gives acme one of everything.
func (w *world) fill(b *app.Backend) {
	w.t.Helper()
	ctx, own := w.t.Context(), w.client(w.keys[access.RoleOwner])
	message := json.RawMessage(`{"notification":{"title":"secret"}}`)
	n, err := own.Send(ctx, client.Request{App: shop, To: &client.Target{Tokens: []string{"any"}}, Message: message})
	w.must(err)
	w.ntf = n.ID
	w.bat = w.batch()
	_, err = own.PutDevice(ctx, "phone", client.Device{Token: "token-1"})
	w.must(err)
	k, err := own.CreateAPIKey(ctx, client.APIKeyRequest{Role: access.RoleViewer})
	w.must(err)
	w.key = k.APIKey.ID
	_, err = own.CreateRole(ctx, client.RoleRequest{Name: "support", Permissions: []client.Permission{client.PermissionRead}})
	w.must(err)
	w.letter(b)
	filter := client.DeadLetterFilter{Queue: push.QueueNotifications}
	s, err := own.Simulate(ctx, client.SimulateRequest{Filter: filter})
	w.must(err)
	w.sim = s.ID
	r, err := own.StartReplay(ctx, client.ReplayRequest{Simulation: s.ID})
	w.must(err)
	w.rpl = r.ID
}

// batch makes a batch of acme's.
func (w *world) batch() string {
	w.t.Helper()
	b, err := w.client(w.keys[access.RoleOwner]).CreateBatch(w.t.Context(), client.Request{App: shop, Message: json.RawMessage(`{"data":{}}`)})
	w.must(err)
	return b.ID
}

// letter parks a dead letter of acme's.
func (w *world) letter(b *app.Backend) {
	w.t.Helper()
	l := push.Letter{
		ID: push.NewID(push.PrefixDeadLetter), Kind: push.LetterMessage, Tenant: acme, Queue: push.QueueNotifications, Code: push.CodePoison,
		Attempts: 1, Cell: -1, Body: []byte("noise"), DeadAt: time.Now().Add(-time.Hour), State: push.LetterParked,
		Fingerprint: "0123456789abcdef",
	}
	_, err := b.Store.PutLetters(w.t.Context(), []push.Letter{l})
	w.must(err)
	w.dlt = string(l.ID)
}

// ask makes a request and returns the status of its answer, of which no more is read.
func (w *world) ask(key, method, path, body, kind string) (status int, problem string) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.url+path, strings.NewReader(body))
	w.must(err)
	if body == "" {
		req.Body, req.ContentLength = http.NoBody, 0
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	w.must(err)
	defer resp.Body.Close()
	if resp.StatusCode >= http.StatusBadRequest {
		b, err := io.ReadAll(resp.Body)
		w.must(err)
		problem = string(b)
	}
	return resp.StatusCode, problem
}
