package door

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/strict"
)

// Param is a query parameter: how it is checked and how it is documented.
type Param struct {
	Name  string
	About string
	Kind  ParamKind
	Low   int64 // of an integer
	High  int64 // of an integer; the most bytes of a text
	// Choices are the allowed values of a choice.
	Choices []string
	// Fallback is the value when it is not given; "" for none.
	Fallback string
	// Many says that it may be given up to maxMany times.
	Many bool
}

// ParamKind says what values a query parameter has.
type ParamKind uint8

// The kinds of parameter.
const (
	ParamText ParamKind = iota
	ParamInteger
	ParamFlag
	ParamChoice
)

// maxMany bounds how often a parameter may be given that may be given more than once.
const maxMany = 20

// Query is a request's checked query parameters.
type Query struct {
	defs  []Param
	given url.Values
}

// parseQuery reads a query, and refuses parameters that the route does not have: a misspelt
// one must not be ignored. A fault's pointer is the parameter's name behind a question
// mark, which no JSON pointer begins with.
func parseQuery(defs []Param, raw string) (Query, error) {
	q := Query{defs: defs}
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
			faults = append(faults, push.Fault{Pointer: "?" + push.Clip(strings.ToValidUTF8(name, "\ufffd")), Code: code, Detail: detail})
		}
	}
	return q, faults.Err()
}

func (q *Query) check(name string, values []string) (faultCode, detail string) {
	i := slices.IndexFunc(q.defs, func(p Param) bool { return p.Name == name })
	switch {
	case i < 0:
		return push.FaultUnknown, "unknown query parameter; there " + q.names() + q.meant(name)
	case q.defs[i].Many && len(values) > maxMany:
		return push.FaultConflict, fmt.Sprintf("must be given at most %d times (got %d)", maxMany, len(values))
	case !q.defs[i].Many && len(values) > 1:
		return push.FaultConflict, fmt.Sprintf("must be given once (got %d)", len(values))
	}
	for _, value := range values {
		if detail := textFault(value); detail != "" {
			return push.FaultValue, detail
		}
		if detail := q.defs[i].Fault(value); detail != "" {
			return push.FaultValue, detail
		}
	}
	return push.FaultValue, ""
}

// textFault says why a value is no text, "" if it is one.
func textFault(value string) string {
	if at := strict.InvalidUTF8(value); at >= 0 {
		return fmt.Sprintf("must be UTF-8, percent-encoded (byte %d of the value is not)", at)
	}
	if at := strings.IndexByte(value, 0); at >= 0 {
		return fmt.Sprintf("must not have the character U+0000 (byte %d)", at)
	}
	return ""
}

func (q *Query) names() string {
	if len(q.defs) == 0 {
		return "are none here"
	}
	names := make([]string, len(q.defs))
	for i := range q.defs {
		names[i] = q.defs[i].Name
	}
	return "are " + strings.Join(names, ", ")
}

// meant returns a question whether a known name was meant.
func (q *Query) meant(name string) string {
	known := make([]string, len(q.defs))
	for i := range q.defs {
		known[i] = q.defs[i].Name
	}
	return strict.DidYouMean(name, known)
}

// Fault says what is wrong with a value, "" if nothing is. It does not repeat the value,
// because a URL may hold secrets.
func (p *Param) Fault(value string) string {
	switch p.Kind {
	case ParamText:
		if int64(len(value)) > p.High {
			return fmt.Sprintf("must have at most %d bytes (got %d)", p.High, len(value))
		}
	case ParamInteger:
		if n, err := strconv.ParseInt(value, 10, 64); err != nil || n < p.Low || n > p.High {
			return fmt.Sprintf("must be an integer in %d..%d", p.Low, p.High)
		}
	case ParamFlag:
		if value != "true" && value != "false" {
			return "must be true or false"
		}
	case ParamChoice:
		if !slices.Contains(p.Choices, value) {
			return "must be one of " + strings.Join(p.Choices, ", ") + strict.DidYouMean(value, p.Choices)
		}
	}
	return ""
}

// Has reports whether the request gives the parameter.
func (q *Query) Has(name string) bool { return q.given.Has(name) }

// Text returns the value, or else the fallback, which may be "".
func (q *Query) Text(name string) string {
	if q.given.Has(name) {
		return q.given.Get(name)
	}
	for i := range q.defs {
		if q.defs[i].Name == name {
			return q.defs[i].Fallback
		}
	}
	return ""
}

// Texts returns the values of a parameter that may be given more than once.
func (q *Query) Texts(name string) []string { return q.given[name] }

// Integer returns the value, or else the fallback: 0 for a parameter that is absent and has no fallback.
func (q *Query) Integer(name string) int64 {
	n, _ := strconv.ParseInt(q.Text(name), 10, 64) // was checked
	return n
}

// Flag reports whether the value, or else the fallback, is true.
func (q *Query) Flag(name string) bool { return q.Text(name) == "true" }

func sortedNames(v url.Values) []string {
	names := make([]string, 0, len(v))
	for name := range v {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// MaxText bounds a textual parameter; cursors and user ids are far shorter.
const MaxText = 1024

// PageParams returns the parameters of a listing that is read page by page.
func PageParams() []Param {
	return []Param{
		{Name: "limit", About: "Most items of the page.", Kind: ParamInteger, Low: 1, High: 1000, Fallback: "100"},
		{Name: "cursor", About: "next_cursor of the page before.", High: MaxText},
	}
}
