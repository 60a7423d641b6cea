package httpapi

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/idempotency"
)

// NewDeadLetters returns the handler of the dead letters and replays alone, for
// whoever holds the backend in hand: it asks for no key, and every request is the
// operator's. Serve it to nobody else.
func NewDeadLetters(letters DeadLetters, answers idempotency.Store, log *zap.Logger) (http.Handler, error) {
	a := blank(Config{DeadLetters: letters, Operator: DefaultTenant, Answers: answers, Auth: Keys{}, Log: log})
	a.routes = a.deadLetterRoutes()
	return a.mux, a.mount(prometheus.NewRegistry())
}
