package outage

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
)

// fault is what a service answers instead of its own.
type fault struct {
	status int
	kind   string // Content-Type
	body   string
}

// faults are the answers of a service that will do what it is asked a little
// later, and of what stands before it.
func faults() map[string]fault {
	const awsJSON = "application/x-amz-json-1.0"
	return map[string]fault{
		"throttled": {
			http.StatusBadRequest, awsJSON,
			`{"__type":"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException","message":"slow down"}`,
		},
		"throttled, new": {
			http.StatusBadRequest, awsJSON, `{"__type":"com.amazonaws.dynamodb.v20120810#ThrottlingException","message":"slow down"}`,
		},
		"request limit": {
			http.StatusBadRequest, awsJSON, `{"__type":"com.amazonaws.dynamodb.v20120810#RequestLimitExceeded","message":"slow down"}`,
		},
		"its own failure": {
			http.StatusInternalServerError, awsJSON, `{"__type":"com.amazonaws.dynamodb.v20120810#InternalServerError","message":"oops"}`,
		},
		"unavailable": {
			http.StatusServiceUnavailable, awsJSON, `{"__type":"com.amazon.coral.availability#ServiceUnavailableException","message":"oops"}`,
		},
		"a proxy's page":         {http.StatusBadGateway, "text/html", `<html><body>bad gateway</body></html>`},
		"a success that is none": {http.StatusOK, "text/html", `<html><body>sign in to the network</body></html>`},
		"cut off":                {http.StatusOK, awsJSON, ""},
		"expired token": {
			http.StatusBadRequest, awsJSON, `{"__type":"com.amazon.coral.service#ExpiredTokenException","message":"expired"}`,
		},
	}
}

// faultyProxy is an HTTP proxy before a service that answers with a fault while it has
// one.
type faultyProxy struct {
	url   string
	fault atomic.Pointer[fault]
}

func newFaultyProxy(t *testing.T, service string) *faultyProxy {
	t.Helper()
	target, err := url.Parse(service)
	if err != nil {
		t.Fatal(err)
	}
	m := &faultyProxy{}
	pass := &httputil.ReverseProxy{
		Rewrite:      func(r *httputil.ProxyRequest) { r.SetURL(target); r.Out.Host = r.In.Host },
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) {},
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f := m.fault.Load()
		if f == nil {
			pass.ServeHTTP(w, r)
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", f.kind)
		if f.body == "" {
			w.Header().Set("Content-Length", "100")
			w.WriteHeader(f.status)
			_, _ = io.WriteString(w, `{"Item":`)
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(f.status)
		_, _ = io.WriteString(w, f.body)
	}))
	t.Cleanup(server.Close)
	m.url = server.URL
	return m
}

// sample returns a body of a route's first media type.
func sample(method, path, kind string) string {
	switch {
	case kind == "":
		return ""
	case strings.HasSuffix(path, "/v1/notifications"):
		return send
	case strings.HasSuffix(path, "/v1/batches"):
		return `{"message":{"notification":{"title":"x"}}}`
	case strings.HasPrefix(path, "/v1/devices/"):
		return `{"token":"t","platform":"android","user_id":"u"}`
	case strings.HasSuffix(path, "/recipients"):
		return `{"token":"t"}` + "\n"
	case strings.HasSuffix(path, ":import"), strings.HasSuffix(path, "/import"):
		return `{"id":"d2","token":"t2","platform":"android"}` + "\n"
	case strings.Contains(kind, "cloudevents"):
		return `{"specversion":"1.0","id":"1","source":"urn:x","type":"push.notification.requested.v1","data":` + send + `}`
	case method == http.MethodPost:
		return `{}`
	}
	return ""
}

// No route calls an outage of its store internal, and each says when to come
// back, whatever the outage looks like. The routes are those that the API itself
// lists.
func TestNoRouteCallsAnOutageInternal(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	id := h.batch(5, 1000)
	spec := h.ask(http.MethodGet, h.ingest+"/openapi.json", "")
	var doc struct {
		Paths map[string]map[string]struct {
			RequestBody struct{ Content map[string]any } // requestBody, whose case does not matter
		}
	}
	if err := json.Unmarshal(spec.body, &doc); err != nil || len(doc.Paths) < 10 {
		t.Fatalf("%v: %.300s", err, spec.body)
	}
	for name, f := range faults() {
		h.proxy.fault.Store(&f)
		asked, outages := 0, map[string]int{}
		for path, methods := range doc.Paths {
			if !strings.HasPrefix(path, "/v1/") {
				continue
			}
			for method, op := range methods {
				kinds := make([]string, 0, len(op.RequestBody.Content))
				for kind := range op.RequestBody.Content {
					kinds = append(kinds, kind)
				}
				slices.Sort(kinds)
				kind := ""
				for _, k := range kinds {
					if kind == "" || k == "application/json" || k == "application/x-ndjson" {
						kind = k
					}
				}
				where := strings.NewReplacer("{id}", id, "{device_id}", "d1", "{recipient}", "1").Replace(path)
				method = strings.ToUpper(method)
				a := h.ask(method, h.ingest+where, sample(method, path, kind), "Content-Type", kind, "Idempotency-Key", fmt.Sprint(name, asked))
				asked++
				outages[strconv.Itoa(a.status)]++
				seconds, err := strconv.Atoi(a.after)
				comesBack := err == nil && seconds > 0
				if a.status == http.StatusInternalServerError || a.status >= 500 && a.status != http.StatusServiceUnavailable ||
					(a.status == http.StatusServiceUnavailable || a.status == http.StatusTooManyRequests) && !comesBack {
					t.Errorf("%s: %s %s: status %d, Retry-After %q: %s", name, method, path, a.status, a.after, a.body)
				}
			}
		}
		t.Logf("%s: %d routes: %v", name, asked, outages)
		if asked < 20 || outages["503"]+outages["429"] < asked/2 {
			t.Errorf("%s: only %v of %d routes met the outage", name, outages, asked)
		}
	}
	h.proxy.fault.Store(nil)
}
