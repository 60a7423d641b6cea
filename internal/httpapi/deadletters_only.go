package httpapi

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/httpapi/deadletters"
	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/idempotency"
	"github.com/belfry-push/belfry/internal/sameorigin"
)

// NewDeadLetters returns the handler of the dead letters and replays only, for a program
// that has the backend itself: it asks for no key, and every request is the operator's. It
// must be served inside the process only: it does not check the Host header either.
func NewDeadLetters(letters deadletters.Letters, replays deadletters.Replays, answers idempotency.Store,
	log *zap.Logger,
) (http.Handler, error) {
	pages, err := sameorigin.New(sameorigin.Config{AnyHost: true})
	if err != nil {
		return nil, err
	}
	return door.New(door.Config{
		Answers: answers, Auth: access.Keys{}, Pages: pages, Registry: prometheus.NewRegistry(), Log: log, Rooms: deadletters.Refusal,
	}, deadletters.Routes(letters, replays))
}
