package httpapi

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/idempotency"
	"github.com/belfry-push/belfry/internal/sameorigin"
)

// NewDeadLetters returns the handler of the dead letters and replays alone, for
// whoever holds the backend in hand: it asks for no key, and every request is the
// operator's. Serve it inside the process, and to nobody else: it does not look
// at the Host header either.
func NewDeadLetters(letters DeadLetters, answers idempotency.Store, log *zap.Logger) (http.Handler, error) {
	pages, err := sameorigin.New(sameorigin.Config{AnyHost: true})
	if err != nil {
		return nil, err
	}
	a := blank(Config{DeadLetters: letters, Operator: DefaultTenant, Answers: answers, Auth: Keys{}, Pages: pages, Log: log})
	a.routes = a.deadLetterRoutes()
	return a.mux, a.mount(prometheus.NewRegistry())
}
