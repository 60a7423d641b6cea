package httpapi

import (
	"context"
	"net/http"
	"reflect"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/httpapi/pages"
	"github.com/belfry-push/belfry/internal/telemetry"
)

const (
	typeText = "text/plain"
	// typeMetrics is what Prometheus' text format calls itself, without its
	// parameters.
	typeMetrics = typeText
)

// operators serve the program's operator.
type operators struct {
	health   Health
	registry *prometheus.Registry
	log      *zap.Logger
	version  string
}

func (o operators) live(context.Context, *door.Exchange) (door.Reply, error) {
	return healthReply(o.health.Live()), nil
}

func (o operators) ready(ctx context.Context, x *door.Exchange) (door.Reply, error) {
	report := o.health.Ready(ctx)
	rep := healthReply(report)
	if door.Accepts(x.Request.Header, typeText) {
		rep.Body, rep.Raw, rep.Kind = nil, []byte(report.Text(x.Now())), typeText+"; charset=utf-8"
	}
	return rep, nil
}

func healthReply(r telemetry.Report) door.Reply {
	status := http.StatusOK
	if !r.OK() {
		status = http.StatusServiceUnavailable
	}
	return door.Reply{Status: status, Body: r, Kind: door.TypeJSON}
}

// exposition serves the registry. The metrics of a collector that fails are left out, and
// the failure is logged; the other metrics are still useful.
func (o operators) exposition() door.Step {
	errors, _ := zap.NewStdLogAt(o.log.Named("metrics"), zap.WarnLevel) // fails for a level that does not exist
	h := promhttp.HandlerFor(o.registry, promhttp.HandlerOpts{
		ErrorLog: errors, ErrorHandling: promhttp.ContinueOnError, EnableOpenMetrics: true, // which has exemplars
	})
	return door.Serving(h)
}

func (o operators) routes() []*door.Route {
	return append(o.probeRoutes(), append(pages.Routes(groupOperators, o.version), &door.Route{
		Method: http.MethodGet, Path: "/openapi.json", Name: "getOpenAPI", Group: groupOperators, Open: true, Quiet: true,
		About: "This document.",
		Gives: []door.Given{
			{
				Status: http.StatusOK, About: "OpenAPI 3.1.", Types: []string{door.TypeJSON}, Of: reflect.TypeFor[map[string]any](),
				Sample: map[string]any{"openapi": "3.1.0", "info": map[string]any{"title": "Belfry"}},
			},
		},
		Run: door.Replying(door.Document),
	})...)
}

func (o operators) probeRoutes() []*door.Route {
	const group = groupOperators
	health := reflect.TypeFor[telemetry.Report]()
	return []*door.Route{
		{
			Method: http.MethodGet, Path: "/healthz", Name: "getHealth", Group: group, Open: true, Quiet: true,
			About: "Tell whether the process should be left running.",
			Gives: door.OK(health), Run: door.Replying(o.live),
		},
		{
			Method: http.MethodGet, Path: "/readyz", Name: "getReadiness", Group: group, Open: true, Quiet: true,
			About: "Tell whether the process should be given work, and why not.",
			Detail: "Each check has its status, since when, how old the answer is, and what is wrong. `degraded` is ready: what fails is not " +
				"needed for the " +
				"program's job. Checks run at most every two seconds, the answer takes less than one. As text, a line for each check, when Accept " +
				"names `text/plain`.",
			Gives: []door.Given{
				{Status: http.StatusOK, About: "Ready, or degraded.", Types: []string{door.TypeJSON}, Of: health},
				{Status: http.StatusOK, Types: []string{typeText}},
				{Status: http.StatusServiceUnavailable, About: "Not ready.", Types: []string{door.TypeJSON}, Of: health},
				{Status: http.StatusServiceUnavailable, Types: []string{typeText}},
			},
			Run: door.Replying(o.ready),
		},
		{
			Method: http.MethodGet, Path: "/metrics", Name: "getMetrics", Group: group, Open: true, Quiet: true,
			About: "Metrics in the Prometheus text format.",
			Gives: []door.Given{{Status: http.StatusOK, About: "All metrics.", Types: []string{typeMetrics}}},
			Run:   o.exposition(),
		},
	}
}
