package door_test

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/httpapi/door"
)

type brokenAuth struct{}

func (brokenAuth) Authenticate(context.Context, access.Presented) (access.Caller, error) {
	return access.Caller{}, errors.New("key store is away")
}

func TestBrokenAuthenticator(t *testing.T) {
	t.Parallel()
	g := setup(t, func(cfg *door.Config) { cfg.Auth = brokenAuth{} })
	g.Do(t, "GET", things, "").Want(t, http.StatusInternalServerError, door.CodeInternal)
}
