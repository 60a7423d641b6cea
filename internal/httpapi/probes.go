package httpapi

import (
	"net/http"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/httpapi/overview"
	"github.com/belfry-push/belfry/internal/httpapi/pages"
	"github.com/belfry-push/belfry/internal/sameorigin"
)

// NewProbes returns the handler of a service without an API: /healthz, /readyz, /statusz
// and /metrics, with the same answers as the API's, and /problems, which the
// types of its problems point to. They ask for no key, so that
// guard must look at the Host header.
func NewProbes(h Health, self overview.Self, guard *sameorigin.Guard, reg *prometheus.Registry, log *zap.Logger) http.Handler {
	// Counted in a registry of their own, which takes them without an error: an
	// API in the same process has registered these metrics with reg.
	d, _ := door.New(door.Config{Pages: guard, Registry: prometheus.NewRegistry(), Log: log},
		slices.Concat(operators{health: h, registry: reg, log: log}.probeRoutes(), overview.Own(self), pages.Problems(groupOperators)))
	return d
}
