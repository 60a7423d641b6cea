package httpapi

import (
	"context"
	"fmt"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
)

// api is the door. It is safe for concurrent use.
type api struct {
	cfg      Config
	log      *zap.Logger
	now      func() time.Time
	mux      *http.ServeMux
	routes   []*route
	spec     *description
	document []byte // spec, encoded
	metrics  *metrics
	silence  time.Duration // streamPatience, but for tests
	frames   frames
	free     int64 // expansionFree, but for tests
}

// New returns the handler of the whole API. It fails when a field of cfg is
// missing or the door's metrics are registered already.
func New(cfg Config) (http.Handler, error) {
	a, err := newAPI(cfg)
	if err != nil {
		return nil, err
	}
	return a.mux, nil
}

func newAPI(cfg Config) (*api, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	a := blank(cfg)
	a.routes = a.table()
	a.spec = describe(a.routes, cfg.Version)
	var err error
	if a.document, err = encode(a.spec.doc); err != nil {
		return nil, err
	}
	if err := a.mount(cfg.Registry); err != nil {
		return nil, err
	}
	return a, nil
}

// blank returns an api without routes.
func blank(cfg Config) *api {
	a := &api{cfg: cfg, log: cfg.Log, now: cfg.Now, mux: http.NewServeMux(), silence: streamPatience, free: expansionFree}
	if a.now == nil {
		a.now = time.Now
	}
	return a
}

// mount puts the routes on the mux, with one more for what none of them takes.
func (a *api) mount(reg prometheus.Registerer) error {
	all := append(slices.Clone(a.routes), &route{path: "/", open: true, run: a.unmatched})
	var err error
	if a.metrics, err = newMetrics(reg, all); err != nil {
		return err
	}
	for _, rt := range all {
		a.mux.HandleFunc(rt.pattern(), func(w http.ResponseWriter, r *http.Request) { a.serve(rt, w, r) })
	}
	return nil
}

func (a *api) serve(rt *route, w http.ResponseWriter, r *http.Request) {
	x := a.begin(rt, w, r)
	defer a.end(x)
	defer a.recovered(x)
	if err := a.run(r.Context(), x); err != nil {
		x.refuse(err)
	}
}

// run is the chain that every request goes through, in order.
func (a *api) run(ctx context.Context, x *exchange) error {
	x.expectBody()
	if err := a.checkPage(x); err != nil {
		return err
	}
	if !x.route.open {
		if err := a.authenticate(ctx, x); err != nil {
			return err
		}
	}
	if err := x.checkMediaType(); err != nil {
		return err
	}
	var err error
	if x.query, err = parseQuery(x.route.params, x.r.URL.RawQuery); err != nil {
		return err
	}
	return x.route.run(ctx, x)
}

// recovered turns a panic into an answer that tells nothing, and one log line
// that tells all.
func (a *api) recovered(x *exchange) {
	v := recover()
	if v == nil {
		return
	}
	if v == http.ErrAbortHandler { //nolint:errorlint // the very value, as net/http compares it
		panic(v)
	}
	a.log.Error("a handler panicked", zap.String("request_id", x.id), zap.String("route", x.route.pattern()),
		zap.String("panic", fmt.Sprint(v)), zap.ByteString("stack", debug.Stack()))
	x.refuse(refuse(codeInternal, "the server's log has the cause under this request_id"))
}

// requestTime bounds a request that is not a stream, reading its body included.
const requestTime = 25 * time.Second

// handler serves a request with one whole answer.
type handler func(ctx context.Context, x *exchange) (reply, error)

// replying runs h within requestTime and writes its reply.
func replying(h handler) step {
	return func(ctx context.Context, x *exchange) error {
		ctx, cancel := context.WithTimeout(ctx, requestTime)
		defer cancel()
		return unhurried(h)(ctx, x)
	}
}

// unhurried writes the reply of h, which takes as long as its body does.
func unhurried(h handler) step {
	return func(ctx context.Context, x *exchange) error {
		rep, err := h(ctx, x)
		if err != nil {
			return err
		}
		return x.answer(rep)
	}
}

// unmatched answers what no route takes: 405 where the path exists with other
// methods, else 404. ServeMux itself would answer in plain text.
func (a *api) unmatched(_ context.Context, x *exchange) error {
	var allowed []string
	for _, m := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete} {
		probe := *x.r
		probe.Method = m
		if _, pattern := a.mux.Handler(&probe); pattern != "" && pattern != x.route.pattern() {
			allowed = append(allowed, m)
		}
	}
	if len(allowed) == 0 {
		return refuse(codeNoRoute, "there is nothing at this path")
	}
	methods := strings.Join(allowed, ", ")
	return refuse(codeMethod, "this path has %s", methods).with("Allow", methods)
}

// NewServer returns a server of h with limits for what a client may do slowly.
// Handlers move the read and write deadlines of streams along as they go. What
// net/http itself has to say goes to log. The caller sets nothing but the
// listener, and calls Shutdown.
func NewServer(h http.Handler, log *zap.Logger) *http.Server {
	const maxHeader = 16 << 10
	errors, _ := zap.NewStdLogAt(log.Named("http"), zap.WarnLevel) // fails for a level that does not exist
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		WriteTimeout:      requestTime + writePatience, // from the end of the header; begun anew with every request
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          errors,
	}
}
