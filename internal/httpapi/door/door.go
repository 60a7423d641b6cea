package door

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/access"
)

// Door is an [http.Handler] of routes. It is safe for concurrent use.
type Door struct {
	cfg      Config
	mux      *http.ServeMux
	routes   []*Route
	document func() ([]byte, error) // OpenAPI, encoded when it is first asked for; nil if there is none
	metrics  *metrics
	none     *Route // takes what no other does
}

var _ http.Handler = (*Door)(nil)

// New returns a door with these routes, and one more for requests that none of them takes.
// It fails if the door's metrics are registered already, or a route says not what its caller must be allowed.
func New(cfg Config, routes []*Route) (*Door, error) {
	d := &Door{cfg: cfg.filled(), mux: http.NewServeMux(), routes: routes}
	if err := checkNeeds(routes); err != nil {
		return nil, err
	}
	var err error
	if cfg.About != nil {
		d.document = sync.OnceValues(func() ([]byte, error) { return Encode(Describe(cfg.About, routes).Doc) })
	}
	d.none = &Route{Path: "/", Open: true, Run: d.unmatched}
	all := append(slices.Clone(routes), d.none)
	if d.metrics, err = newMetrics(cfg.Registry, all); err != nil {
		return nil, err
	}
	for _, rt := range all {
		d.mux.HandleFunc(rt.Pattern(), func(w http.ResponseWriter, r *http.Request) { d.serve(rt, w, r) })
	}
	return d, nil
}

// checkNeeds reports routes that are not open and that no caller, or any, could use.
func checkNeeds(routes []*Route) error {
	var errs []error
	for _, rt := range routes {
		if exists := access.SetOf(rt.Needs) != 0; exists == rt.Open {
			errs = append(errs, fmt.Errorf("route %s: open %t and needs the permission %q: one of the two must be given",
				rt.Pattern(), rt.Open, rt.Needs))
		}
	}
	return errors.Join(errs...)
}

// ServeHTTP implements [http.Handler]. A path that ServeMux would redirect to
// another one, with a page in plain text, is answered with a problem like any
// other that does not exist: a client's missing id must not become another call.
func (d *Door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if oddPath(r.URL) != "" {
		d.serve(d.none, w, r)
		return
	}
	d.mux.ServeHTTP(w, r)
}

// Routes returns the routes that the door was made with.
func (d *Door) Routes() []*Route { return slices.Clone(d.routes) }

// PatternOf returns the pattern of the route that takes a request, "/" if none does.
func (d *Door) PatternOf(r *http.Request) string {
	if oddPath(r.URL) != "" {
		return d.none.Pattern()
	}
	_, pattern := d.mux.Handler(r)
	return pattern
}

func (d *Door) now() time.Time { return d.cfg.Now() }

func (d *Door) serve(rt *Route, w http.ResponseWriter, r *http.Request) {
	x := d.begin(rt, w, r)
	defer d.end(x)
	defer d.recovered(x)
	if err := d.run(r.Context(), x); err != nil {
		x.refuse(err)
	}
}

// run is the chain that every request goes through, in order.
func (d *Door) run(ctx context.Context, x *Exchange) error {
	x.expectBody()
	if err := d.checkPage(x); err != nil {
		return err
	}
	if !x.route.Open {
		if err := d.authenticate(ctx, x); err != nil {
			return err
		}
		if err := d.admit(ctx, x); err != nil {
			return err
		}
		if err := x.permit(); err != nil {
			return err
		}
	}
	if err := x.checkMediaType(); err != nil {
		return err
	}
	if !x.route.AnyQuery {
		var err error
		if x.Query, err = parseQuery(x.route.Params, x.Request.URL.RawQuery); err != nil {
			return err
		}
	}
	if err := d.auditable(x); err != nil {
		return err
	}
	return x.route.Run(ctx, x)
}

// recovered turns a panic into an answer without details, and one log line with all of
// them.
func (d *Door) recovered(x *Exchange) {
	v := recover()
	if v == nil {
		return
	}
	if v == http.ErrAbortHandler { //nolint:errorlint // the very value, as net/http compares it
		panic(v)
	}
	d.cfg.Log.Error("a handler panicked", zap.String("request_id", x.id), zap.String("route", x.route.Pattern()),
		zap.String("tenant", x.Tenant),
		zap.String("panic", fmt.Sprint(v)), zap.ByteString("stack", debug.Stack()))
	x.refuse(Refuse(CodeInternal, "the server's log has the cause under this request_id"))
}

// unmatched answers requests that no route takes: 405 if the path exists with other methods,
// otherwise 404. ServeMux itself would answer in plain text.
func (d *Door) unmatched(_ context.Context, x *Exchange) error {
	if why := oddPath(x.Request.URL); why != "" {
		return Refuse(CodeNoRoute, "%s", why)
	}
	if allowed := d.methods(x.Request.URL); len(allowed) > 0 {
		methods := strings.Join(allowed, ", ")
		return Refuse(CodeMethod, "this path has %s", methods).With("Allow", methods)
	}
	if p, slash := strings.CutSuffix(x.Request.URL.Path, "/"); slash && len(d.methods(&url.URL{Path: p})) > 0 {
		return Refuse(CodeNoRoute, "there is nothing at this path: leave out the slash at its end, or put an id behind it")
	}
	if d.document != nil {
		return Refuse(CodeNoRoute, "there is nothing at this path: GET /openapi.json, or /docs in a browser, lists what there is")
	}
	return Refuse(CodeNoRoute, "there is nothing at this path")
}

// methods are those that a path has.
func (d *Door) methods(at *url.URL) []string {
	var allowed []string
	for _, m := range []string{
		http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
	} {
		if _, pattern := d.mux.Handler(&http.Request{Method: m, URL: at}); pattern != "" && pattern != d.none.Pattern() {
			allowed = append(allowed, m)
		}
	}
	return allowed
}

// oddPath says why a path can be none of a route's, whatever the routes are, or
// "": it does not begin with a slash, or has a segment that is empty or made of dots.
// The last segment may be empty.
func oddPath(u *url.URL) string {
	path := u.EscapedPath()
	if !strings.HasPrefix(path, "/") {
		return "the path does not begin with a slash"
	}
	for n, rest, more := 1, path[1:], true; more; n++ {
		var s string
		s, rest, more = strings.Cut(rest, "/")
		switch {
		case s == "" && more:
			return fmt.Sprintf("segment %d of the path is empty: an id or a name is missing between two slashes", n)
		case s == "." || s == "..":
			return fmt.Sprintf("segment %d of the path is %s: write the path without it", n, s)
		}
	}
	return ""
}
