package httpapi

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/belfry-push/belfry/internal/push"
)

// param is a query parameter: how it is checked and how it is documented.
type param struct {
	name  string
	about string
	kind  paramKind
	low   int64 // of an integer
	high  int64 // of an integer; the most bytes of a text
	// choices are the allowed values of a choice.
	choices []string
	// fallback is the value when it is not given; "" for none.
	fallback string
}

type paramKind uint8

const (
	paramText paramKind = iota
	paramInteger
	paramFlag
	paramChoice
)

// query is a request's checked query parameters.
type query struct {
	defs  []param
	given url.Values
}

// parseQuery refuses what the route does not have: a misspelt parameter must
// not be ignored. A fault's pointer is the parameter's name behind a question
// mark, which no JSON pointer begins with.
func parseQuery(defs []param, raw string) (query, error) {
	q := query{defs: defs}
	if raw == "" {
		return q, nil
	}
	given, err := url.ParseQuery(raw)
	if err != nil {
		return q, push.Faults{{Pointer: "?", Code: push.FaultValue, Detail: "the query is not URL-encoded name=value pairs"}}
	}
	q.given = given
	var faults push.Faults
	for _, name := range sortedNames(given) {
		if code, detail := q.check(name, given[name]); detail != "" {
			faults = append(faults, push.Fault{Pointer: "?" + clip(name), Code: code, Detail: detail})
		}
	}
	return q, faults.Err()
}

func (q *query) check(name string, values []string) (faultCode, detail string) {
	i := slices.IndexFunc(q.defs, func(p param) bool { return p.name == name })
	switch {
	case i < 0:
		return push.FaultUnknown, "unknown query parameter; there " + q.names()
	case len(values) > 1:
		return push.FaultConflict, fmt.Sprintf("must be given once (got %d)", len(values))
	}
	return push.FaultValue, q.defs[i].fault(values[0])
}

func (q *query) names() string {
	if len(q.defs) == 0 {
		return "are none here"
	}
	names := make([]string, len(q.defs))
	for i := range q.defs {
		names[i] = q.defs[i].name
	}
	return "are " + strings.Join(names, ", ")
}

// fault says what is wrong with a value, "" if nothing is. It does not repeat
// it: callers put all sorts of things into a URL.
func (p *param) fault(value string) string {
	switch p.kind {
	case paramText:
		if int64(len(value)) > p.high {
			return fmt.Sprintf("must have at most %d bytes (got %d)", p.high, len(value))
		}
	case paramInteger:
		if n, err := strconv.ParseInt(value, 10, 64); err != nil || n < p.low || n > p.high {
			return fmt.Sprintf("must be an integer in %d..%d", p.low, p.high)
		}
	case paramFlag:
		if value != "true" && value != "false" {
			return "must be true or false"
		}
	case paramChoice:
		if !slices.Contains(p.choices, value) {
			return "must be one of " + strings.Join(p.choices, ", ")
		}
	}
	return ""
}

func (q *query) has(name string) bool { return q.given.Has(name) }

func (q *query) text(name string) string {
	if q.given.Has(name) {
		return q.given.Get(name)
	}
	for i := range q.defs {
		if q.defs[i].name == name {
			return q.defs[i].fallback
		}
	}
	return ""
}

// integer returns 0 for a parameter that is absent and has no fallback.
func (q *query) integer(name string) int64 {
	n, _ := strconv.ParseInt(q.text(name), 10, 64) // was checked
	return n
}

func (q *query) flag(name string) bool { return q.text(name) == "true" }

// clip shortens a caller's name before it is repeated.
func clip(s string) string {
	const most = 48
	if len(s) <= most {
		return s
	}
	return s[:most] + "…"
}

func sortedNames(v url.Values) []string {
	names := make([]string, 0, len(v))
	for name := range v {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
