package httpapi

import (
	"context"
	"net/http"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/telemetry"
)

const (
	typeText = "text/plain"
	// typeMetrics is what Prometheus' text format calls itself, without its
	// parameters.
	typeMetrics = typeText
)

func (a *api) live(context.Context, *exchange) (reply, error) {
	return healthReply(a.cfg.Health.Live()), nil
}

func (a *api) ready(ctx context.Context, x *exchange) (reply, error) {
	report := a.cfg.Health.Ready(ctx)
	rep := healthReply(report)
	if accepts(x.r.Header, typeText) {
		rep.body, rep.raw, rep.kind = nil, []byte(report.Text(a.now())), typeText+"; charset=utf-8"
	}
	return rep, nil
}

func healthReply(r telemetry.Report) reply {
	status := http.StatusOK
	if !r.OK() {
		status = http.StatusServiceUnavailable
	}
	return reply{status: status, body: r, kind: typeJSON}
}

func (a *api) openAPI(context.Context, *exchange) (reply, error) {
	return reply{status: http.StatusOK, raw: a.document}, nil
}

// exposition serves the registry. A collector that fails leaves its metrics out
// and is logged; the others are worth having all the same.
func (a *api) exposition() step {
	errors, _ := zap.NewStdLogAt(a.log.Named("metrics"), zap.WarnLevel) // fails for a level that does not exist
	h := promhttp.HandlerFor(a.cfg.Registry, promhttp.HandlerOpts{ErrorLog: errors, ErrorHandling: promhttp.ContinueOnError})
	return func(_ context.Context, x *exchange) error {
		h.ServeHTTP(x.w, x.r)
		return nil
	}
}
