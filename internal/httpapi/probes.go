package httpapi

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/sameorigin"
)

// NewProbes returns the handler of a service without an API: /healthz, /readyz
// and /metrics, with the same answers as the API's. They ask for no key, so that
// pages must look at the Host header.
func NewProbes(h Health, pages *sameorigin.Guard, reg *prometheus.Registry, log *zap.Logger) http.Handler {
	a := &api{cfg: Config{Health: h, Pages: pages, Registry: reg}, log: log, now: time.Now, mux: http.NewServeMux()}
	a.routes = a.probeRoutes()
	// Counted in a registry of their own, which takes them without an error: an
	// API in the same process has registered these metrics with reg.
	_ = a.mount(prometheus.NewRegistry())
	return a.mux
}
