package httpapi

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
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
		for _, name := range []string{"acme", "other"} {
			if _, err := cfg.Directory.CreateTenant(t.Context(), access.Tenant{Name: name}, "ops"); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := cfg.Directory.CreateApp(t.Context(), access.App{Tenant: "acme", Name: "shop"}, "ops"); err != nil {
			t.Fatal(err)
		}
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

// A lane is paused for all tenants by the operator alone, and for his own by everybody; a label is the caller's own, within his
// app if the key is of one. What does not fit the scope is refused with its place, and the audit log has what was paused.
func TestPausesOfLanesAndLabels(t *testing.T) {
	t.Parallel()
	g := pauseRig(t)
	lane := g.pause(t, "ops", `{"scope":"lane","lane":"bulk"}`, http.StatusCreated, "")
	if lane.What != "lane bulk" || lane.Lane != client.LaneBulk || lane.Tenant != "" || !lane.Operator {
		t.Errorf("%+v", lane)
	}
	own := g.pause(t, "acme", `{"scope":"lane","lane":"bulk","tenant":"acme"}`, http.StatusCreated, "")
	if own.What != "lane bulk of tenant acme" || own.Operator {
		t.Errorf("%+v", own)
	}
	label := g.pause(t, "acme", `{"scope":"label","label":"campaign=spring","reason":"price"}`, http.StatusCreated, "")
	if label.What != "label campaign=spring of tenant acme" || label.Label != "campaign=spring" || label.Tenant != "acme" {
		t.Errorf("%+v", label)
	}
	if again := g.pause(t, "acme", `{"scope":"label","label":"campaign=spring"}`, http.StatusOK, ""); again.ID != label.ID {
		t.Errorf("%+v", again)
	}
	shops := g.pause(t, "shop", `{"scope":"label","label":"campaign","app":"shop"}`, http.StatusCreated, "")
	if shops.What != "label campaign of app acme/shop" {
		t.Errorf("%+v", shops)
	}
	if p := g.pause(t, "shop", `{"scope":"lane","lane":"high","app":"shop"}`, http.StatusCreated, ""); p.What != "lane high of app acme/shop" {
		t.Errorf("%+v", p)
	}
	for body, pointer := range map[string]string{
		`{"scope":"lane"}`:                                             "/lane",
		`{"scope":"lane","lane":"blk"}`:                                "/lane",
		`{"scope":"lane","lane":"bulk","label":"a=b"}`:                 "/label",
		`{"scope":"label"}`:                                            "/label",
		`{"scope":"label","label":"=spring"}`:                          "/label",
		`{"scope":"label","label":"a\u0000"}`:                          "/label",
		`{"scope":"label","label":"a=b","lane":"bulk"}`:                "/lane",
		`{"scope":"tenant","label":"a=b"}`:                             "/label",
		`{"scope":"everything","lane":"bulk"}`:                         "/lane",
		`{"scope":"lable"}`:                                            "/scope",
		`{"scope":"label","label":"` + strings.Repeat("x", 129) + `"}`: "/label",
	} {
		got := g.Do(t, "POST", "/v1/pauses", body, "Authorization", "Bearer ops")
		var p client.Problem
		if err := json.Unmarshal(got.Body.Bytes(), &p); err != nil || got.Code != http.StatusUnprocessableEntity || len(p.Errors) != 1 ||
			p.Errors[0].Pointer != pointer {
			t.Errorf("%s: %d %s", body, got.Code, got.Body)
		}
	}
	g.pause(t, "acme", `{"scope":"lane","lane":"bulk"}`, http.StatusForbidden, door.CodeForbidden)
	g.pause(t, "acme", `{"scope":"label","label":"a","tenant":"other"}`, http.StatusForbidden, door.CodeForbidden)
	g.pause(t, "shop", `{"scope":"label","label":"a"}`, http.StatusForbidden, door.CodeForbidden)
	for key, want := range map[string]int{"ops": 5, "acme": 5, "shop": 5, "other": 1} {
		var l client.PauseList
		got := g.Do(t, "GET", "/v1/pauses", "", "Authorization", "Bearer "+key)
		if err := json.Unmarshal(got.Body.Bytes(), &l); err != nil || len(l.Items) != want {
			t.Errorf("%s sees %d, want %d: %s", key, len(l.Items), want, got.Body)
		}
	}
	for _, c := range []struct {
		key, id string
		status  int
	}{{"other", label.ID, 404}, {"shop", label.ID, 403}, {"acme", lane.ID, 403}, {"acme", label.ID, 204}, {"shop", shops.ID, 204}} {
		if got := g.Do(t, "DELETE", "/v1/pauses/"+c.id, "", "Authorization", "Bearer "+c.key); got.Code != c.status {
			t.Errorf("%s lifts %s: %d, want %d: %s", c.key, c.id, got.Code, c.status, got.Body)
		}
	}
	told := 0
	for _, e := range g.audit.entries {
		if e.Target.ID != label.ID || e.Status >= http.StatusBadRequest {
			continue
		}
		says, other := string(e.After), string(e.Before)
		if e.Action == "liftPause" {
			says, other = other, says
		}
		if e.Status != http.StatusOK && (!strings.Contains(says, `"label":"campaign=spring"`) || other != "") {
			t.Errorf("%s says before %q, after %q", e.Action, e.Before, e.After)
		}
		told++
	}
	if told != 3 { // made, there already, lifted
		t.Errorf("the audit log has %d entries of the label's pause", told)
	}
}

// Nobody pauses what is not there and believes that it stands still: the answer says what may have been meant.
func TestPausesOfNobody(t *testing.T) {
	t.Parallel()
	g := pauseRig(t)
	for _, c := range []struct{ key, body, pointer, says string }{
		{"ops", `{"scope":"tenant","tenant":"acmee"}`, "/tenant", `there is no tenant acmee; did you mean \"acme\"?; belfry tenant list`},
		{"ops", `{"scope":"lane","lane":"bulk","tenant":"nosuch"}`, "/tenant", "there is no tenant nosuch; belfry tenant list"},
		{"ops", `{"scope":"label","label":"a=b","tenant":"nosuch"}`, "/tenant", "there is no tenant nosuch"},
		{"ops", `{"scope":"app","app":"shop"}`, "/app", "tenant default has no app shop"},
		{"acme", `{"scope":"app","app":"shpo"}`, "/app", `tenant acme has no app shpo; did you mean \"shop\"?`},
		{"acme", `{"scope":"label","label":"a=b","app":"blog"}`, "/app", "tenant acme has no app blog"},
	} {
		got := g.Do(t, "POST", "/v1/pauses", c.body, "Authorization", "Bearer "+c.key)
		got.Want(t, http.StatusUnprocessableEntity, door.CodeInvalid)
		if text := got.Body.String(); !strings.Contains(text, c.says) || !strings.Contains(text, `"`+c.pointer+`"`) {
			t.Errorf("%s: %s", c.body, text)
		}
	}
	if _, err := g.cfg.Directory.DeleteTenant(t.Context(), "other"); err != nil {
		t.Fatal(err)
	}
	got := g.Do(t, "POST", "/v1/pauses", `{"scope":"tenant","tenant":"other"}`, "Authorization", "Bearer ops")
	if got.Want(t, http.StatusUnprocessableEntity, door.CodeInvalid); !strings.Contains(got.Body.String(), "tenant other was deleted") {
		t.Error(got.Body)
	}
	for _, body := range []string{`{"scope":"tenant"}`, `{"scope":"app"}`, `{"scope":"app","tenant":"acme"}`} { // those that always are
		if got := g.Do(t, "POST", "/v1/pauses", body, "Authorization", "Bearer ops"); got.Code != http.StatusCreated {
			t.Errorf("%s: %d %s", body, got.Code, got.Body)
		}
	}
}
