package httpapi

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/httpapi/door/doortest"
	"github.com/belfry-push/belfry/internal/message"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/test/raced"
)

// place is one property of a body, by the document of the API and, below
// message, by the description of FCM's.
type place struct {
	path  []string
	takes []string // the JSON types that it may have; nil for any
	enum  []string
	names []string // of an object with named properties
}

func (p *place) pointer() string { return "/" + strings.Join(p.path, "/") }

// places lists every property of a schema, however deep.
func (g *rig) places(s *huma.Schema, path []string) []place {
	if s.Ref != "" {
		s = g.Spec.Schemas.SchemaFromRef(s.Ref)
	}
	p := place{path: slices.Clone(path)}
	if s.Type != "" {
		p.takes = []string{s.Type}
	}
	switch last := path[max(0, len(path)-1):]; {
	case slices.Equal(last, []string{"message"}):
		return messagePlaces(message.Described(), path)
	case slices.Equal(last, []string{"ttl"}):
		p.takes = []string{huma.TypeString, huma.TypeInteger, huma.TypeNumber}
	case slices.Equal(last, []string{"patch"}):
		p.takes = []string{huma.TypeArray}
		return []place{p} // a patch is read operation by operation, and refused at its first fault
	}
	for _, e := range s.Enum {
		p.enum = append(p.enum, fmt.Sprint(e))
	}
	p.names = slices.Sorted(maps.Keys(s.Properties))
	out := []place{p}
	for _, name := range p.names {
		if prop := s.Properties[name]; !prop.ReadOnly {
			out = append(out, g.places(prop, append(path, name))...)
		}
	}
	if s.Items != nil {
		out = append(out, g.places(s.Items, append(path, "0"))...)
	}
	if each, ok := s.AdditionalProperties.(*huma.Schema); ok && each.Type != "" {
		out = append(out, g.places(each, append(path, "k"))...)
	}
	return out
}

func messagePlaces(of *message.Type, path []string) []place {
	p := place{path: slices.Clone(path), takes: []string{huma.TypeObject}}
	var below []place
	for _, f := range of.Fields {
		if f.Target || f.OutputOnly {
			continue
		}
		p.names = append(p.names, f.Name)
		at := append(slices.Clone(path), f.Name)
		each := place{path: at, enum: f.Names}
		switch f.Kind {
		case message.Bool:
			each.takes = []string{huma.TypeBoolean}
		case message.Int32, message.Float:
			each.takes = []string{huma.TypeInteger, huma.TypeNumber}
		case message.Map, message.Struct, message.Object:
			each.takes = []string{huma.TypeObject}
		case message.String, message.Duration, message.Timestamp, message.Enum:
			each.takes = []string{huma.TypeString}
		}
		switch {
		case f.Repeated:
			below = append(below, place{path: at, takes: []string{huma.TypeArray}})
			each.path = append(slices.Clone(at), "0")
			below = append(below, each)
		case f.Kind == message.Object:
			below = append(below, messagePlaces(f.Of, at)...)
		case f.Kind == message.Map:
			below = append(below, each, place{path: append(slices.Clone(at), "k"), takes: []string{huma.TypeString}})
		default:
			below = append(below, each)
		}
	}
	return append([]place{p}, below...)
}

// wrongs are values of every JSON type, and such as programs have trouble with.
func wrongs() []string {
	return []string{
		`1`, `-1`, `1.5`, `1e999`, `12345678901234567890123`, `"x"`, `""`, `" "`, `"\u0000"`, `"9999999999999h"`, `true`, `null`, `[]`, `[1]`,
		`[null]`, `[{}]`, `{}`, `{"x":1}`, `{"":null}`,
	}
}

func jsonType(value string) string {
	switch value[0] {
	case '"':
		return huma.TypeString
	case 't', 'f':
		return huma.TypeBoolean
	case 'n':
		return "null"
	case '[':
		return huma.TypeArray
	case '{':
		return huma.TypeObject
	}
	return huma.TypeNumber
}

// put sets a value in a body, with the objects and arrays that it stands in.
func put(tb testing.TB, body string, path []string, value string) string {
	tb.Helper()
	var tree any
	doortest.Decode(tb, []byte(body), &tree)
	out, err := json.Marshal(putAt(tree, path, json.RawMessage(value)))
	if err != nil {
		tb.Fatal(err)
	}
	return string(out)
}

// without returns the body without a property of the object at a path.
func without(tb testing.TB, body string, path []string, name string) string {
	tb.Helper()
	var tree any
	doortest.Decode(tb, []byte(body), &tree)
	at := tree
	for _, step := range path {
		m, _ := at.(map[string]any)
		at = m[step]
	}
	if m, ok := at.(map[string]any); ok {
		delete(m, name)
	}
	out, err := json.Marshal(tree)
	if err != nil {
		tb.Fatal(err)
	}
	return string(out)
}

func putAt(at any, path []string, value any) any {
	if len(path) == 0 {
		return value
	}
	if _, err := strconv.Atoi(path[0]); err == nil {
		return []any{putAt(nil, path[1:], value)}
	}
	m, ok := at.(map[string]any)
	if !ok {
		m = map[string]any{}
	}
	m[path[0]] = putAt(m[path[0]], path[1:], value)
	return m
}

// spelt are a name's misspellings: one letter swapped, dropped or doubled, and
// in the style of other APIs.
func spelt(name string) []string {
	out := []string{strings.ToUpper(name), strings.ToUpper(name[:1]) + name[1:]}
	if words := strings.Split(name, "_"); len(words) > 1 {
		for i, w := range words[1:] {
			words[i+1] = strings.ToUpper(w[:1]) + w[1:]
		}
		out = append(out, strings.Join(words, ""), strings.ReplaceAll(name, "_", "-"), strings.ReplaceAll(name, "_", ""))
	}
	at := len(name) / 2
	if len(name) > 2 {
		out = append(out, name[:at]+name[at+1:], name[:at]+name[at:at+1]+name[at:])
		if name[at] != name[at-1] {
			out = append(out, name[:at-1]+name[at:at+1]+name[at-1:at]+name[at+1:])
		}
	}
	return out
}

// walkedDoors are the operations of the document that read one JSON object, with
// an example that is taken.
func (g *rig) walkedDoors(tb testing.TB) map[string]string {
	tb.Helper()
	all := doors()
	for path, item := range g.Spec.Doc.Paths {
		for _, method := range []string{http.MethodPost, http.MethodPut} {
			op := doortest.OperationOf(item, method)
			if op.RequestBody == nil || op.RequestBody.Content[door.TypeJSON] == nil {
				continue
			}
			if path == "/console/session" { // it is taken of who has the key
				continue
			}
			if strings.HasSuffix(path, "/credential") { // a file of Google's: it is taken with what else is in it
				continue
			}
			if entry := method + " " + strings.Replace(path, "{device_id}", "phone", 1); all[entry] == "" {
				tb.Errorf("%s reads JSON, and has no example", entry)
			}
		}
	}
	return all
}

func (g *rig) placesOf(entry string) []place {
	method, path, _ := strings.Cut(strings.Replace(entry, "phone", "{device_id}", 1), " ")
	return g.places(doortest.OperationOf(g.Spec.Doc.Paths[path], method).RequestBody.Content[door.TypeJSON].Schema, nil)
}

// A value of the wrong type is refused at its place in the words of JSON,
// whichever property it is, at every door.
func TestWrongTypesAreRefusedAtTheirPlace(t *testing.T) {
	t.Parallel()
	for entry, body := range setup(t).walkedDoors(t) {
		t.Run(entry, func(t *testing.T) {
			t.Parallel()
			g := setup(t)
			method, target, _ := strings.Cut(entry, " ")
			for _, p := range raced.Some(g.placesOf(entry)) {
				for _, wrong := range wrongs() {
					kind := jsonType(wrong)
					got := g.Do(t, method, target, put(t, body, p.path, wrong), "Content-Type", door.TypeJSON)
					what := fmt.Sprintf("%s as %s: %d %s", p.pointer(), wrong, got.Code, got.Body)
					if got.Code >= http.StatusInternalServerError || goWords.MatchString(got.Body.String()) {
						t.Error(what)
					}
					integral := kind == huma.TypeNumber && slices.Contains(p.takes, huma.TypeInteger)
					if kind == "null" || p.takes == nil || len(p.path) == 0 || slices.Contains(p.takes, kind) || integral {
						continue
					}
					if got.Code != http.StatusUnprocessableEntity || !points(&got, p.pointer()) {
						t.Errorf("no fault there: %s", what)
					}
				}
			}
		})
	}
}

// points reports whether a fault is at a place or below, or what it stands in is
// refused as a whole.
func points(a *doortest.Answer, pointer string) bool {
	for _, e := range a.Problem.Errors {
		if e.Pointer == pointer || strings.HasPrefix(e.Pointer, pointer+"/") {
			return true
		}
	}
	return refusesWhole(a, pointer)
}

// refusesWhole reports whether an object that a place is in is not taken at all.
func refusesWhole(a *doortest.Answer, pointer string) bool {
	return slices.ContainsFunc(a.Problem.Errors, func(e client.ProblemError) bool {
		return e.Code == push.FaultConflict && strings.HasPrefix(pointer, e.Pointer+"/")
	})
}

// A misspelt property or value is answered with what was meant, however deep and
// at every door.
func TestMisspeltNamesAreSuggested(t *testing.T) {
	t.Parallel()
	for entry, body := range setup(t).walkedDoors(t) {
		t.Run(entry, func(t *testing.T) {
			t.Parallel()
			g := setup(t)
			method, target, _ := strings.Cut(entry, " ")
			try := func(body string, path []string, value, meant string) {
				t.Helper()
				got := g.Do(t, method, target, put(t, body, path, value), "Content-Type", door.TypeJSON)
				pointer := "/" + strings.Join(path, "/")
				ok := refusesWhole(&got, pointer) || slices.ContainsFunc(got.Problem.Errors, func(e client.ProblemError) bool {
					return e.Pointer == pointer && strings.HasSuffix(e.Detail, fmt.Sprintf("did you mean %q?", meant))
				})
				if !ok {
					t.Errorf("%s as %s, want %s: %d %s", pointer, value, meant, got.Code, got.Body)
				}
			}
			for _, p := range raced.Some(g.placesOf(entry)) {
				for _, name := range p.names {
					for _, bad := range spelt(name) {
						if !slices.Contains(p.names, bad) {
							try(without(t, body, p.path, name), append(slices.Clone(p.path), bad), `"x"`, name)
						}
					}
				}
				if p.pointer() == "/datacontenttype" || p.pointer() == "/specversion" {
					continue // media types have no case, and a version may be a later one
				}
				for _, value := range p.enum {
					for _, bad := range spelt(value) {
						if !slices.Contains(p.enum, bad) && !slices.Contains(p.enum, strings.ToUpper(bad)) {
							try(body, p.path, strconv.Quote(bad), value)
						}
					}
				}
			}
		})
	}
}

// The same holds of every parameter of every route, and of the values of those
// that have a choice.
func TestMisspeltParametersAreSuggested(t *testing.T) {
	t.Parallel()
	g := setup(t)
	for _, rt := range g.Routes() {
		if len(rt.Params) == 0 {
			continue
		}
		target := strings.NewReplacer("{id}", batID, "{device_id}", "phone").Replace(rt.Path)
		try := func(query, pointer, meant string) {
			t.Helper()
			got := g.Do(t, rt.Method, target+"?"+query, "", "Content-Type", door.TypeJSON)
			if len(rt.Takes) > 0 {
				got = g.Do(t, rt.Method, target+"?"+query, "{}")
			}
			if got.Code != http.StatusUnprocessableEntity || len(got.Problem.Errors) == 0 || got.Problem.Errors[0].Pointer != pointer ||
				!strings.HasSuffix(got.Problem.Errors[0].Detail, fmt.Sprintf("did you mean %q?", meant)) || goWords.MatchString(got.Body.String()) {
				t.Errorf("%s %s?%s, want %s: %d %s", rt.Method, rt.Path, query, meant, got.Code, got.Body)
			}
		}
		for i := range rt.Params {
			p := &rt.Params[i]
			for _, bad := range spelt(p.Name) {
				if !slices.ContainsFunc(rt.Params, func(q door.Param) bool { return q.Name == bad }) {
					try(bad+"=1", "?"+bad, p.Name)
				}
			}
			choices := p.Choices
			switch { // where a filter is read by hand, several values are one text
			case p.Name == "state" && !p.Many:
				choices = []string{"parked", "replaying", "replayed", "discarded"}
			case p.Name == "queue":
				choices = push.Queues()
			}
			for _, value := range choices {
				for _, bad := range spelt(value) {
					if !slices.Contains(choices, bad) {
						try(p.Name+"="+bad, "?"+p.Name, strings.ReplaceAll(value, " ", "+"))
					}
				}
			}
			for _, wrong := range []string{"", "-1", "1e999", "x", "%00", "%ff", "%ED%A0%80", "null", "[]", "99999999999999999999", "9999999999h"} {
				got := g.Do(t, rt.Method, target+"?"+p.Name+"="+wrong, "")
				if got.Code >= http.StatusInternalServerError || goWords.MatchString(got.Body.String()) {
					t.Errorf("%s %s?%s=%s: %d %s", rt.Method, rt.Path, p.Name, wrong, got.Code, got.Body)
				}
			}
		}
	}
}
