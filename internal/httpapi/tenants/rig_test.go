package tenants

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/document/documenttest"
	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/httpapi/door/doortest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

func testNow() time.Time { return time.Date(2026, 11, 3, 12, 0, 0, 0, time.UTC) }

// callers are who the tests are, by the key that they give. They are here rather than in the
// directory, so that a test can say what a caller is.
type callers map[string]access.Caller

func (c callers) Authenticate(_ context.Context, p access.Presented) (access.Caller, error) {
	if found, ok := c[p.Key]; ok {
		return found, nil
	}
	return access.Caller{}, &access.DeniedError{Reason: "nobody"}
}

// everyone is the cast: the platform's operator, the owner of acme, one that is limited to its
// app shop, and one that may read only.
func everyone() callers {
	owner := access.AllPermissions() &^ access.SetOf(access.PermPlatform)
	return callers{
		"root":   {Tenant: access.DefaultName, Name: "key:root", May: access.AllPermissions()},
		"owner":  {Tenant: "acme", Name: "key:owner", May: owner},
		"shop":   {Tenant: "acme", App: "shop", Name: "key:shop", May: owner},
		"viewer": {Tenant: "acme", Name: "key:viewer", May: access.SetOf(access.PermRead)},
		"other":  {Tenant: "other", Name: "key:other", May: owner},
	}
}

// entrance says whether requests without a key are let in.
type entrance bool

func (e entrance) LetsAnyone(context.Context) (bool, error) { return bool(e), nil }

func (entrance) Recheck() {}

type rig struct {
	*doortest.Caller

	directory *access.Directory
}

// setup returns a door with the tenants acme, with the apps shop and bank, and other.
func setup(t *testing.T, e Entrance) *rig {
	t.Helper()
	g := &rig{directory: access.New(&documenttest.Memory{}, testNow)}
	cfg := door.Config{
		Answers: &doortest.Answers{}, Auth: everyone(), Pages: doortest.OwnPages(t), Registry: prometheus.NewRegistry(), Log: zap.NewNop(),
		Now: testNow,
	}
	g.Caller = doortest.New(t, cfg, Routes(g.directory, e))
	for _, name := range []string{"acme", "other"} {
		if _, err := g.directory.CreateTenant(t.Context(), access.Tenant{Name: name}, "test"); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"shop", "bank"} {
		if _, err := g.directory.CreateApp(t.Context(), access.App{Tenant: "acme", Name: name}, "test"); err != nil {
			t.Fatal(err)
		}
	}
	return g
}

// as makes a request as one of everyone.
func (g *rig) as(t *testing.T, who, method, target, body string, headers ...string) doortest.Answer {
	t.Helper()
	return g.Do(t, method, target, body, append(headers, "Authorization", "Bearer "+who)...)
}

// read decodes a good answer.
func read[T any](t *testing.T, a doortest.Answer) T {
	t.Helper()
	var v T
	if a.Code >= http.StatusMultipleChoices {
		t.Fatalf("%d: %s", a.Code, a.Body)
	}
	if err := json.Unmarshal(a.Body.Bytes(), &v); err != nil {
		t.Fatal(err)
	}
	return v
}
