package door_test

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/belfry-push/belfry/internal/httpapi/door"
)

func TestNoKeys(t *testing.T) {
	t.Parallel()
	for _, k := range []door.Keys{{}, door.NewKeys(nil), door.NewKeys(map[string]string{"": "x"})} {
		want := door.Caller{Tenant: door.DefaultTenant, Name: door.Anonymous}
		if who, err := k.Authenticate(t.Context(), "anything"); !k.Open() || who != want || err != nil {
			t.Errorf("caller %+v, error %v", who, err)
		}
	}
}

// A key has a name that stays, and is not the key: what sha256sum prints of it.
func TestKeysHaveNames(t *testing.T) {
	t.Parallel()
	who, err := door.NewKeys(map[string]string{"k": "t", "other": "t"}).Authenticate(t.Context(), "k")
	if want := (door.Caller{Tenant: "t", Name: "key:8254c329"}); who != want || err != nil {
		t.Errorf("caller %+v, error %v, want %+v", who, err, want)
	}
}

type brokenAuth struct{}

func (brokenAuth) Authenticate(context.Context, string) (door.Caller, error) {
	return door.Caller{}, errors.New("key store is away")
}

func TestBrokenAuthenticator(t *testing.T) {
	t.Parallel()
	g := setup(t, func(cfg *door.Config) { cfg.Auth = brokenAuth{} })
	g.Do(t, "GET", things, "").Want(t, http.StatusInternalServerError, door.CodeInternal)
}
