package httpapi

import (
	"context"
	"maps"
	"net/http"
	"reflect"
	"slices"
)

// step serves a request, and writes the answer itself unless it returns an
// error.
type step func(ctx context.Context, x *exchange) error

// route is one line of the API's table: what is served, how it is checked and
// how it is documented.
type route struct {
	method, path string // of http.ServeMux; method "" for any
	name         string // operationId
	about        string // one sentence
	detail       string // more, in Markdown; may be empty
	group        string // tag

	open   bool     // needs no API key
	quiet  bool     // logged at debug level only
	once   keyUse   // what an Idempotency-Key does
	events bool     // a stream of events, which Last-Event-ID resumes
	params []param  // of the query
	takes  []string // media types of the body, the usual one first; none: it has no body
	body   reflect.Type
	gives  []given // answers that are no problem
	codes  []code  // problems beside those that follow from the rest
	run    step
}

// given is one kind of answer.
type given struct {
	status int
	about  string
	types  []string     // media types; none: it has no body
	of     reflect.Type // the body, or one line of NDJSON; nil for text
	ids    bool         // it has a Location
}

// keyUse says what an Idempotency-Key header does on a route.
type keyUse uint8

const (
	keyIgnored  keyUse = iota // no POST, or an event, whose own id is the key
	keyByIntake               // the id of what is created is derived from it
	keyByStore                // the first answer is kept
)

func (rt *route) pattern() string {
	if rt.method == "" {
		return rt.path
	}
	return rt.method + " " + rt.path
}

// streams tells whether the body is one of lines, of any size, which may be
// compressed.
func (rt *route) streams() bool { return slices.Contains(rt.takes, typeNDJSON) }

// methodOf is the method for the log: a caller's own invention is not repeated.
func (rt *route) methodOf(r *http.Request) string {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return r.Method
	}
	return "other"
}

// problems lists the kinds of problem that the route may answer: its own, and
// those that its key, body, parameters and idempotency bring with them.
func (rt *route) problems() []code {
	if rt.method == "" {
		return []code{codeNoRoute, codeMethod, codeOrigin, codeHost}
	}
	set := map[code]bool{codeInternal: true, codeUnavailable: true, codeThrottled: true, codeInvalid: true, codeOrigin: true, codeHost: true}
	add := func(when bool, cs ...code) {
		for _, c := range cs {
			if when {
				set[c] = true
			}
		}
	}
	add(true, rt.codes...)
	add(!rt.open, codeUnauthenticated)
	add(rt.method != http.MethodGet, codeMediaType)
	add(len(rt.takes) > 0, codeSlow, codeIncomplete)
	add(slices.Contains(rt.takes, typeJSON) || rt.streams(), codeTooLarge, codeMalformed)
	add(rt.once != keyIgnored, codeKeyInvalid, codeKeyReused)
	add(rt.once == keyByStore, codeInProgress)
	add(slices.ContainsFunc(rt.params, func(p param) bool { return p.name == "cursor" }), codeCursor)
	return slices.Sorted(maps.Keys(set))
}

// statuses lists every status that the route may answer with.
func (rt *route) statuses() []int {
	var out []int
	for _, g := range rt.gives {
		out = append(out, g.status)
	}
	for _, c := range rt.problems() {
		status, _ := c.facts()
		out = append(out, status)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
