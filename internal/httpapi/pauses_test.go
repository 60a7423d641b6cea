package httpapi

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/httpapi/door"
)

// callers are authenticated by the name that they give as key.
type callers map[string]access.Caller

// Authenticate implements [door.Authenticator].
func (c callers) Authenticate(_ context.Context, p access.Presented) (access.Caller, error) {
	if who, ok := c[p.Key]; ok {
		return who, nil
	}
	return access.Caller{}, &access.DeniedError{Reason: "unknown"}
}

func pauseRig(t *testing.T) *rig {
	t.Helper()
	own := access.SetOf(access.PermManage, access.PermRead)
	return setup(t, func(cfg *Config) {
		cfg.Auth = callers{
			"ops":   {Tenant: access.DefaultName, Name: "ops", May: access.AllPermissions()},
			"acme":  {Tenant: "acme", Name: "acme-key", May: own},
			"shop":  {Tenant: "acme", App: "shop", Name: "shop-key", May: own},
			"other": {Tenant: "other", Name: "other-key", May: own},
		}
	})
}

func (g *rig) pause(t *testing.T, key, body string, status int, code door.Code) client.Pause {
	t.Helper()
	got := g.Do(t, "POST", "/v1/pauses", body, "Authorization", "Bearer "+key)
	if code != "" {
		got.Want(t, status, code)
		return client.Pause{}
	}
	var p client.Pause
	if err := json.Unmarshal(got.Body.Bytes(), &p); err != nil || got.Code != status || got.Header().Get("Location") != "/v1/pauses/"+p.ID {
		t.Errorf("%s %s: %d %s %v", key, body, got.Code, got.Body, err)
	}
	return p
}

// Everybody pauses and lifts what is his own, and the platform's operator everything; the operator's pauses are his alone
// to lift, and nobody learns of another tenant's.
func TestPauses(t *testing.T) {
	t.Parallel()
	g := pauseRig(t)
	const tenant = `{"scope":"tenant","reason":"too loud"}`
	own := g.pause(t, "acme", tenant, http.StatusCreated, "")
	if own.Tenant != "acme" || own.Scope != client.PauseTenant || own.By != "acme-key" || own.Reason != "too loud" || own.Operator {
		t.Errorf("%+v", own)
	}
	if again := g.pause(t, "acme", tenant, http.StatusOK, ""); again.ID != own.ID {
		t.Errorf("%+v", again)
	}
	operators := g.pause(t, "ops", `{"scope":"tenant","tenant":"acme"}`, http.StatusCreated, "")
	app := g.pause(t, "shop", `{"scope":"app","app":"shop"}`, http.StatusCreated, "")
	all := g.pause(t, "ops", `{"scope":"everything"}`, http.StatusCreated, "")
	g.pause(t, "acme", `{"scope":"everything"}`, http.StatusForbidden, door.CodeForbidden)
	g.pause(t, "acme", `{"scope":"tenant","tenant":"other"}`, http.StatusForbidden, door.CodeForbidden)
	g.pause(t, "shop", tenant, http.StatusForbidden, door.CodeForbidden)
	g.pause(t, "shop", `{"scope":"app"}`, http.StatusForbidden, door.CodeForbidden) // the default app is another
	g.pause(t, "ops", `{"scope":"world"}`, http.StatusUnprocessableEntity, door.CodeInvalid)
	g.pause(t, "ops", `{"scope":"everything","app":"shop"}`, http.StatusUnprocessableEntity, door.CodeInvalid)
	g.pause(t, "ops", `{"scope":"tenant","app":"shop"}`, http.StatusUnprocessableEntity, door.CodeInvalid)

	for key, want := range map[string]int{"ops": 4, "acme": 4, "shop": 4, "other": 1} {
		var l client.PauseList
		got := g.Do(t, "GET", "/v1/pauses", "", "Authorization", "Bearer "+key)
		if err := json.Unmarshal(got.Body.Bytes(), &l); err != nil || len(l.Items) != want {
			t.Errorf("%s sees %d, want %d: %s", key, len(l.Items), want, got.Body)
		}
	}
	for _, c := range []struct {
		key, id string
		status  int
	}{
		{"other", own.ID, http.StatusNotFound},
		{"other", all.ID, http.StatusForbidden},
		{"acme", operators.ID, http.StatusForbidden},
		{"shop", own.ID, http.StatusForbidden},
		{"shop", app.ID, http.StatusNoContent},
		{"acme", own.ID, http.StatusNoContent},
		{"acme", own.ID, http.StatusNotFound},
		{"ops", operators.ID, http.StatusNoContent},
		{"ops", all.ID, http.StatusNoContent},
		{"ops", "pse_1", http.StatusNotFound},
	} {
		if got := g.Do(t, "DELETE", "/v1/pauses/"+c.id, "", "Authorization", "Bearer "+c.key); got.Code != c.status {
			t.Errorf("%s lifts %s: %d, want %d: %s", c.key, c.id, got.Code, c.status, got.Body)
		}
	}
}
