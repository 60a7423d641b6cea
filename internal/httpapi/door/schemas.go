package door

import (
	"maps"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/push"
)

const schemaPrefix = "#/components/schemas/"

// RefTo is a reference to a schema.
func RefTo(name string) *huma.Schema { return &huma.Schema{Ref: schemaPrefix + name} }

// tidy completes what the types alone do not say: closed sets, properties that
// another package reads, descriptions. It removes null from arrays: encoding/json
// would write it for a nil slice, the door never does, and never takes it.
func (d *Description) tidy() {
	all := d.Schemas.Map()
	referAll(d.Schemas, d.about.Sets)
	for name, s := range all {
		for field, p := range s.Properties {
			if better := d.about.Fields[name+"."+field]; better != nil {
				replace(s.Properties, field, better)
			}
			p.Nullable = p.Nullable && p.Type != huma.TypeArray
		}
	}
	for i := range d.about.Sets {
		all[d.about.Sets[i].Name] = d.about.Sets[i].schema()
	}
	maps.Copy(all, d.about.Schemas)
	for name, about := range d.about.Abouts {
		if s := all[name]; s != nil && s.Description == "" {
			s.Description = about
		}
	}
}

// SchemaOf adds the schema of a type, and of all that it needs, to a registry; what
// is of a set's type refers to the set.
func SchemaOf(r huma.Registry, t reflect.Type, sets []Set) {
	r.Schema(t, true, "")
	referAll(r, sets)
}

// referAll lets every property of a set's type refer to the set.
func referAll(r huma.Registry, sets []Set) {
	byType := map[reflect.Type]*Set{}
	for i := range sets {
		for _, t := range sets[i].Of {
			byType[t] = &sets[i]
		}
	}
	for name, s := range r.Map() {
		t := r.TypeFromRef(schemaPrefix + name)
		for f := range t.Fields() {
			field, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if p := s.Properties[field]; p != nil {
				refer(p, f.Type, byType)
			}
		}
	}
}

// replace puts a copy of another schema in a property's place.
func replace(properties map[string]*huma.Schema, field string, by *huma.Schema) {
	own := *by
	if own.Description == "" || properties[field].Description != "" {
		own.Description = properties[field].Description
	}
	own.ReadOnly = properties[field].ReadOnly
	properties[field] = &own
}

// refer lets a schema of a set's type, or of a list or map of it, refer to the set.
// A place that takes only some of the words keeps those.
func refer(s *huma.Schema, t reflect.Type, sets map[reflect.Type]*Set) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if set := sets[t]; set != nil {
		if len(s.Enum) > 0 && len(s.Enum) < len(set.Words) {
			return
		}
		s.Type, s.Format, s.Enum, s.Nullable, s.Ref = "", "", nil, false, schemaPrefix+set.Name
		return
	}
	if t.Kind() == reflect.Slice && s.Items != nil {
		refer(s.Items, t.Elem(), sets)
	}
	if t.Kind() == reflect.Map {
		if each, ok := s.AdditionalProperties.(*huma.Schema); ok {
			refer(each, t.Elem(), sets)
		}
		if set := sets[t.Key()]; set != nil {
			s.Extensions = map[string]any{"propertyNames": RefTo(set.Name)}
		}
	}
}

func (s *Set) schema() *huma.Schema {
	out := &huma.Schema{Type: huma.TypeString, Description: s.About}
	for _, w := range s.Words {
		out.Enum = append(out.Enum, w)
	}
	out.PrecomputeMessages()
	return out
}

// notice adds a webhook.
func (d *Description) notice(n *Notice) {
	if d.Doc.Webhooks == nil {
		d.Doc.Webhooks = map[string]*huma.PathItem{}
	}
	d.Doc.Webhooks[n.Name] = &huma.PathItem{Post: &huma.Operation{
		OperationID: n.Name, Summary: strings.TrimSuffix(n.About, "."), Description: n.Detail, Tags: []string{n.Group},
		Security: []map[string][]string{},
		RequestBody: &huma.RequestBody{
			Required: true, Description: "The event.",
			Content: map[string]*huma.MediaType{n.Kind: {Schema: n.Schema, Example: n.Sample}},
		},
		Responses: map[string]*huma.Response{
			"2XX": {Description: "The event was taken."},
			"4XX": {Description: "The event was not taken: whoever delivers it decides whether it comes again."},
		},
	}}
}

// problemExample refers to the sample of a kind of problem, which is added when it is
// first needed.
func (d *Description) problemExample(c Code) *huma.Example {
	all := d.Doc.Components.Examples
	if all[string(c)] == nil {
		a := c.advice()
		p := client.Problem{
			Type: TypeOf(c), Title: a.Title, Status: a.Status, Detail: a.Meaning, Code: string(c), RequestID: "01JC5Z9V6W8Q2M4K7N3T",
		}
		if c == CodeInvalid {
			p.Errors = []client.ProblemError{{Pointer: "/to/tokens/0", Code: push.FaultValue, Detail: "must not be empty"}}
		}
		all[string(c)] = &huma.Example{Summary: a.Title, Value: p}
	}
	return &huma.Example{Ref: "#/components/examples/" + string(c)}
}
