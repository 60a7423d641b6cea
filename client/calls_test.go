package client

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestEndpoints pins every method to its method, path and body.
func TestEndpoints(t *testing.T) {
	t.Parallel()

	ctx := t.Context()
	event, err := NewRequested("/shop", "7", Request{Message: []byte(`{}`)})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		want string
		call func(*Client) error
	}{
		{`POST /v1/notifications {"message":null}`, func(c *Client) error { _, err := c.Send(ctx, Request{}); return err }},
		{`GET /v1/notifications/i `, func(c *Client) error { _, err := c.Notification(ctx, "i"); return err }},
		{`POST /v1/notifications/i/cancel `, func(c *Client) error { _, err := c.Cancel(ctx, "i"); return err }},
		{`POST /v1/batches {"message":null}`, func(c *Client) error { _, err := c.CreateBatch(ctx, Request{}); return err }},
		{`GET /v1/batches/i `, func(c *Client) error { _, err := c.Batch(ctx, "i"); return err }},
		{`POST /v1/batches/i/start `, func(c *Client) error { _, err := c.StartBatch(ctx, "i"); return err }},
		{`POST /v1/batches/i/pause `, func(c *Client) error { _, err := c.PauseBatch(ctx, "i"); return err }},
		{`POST /v1/batches/i/resume `, func(c *Client) error { _, err := c.ResumeBatch(ctx, "i"); return err }},
		{`POST /v1/batches/i/cancel `, func(c *Client) error { _, err := c.CancelBatch(ctx, "i"); return err }},
		{`PUT /v1/devices/i {"token":"t"}`, func(c *Client) error { _, err := c.PutDevice(ctx, "i", Device{Token: "t"}); return err }},
		{`PATCH /v1/devices/i {"user_id":"","attributes":{"a":null,"b":""}}`, func(c *Client) error {
			_, err := c.PatchDevice(ctx, "i", DevicePatch{UserID: new(""), Attributes: map[string]*string{"a": nil, "b": new("")}})
			return err
		}},
		{`GET /v1/devices/i `, func(c *Client) error { _, err := c.Device(ctx, "i"); return err }},
		{`DELETE /v1/devices/i `, func(c *Client) error { return c.DeleteDevice(ctx, "i") }},
		{`POST /v1/pauses {"scope":"app","app":"shop"}`, func(c *Client) error {
			_, err := c.AddPause(ctx, PauseRequest{Scope: PauseApp, App: "shop"})
			return err
		}},
		{`GET /v1/pauses `, func(c *Client) error { _, err := c.Pauses(ctx); return err }},
		{`DELETE /v1/pauses/i `, func(c *Client) error { return c.LiftPause(ctx, "i") }},
		{`POST /v1/devices/i/restore `, func(c *Client) error { _, err := c.RestoreDevice(ctx, "i"); return err }},
		{
			`POST /v1/events {"specversion":"1.0","id":"7","source":"/shop","type":"push.notification.requested.v1",` +
				`"datacontenttype":"application/json","data":{"message":{}}}`,
			func(c *Client) error { _, err := c.Publish(ctx, event); return err },
		},
		{`GET /v1/dead-letters/groups `, func(c *Client) error {
			_, err := c.DeadLetterGroups(ctx, DeadLetterFilter{}, 0)
			return err
		}},
		{`GET /v1/dead-letters/stats `, func(c *Client) error { _, err := c.DeadLetterStats(ctx, DeadLetterFilter{}); return err }},
		{`GET /v1/dead-letters/i `, func(c *Client) error { _, err := c.DeadLetter(ctx, "i", false); return err }},
		{`POST /v1/dead-letters/discard {"filter":{"queue":"q"},"reason":"r"}`, func(c *Client) error {
			_, err := c.Discard(ctx, DiscardRequest{Filter: DeadLetterFilter{Queue: "q"}, Reason: "r"})
			return err
		}},
		{`POST /v1/dead-letters/drain `, func(c *Client) error { _, err := c.DrainDeadLetters(ctx); return err }},
		{`POST /v1/dead-letters/import archive`, func(c *Client) error {
			_, err := c.ImportDeadLetters(ctx, strings.NewReader("archive"))
			return err
		}},
		{`POST /v1/simulations {"filter":{},"all":true,"edits":{"patch":[],"expire_after":"1h"}}`, func(c *Client) error {
			_, err := c.Simulate(ctx, SimulateRequest{All: true, Edits: &ReplayEdits{Patch: []byte(`[]`), ExpireAfter: "1h"}})
			return err
		}},
		{`GET /v1/simulations/i `, func(c *Client) error { _, err := c.Simulation(ctx, "i"); return err }},
		{`POST /v1/replays {"simulation":"i","canary":0.01}`, func(c *Client) error {
			_, err := c.StartReplay(ctx, ReplayRequest{Simulation: "i", Canary: 0.01})
			return err
		}},
		{`GET /v1/replays/i `, func(c *Client) error { _, err := c.Replay(ctx, "i"); return err }},
		{`POST /v1/replays/i/pause `, func(c *Client) error { _, err := c.PauseReplay(ctx, "i", "me"); return err }},
		{`POST /v1/replays/i/resume `, func(c *Client) error { _, err := c.ResumeReplay(ctx, "i", ""); return err }},
		{`POST /v1/replays/i/cancel `, func(c *Client) error { _, err := c.CancelReplay(ctx, "i", ""); return err }},
		{`POST /v1/tenants {"name":"acme","settings":{"weight":3}}`, func(c *Client) error {
			_, err := c.CreateTenant(ctx, TenantRequest{Name: "acme", Settings: Settings{Weight: new(int64(3))}})
			return err
		}},
		{`GET /v1/tenants/acme `, func(c *Client) error { _, err := c.Tenant(ctx, "acme"); return err }},
		{`PATCH /v1/tenants/acme {"about":"","settings":{"ttl":null,"weight":3}}`, func(c *Client) error {
			_, err := c.PatchTenant(ctx, "acme", TenantPatch{About: new(""), Settings: map[string]any{"weight": 3, "ttl": nil}})
			return err
		}},
		{`DELETE /v1/tenants/acme `, func(c *Client) error { return c.DeleteTenant(ctx, "acme") }},
		{`GET /v1/platform `, func(c *Client) error { _, err := c.PlatformSettings(ctx); return err }},
		{`PUT /v1/platform {"settings":{"ttl":60}}`, func(c *Client) error {
			_, err := c.SetPlatform(ctx, Settings{TTL: new(int64(60))})
			return err
		}},
		{`POST /v1/apps?tenant=acme {"name":"shop"}`, func(c *Client) error {
			_, err := c.CreateApp(ctx, AppRequest{Name: "shop"}, OfTenant("acme"))
			return err
		}},
		{`GET /v1/apps `, func(c *Client) error { _, err := c.Apps(ctx); return err }},
		{`GET /v1/apps/shop?tenant=acme `, func(c *Client) error { _, err := c.App(ctx, "shop", OfTenant("acme")); return err }},
		{`PATCH /v1/apps/shop?tenant=acme {"about":"x"}`, func(c *Client) error {
			_, err := c.PatchApp(ctx, "shop", AppPatch{About: new("x")}, OfTenant("acme"))
			return err
		}},
		{`DELETE /v1/apps/shop?tenant=acme `, func(c *Client) error { return c.DeleteApp(ctx, "shop", OfTenant("acme")) }},
		{`GET /v1/configuration?app=shop&tenant=acme `, func(c *Client) error {
			_, err := c.Configuration(ctx, "shop", OfTenant("acme"))
			return err
		}},
		{`POST /v1/api-keys?tenant=acme {"role":"owner"}`, func(c *Client) error {
			_, err := c.CreateAPIKey(ctx, APIKeyRequest{Role: "owner"}, OfTenant("acme"))
			return err
		}},
		{`GET /v1/api-keys?state=live `, func(c *Client) error { _, err := c.APIKeys(ctx, []APIKeyState{APIKeyLive}); return err }},
		{`GET /v1/api-keys/k `, func(c *Client) error { _, err := c.APIKey(ctx, "k"); return err }},
		{`POST /v1/api-keys/k/rotate {"overlap":"1h"}`, func(c *Client) error {
			_, err := c.RotateAPIKey(ctx, "k", RotateRequest{Overlap: "1h"})
			return err
		}},
		{`PUT /v1/api-keys/k/signing {"required":true}`, func(c *Client) error {
			_, err := c.EnableSigning(ctx, "k", SigningRequest{Required: true})
			return err
		}},
		{`DELETE /v1/api-keys/k/signing `, func(c *Client) error { _, err := c.DisableSigning(ctx, "k"); return err }},
		{`DELETE /v1/api-keys/k `, func(c *Client) error { _, err := c.RevokeAPIKey(ctx, "k"); return err }},
		{`POST /v1/roles {"name":"r","permissions":["read"]}`, func(c *Client) error {
			_, err := c.CreateRole(ctx, RoleRequest{Name: "r", Permissions: []Permission{PermissionRead}})
			return err
		}},
		{`GET /v1/roles `, func(c *Client) error { _, err := c.Roles(ctx); return err }},
		{`DELETE /v1/roles/r `, func(c *Client) error { return c.DeleteRole(ctx, "r") }},
		{`GET /v1/usage?app=a&cursor=c&group=day&limit=5&since=2026-11-01&tenant=t&until=2026-12-01 `, func(c *Client) error {
			_, err := c.UsagePage(ctx, UsageFilter{Tenant: "t", App: "a", Since: "2026-11-01", Until: "2026-12-01", Group: "day"}, "c", 5)
			return err
		}},
		{`GET /v1/usage?limit=1000 `, func(c *Client) error {
			for range c.Usage(ctx, UsageFilter{}) {
				break
			}
			return nil
		}},
		{`GET /readyz `, func(c *Client) error { return c.Ready(ctx) }},
	}
	for _, tt := range tests {
		t.Run(tt.want, func(t *testing.T) {
			t.Parallel()
			var got string
			c := newClient(t, func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				path := r.URL.Path
				if strings.HasPrefix(tt.want, r.Method+" "+path+"?") { // where the query is what matters
					path = r.URL.RequestURI()
				}
				got = r.Method + " " + path + " " + string(body)
				w.WriteHeader(http.StatusNoContent)
			})
			if err := tt.call(c); err != nil {
				t.Fatal(err)
			}
			if got != tt.want {
				t.Errorf("request = %s\nwant      %s", got, tt.want)
			}
		})
	}
}

func TestEventNeedsItsKey(t *testing.T) {
	t.Parallel()

	for _, k := range [][2]string{{"", "id"}, {"/source", ""}} {
		if _, err := NewRequested(k[0], k[1], Request{}); err == nil {
			t.Errorf("NewRequested(%q, %q) = nil", k[0], k[1])
		}
	}
}

func TestLists(t *testing.T) {
	t.Parallel()

	var queries []string
	c := newClient(t, func(w http.ResponseWriter, r *http.Request) {
		queries = append(queries, r.URL.Path+"?"+r.URL.RawQuery)
		switch r.URL.Query().Get("cursor") {
		case "":
			answer(w, http.StatusOK, map[string]any{"items": []map[string]any{{"id": "a"}, {"id": "b"}}, "next_cursor": "2"})
		case "2":
			answer(w, http.StatusOK, map[string]any{"items": []map[string]any{}, "next_cursor": "3"})
		case "3":
			answer(w, http.StatusOK, map[string]any{"items": []map[string]any{{"id": "c"}}})
		}
	})
	var ids []string
	for n, err := range c.Notifications(t.Context(), NotificationFilter{PageSize: 2}) {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, n.ID)
	}
	for d, err := range c.Devices(t.Context(), "user 1") {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, d.ID)
		if len(ids) == 4 {
			break // no further page may be fetched
		}
	}
	for _, err := range c.Deliveries(t.Context(), "ntf_1", DeliveryFilter{Class: "sent", Code: "sent"}) {
		if err != nil {
			t.Fatal(err)
		}
		break
	}
	want := []string{
		"/v1/notifications?limit=2", "/v1/notifications?cursor=2&limit=2", "/v1/notifications?cursor=3&limit=2",
		"/v1/devices?limit=1000&user_id=user+1", "/v1/notifications/ntf_1/deliveries?class=sent&code=sent&limit=1000",
	}
	if diff := cmp.Diff(want, queries); diff != "" {
		t.Errorf("queries (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"a", "b", "c", "a"}, ids); diff != "" {
		t.Errorf("ids (-want +got):\n%s", diff)
	}
}

func TestListErrors(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name    string
		handler http.HandlerFunc
	}{
		{"refused", func(w http.ResponseWriter, _ *http.Request) { refuse(w, Problem{Status: 400, Code: "cursor"}) }},
		{"a cursor that comes back", func(w http.ResponseWriter, _ *http.Request) {
			answer(w, http.StatusOK, DeviceList{NextCursor: "same"})
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			pairs, failed := 0, 0
			for _, err := range newClient(t, tt.handler).Devices(t.Context(), "") {
				pairs++
				if err != nil {
					failed++
				}
			}
			if pairs != 1 || failed != 1 {
				t.Errorf("%d pairs, %d with an error, want one error", pairs, failed)
			}
		})
	}
}

func TestAwait(t *testing.T) {
	t.Parallel()

	calls := 0
	c := newClient(t, func(w http.ResponseWriter, _ *http.Request) {
		switch calls++; {
		case calls == 2:
			cut()
		case calls < 4:
			answer(w, http.StatusOK, Notification{State: "sending"})
		default:
			answer(w, http.StatusOK, Notification{State: StateCompleted})
		}
	})
	if n, err := c.Await(t.Context(), "ntf_1", time.Microsecond); err != nil || n.State != StateCompleted {
		t.Errorf("Await = %+v, %v", n, err)
	}

	gone := newClient(t, func(w http.ResponseWriter, _ *http.Request) { refuse(w, Problem{Status: 404, Code: "not_found"}) })
	if _, err := gone.Await(t.Context(), "ntf_2", time.Microsecond); !IsProblem(err, "not_found") {
		t.Errorf("Await of nothing = %v", err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	never := newClient(t, func(w http.ResponseWriter, _ *http.Request) {
		cancel()
		answer(w, http.StatusOK, Notification{State: "sending"})
	})
	if _, err := never.Await(ctx, "ntf_3", time.Hour); err == nil {
		t.Error("Await of a notification that never ends = nil")
	}
}
