package door

import (
	"context"
	"maps"
	"net/http"
	"reflect"
	"slices"

	"github.com/belfry-push/belfry/internal/access"
)

// Step serves a request, and writes the answer itself unless it returns an
// error.
type Step func(ctx context.Context, x *Exchange) error

// Route is one line of the API's table: what it serves, its checks and its documentation.
type Route struct {
	Method, Path string // of http.ServeMux; method "" for any
	Name         string // operationId
	About        string // one sentence
	Detail       string // more, in Markdown; may be empty
	Group        string // tag

	Open  bool              // needs no API key
	Needs access.Permission // of the caller; "" of an open route only
	Quiet bool              // logged at debug level only
	// Unlisted is a page for people, which is not in the document: it may have a path that OpenAPI cannot say.
	Unlisted bool
	AnyQuery bool     // the script of its page reads the query: no parameter is refused, and Params stays empty
	Once     KeyUse   // what an Idempotency-Key does
	Audit    AuditUse // whether it is in the audit log
	Events   bool     // a stream of events, which Last-Event-ID resumes
	Params   []Param  // of the query
	Takes    []string // media types of the body, the usual one first; none: it has no body
	Body     reflect.Type
	Sample   any     // of the body, for the document; nil: that of its type in [About]
	Gives    []Given // answers that are no problem
	Codes    []Code  // problems beside those that follow from the rest
	Run      Step
}

// Given is one kind of answer.
type Given struct {
	Status  int
	About   string
	Types   []string     // media types; none: it has no body
	Of      reflect.Type // the body, or one line of NDJSON; nil for text
	Sample  any          // of the body, for the document; nil: that of Of in [About]
	Located bool         // it has a Location
	Event   string       // of a stream of events: the schema of one; "": that of [About]
}

// KeyUse says what an Idempotency-Key header does on a route.
type KeyUse uint8

// The uses of a key.
const (
	KeyIgnored  KeyUse = iota // no POST, or an event, whose own id is the key
	KeyByIntake               // the id of what is created is derived from it
	KeyByStore                // the first answer is kept
)

// Pattern is the route as [http.ServeMux] has it: method and path. The path / of
// a method is the root alone; without a method it is whatever no other route takes.
func (rt *Route) Pattern() string {
	switch {
	case rt.Method == "":
		return rt.Path
	case rt.Path == "/":
		return rt.Method + " /{$}"
	}
	return rt.Method + " " + rt.Path
}

// streams reports whether the body is one of lines, of any size, which may be
// compressed.
func (rt *Route) streams() bool { return slices.Contains(rt.Takes, TypeNDJSON) }

// methodOf returns the method for the log: an unknown method is not repeated.
func (rt *Route) methodOf(r *http.Request) string {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return r.Method
	}
	return "other"
}

// problems lists the kinds of problem that the route may answer: its own, and
// those that its key, body, parameters and idempotency bring with them.
func (rt *Route) problems() []Code {
	if rt.Method == "" {
		return []Code{CodeNoRoute, CodeMethod, CodeOrigin, CodeHost}
	}
	set := map[Code]bool{CodeInternal: true, CodeUnavailable: true, CodeThrottled: true, CodeInvalid: true, CodeOrigin: true, CodeHost: true}
	add := func(when bool, cs ...Code) {
		for _, c := range cs {
			if when {
				set[c] = true
			}
		}
	}
	add(true, rt.Codes...)
	add(!rt.Open, CodeUnauthenticated, CodeForbidden, CodeQuota)
	add(rt.Method != http.MethodGet, CodeMediaType)
	add(len(rt.Takes) > 0, CodeSlow, CodeIncomplete)
	add(slices.Contains(rt.Takes, TypeJSON) || rt.streams(), CodeTooLarge, CodeMalformed)
	add(rt.Once != KeyIgnored, CodeKeyInvalid, CodeKeyReused)
	add(rt.Once == KeyByStore, CodeInProgress)
	add(slices.ContainsFunc(rt.Params, func(p Param) bool { return p.Name == "cursor" }), CodeCursor)
	return slices.Sorted(maps.Keys(set))
}

// statuses lists every status that the route may answer with.
func (rt *Route) statuses() []int {
	var out []int
	for _, g := range rt.Gives {
		out = append(out, g.Status)
	}
	for _, c := range rt.problems() {
		status, _ := c.facts()
		out = append(out, status)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// OK is the one good answer of most routes, with a sample of its own if there is one.
func OK(of reflect.Type, sample ...any) []Given {
	g := Given{Status: http.StatusOK, About: "As it is now.", Types: []string{TypeJSON}, Of: of}
	if len(sample) > 0 {
		g.Sample = sample[0]
	}
	return []Given{g}
}
