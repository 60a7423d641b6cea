package httpapi

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/httpapi/door/doortest"
	"github.com/belfry-push/belfry/internal/message"
	"github.com/belfry-push/belfry/internal/wire"
)

// operations calls f for every operation of the document, webhooks included.
func (g *rig) operations(f func(name string, op *huma.Operation)) {
	for _, rt := range g.Routes() {
		f(rt.Pattern(), doortest.OperationOf(g.Spec.Doc.Paths[rt.Path], rt.Method))
	}
	for name, item := range g.Spec.Doc.Webhooks {
		f(name, item.Post)
	}
}

// Whatever the document shows has a description: operations, parameters, bodies,
// answers, schemas and each of their properties.
func TestEverythingIsDescribed(t *testing.T) {
	t.Parallel()
	g := setup(t)
	want := func(what, text string) {
		if text == "" {
			t.Errorf("%s has no description", what)
		}
	}
	g.operations(func(name string, op *huma.Operation) {
		want(name, op.Description)
		want(name+": summary", op.Summary)
		for _, p := range op.Parameters {
			want(name+": "+p.Name, p.Description)
		}
		if op.RequestBody != nil {
			want(name+": body", op.RequestBody.Description)
		}
		for status, r := range op.Responses {
			want(name+": "+status, r.Description)
			for header, h := range r.Headers {
				want(name+": "+status+" "+header, h.Description)
			}
		}
	})
	var walk func(at string, s *huma.Schema)
	walk = func(at string, s *huma.Schema) {
		for name, p := range s.Properties {
			want(at+"."+name, p.Description)
			walk(at+"."+name, p)
		}
		if s.Items != nil {
			walk(at+"[]", s.Items)
		}
	}
	for name, s := range g.Spec.Schemas.Map() {
		want(name, s.Description)
		walk(name, s)
	}
	for _, tag := range g.Spec.Doc.Tags {
		want(tag.Name, tag.Description)
	}
}

// Every body has a sample, of the operation's own schema; every problem too.
func TestEveryBodyHasASample(t *testing.T) {
	t.Parallel()
	g := setup(t)
	check := func(what string, mode huma.ValidateMode, content map[string]*huma.MediaType) {
		for kind, m := range content {
			switch {
			case kind == door.TypeProblem:
				if len(m.Examples) == 0 {
					t.Errorf("%s: %s has no sample", what, kind)
				}
				for code := range m.Examples {
					g.validSample(t, what+": "+code, m.Schema, mode, g.Spec.Doc.Components.Examples[code].Value)
				}
			case strings.HasSuffix(kind, "json") || strings.HasSuffix(kind, "jsonl"):
				if m.Example == nil {
					t.Errorf("%s: %s has no sample", what, kind)
					continue
				}
				g.validSample(t, what+": "+kind, m.Schema, mode, m.Example)
			}
		}
	}
	g.operations(func(name string, op *huma.Operation) {
		if op.RequestBody != nil {
			check(name, huma.ModeWriteToServer, op.RequestBody.Content)
		}
		for status, r := range op.Responses {
			check(name+" "+status, huma.ModeReadFromServer, r.Content)
		}
	})
}

func (g *rig) validSample(t *testing.T, what string, schema *huma.Schema, mode huma.ValidateMode, sample any) {
	t.Helper()
	text, err := json.Marshal(sample)
	if err != nil {
		t.Fatal(err)
	}
	var v any
	doortest.Decode(t, text, &v)
	res := &huma.ValidateResult{}
	huma.Validate(g.Spec.Schemas, schema, huma.NewPathBuffer(nil, 0), mode, v, res)
	for _, err := range res.Errors {
		t.Errorf("%s: the sample is not of its schema: %v: %s", what, err, text)
	}
}

// The samples of requests are taken by the doors themselves.
func TestSampleRequestsAreTaken(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/v1/notifications", "/v1/batches", "/v1/events"} {
		g := setup(t)
		op := g.Spec.Doc.Paths[path].Post
		text, err := json.Marshal(op.RequestBody.Content[door.TypeJSON].Example)
		if err != nil {
			t.Fatal(err)
		}
		if got := g.Do(t, http.MethodPost, path, string(text)); got.Code >= http.StatusBadRequest {
			t.Errorf("%s: %d %s", path, got.Code, got.Body)
		}
	}
	g := setup(t)
	text, _ := json.Marshal(g.Spec.Doc.Paths["/v1/devices/{device_id}"].Put.RequestBody.Content[door.TypeJSON].Example)
	g.Do(t, http.MethodPut, "/v1/devices/phone-1", string(text)).Want(t, http.StatusOK, "")
}

// The message of the document is the one that the door, the encoder and the
// simulator go by, field by field.
func TestMessageIsTheOneDescription(t *testing.T) {
	t.Parallel()
	all := setup(t).Spec.Schemas.Map()
	if ref := all["Request"].Properties["message"].Ref; ref != "#/components/schemas/Message" {
		t.Errorf("message is %q", ref)
	}
	var compare func(name string, of *message.Type)
	compare = func(name string, of *message.Type) {
		var want []string
		for _, f := range of.Fields {
			if f.Target || f.OutputOnly {
				continue
			}
			want = append(want, f.Name)
			if f.Of != nil {
				compare("Message"+f.Of.Short(), f.Of)
			}
			if p := all[name].Properties[f.Name]; p != nil && f.Kind == message.Enum && len(p.Enum) != len(f.Values()) {
				t.Errorf("%s.%s: %v, want %v", name, f.Name, p.Enum, f.Values())
			}
		}
		slices.Sort(want)
		if got := slices.Sorted(maps.Keys(all[name].Properties)); !slices.Equal(got, want) {
			t.Errorf("%s has %v, want %v", name, got, want)
		}
	}
	compare("Message", message.Described())
}

// Every type of event that is published is a webhook of the document.
func TestEveryOutgoingEventIsAWebhook(t *testing.T) {
	t.Parallel()
	g := setup(t)
	types := map[string]bool{}
	for _, item := range g.Spec.Doc.Webhooks {
		schema := g.Spec.Schemas.SchemaFromRef(item.Post.RequestBody.Content["application/cloudevents+json"].Schema.Ref)
		types[schema.Properties["type"].Enum[0].(string)] = true
	}
	for _, d := range wire.Outgoing() {
		if !types[d.EventType()] {
			t.Errorf("%s is no webhook", d.EventType())
		}
	}
	if len(types) != len(wire.Outgoing()) {
		t.Errorf("%d webhooks, %d types of event", len(types), len(wire.Outgoing()))
	}
}

func TestDocumentSaysWhereAndWhose(t *testing.T) {
	t.Parallel()
	doc := setup(t).Spec.Doc
	if len(doc.Servers) == 0 || doc.Info.License == nil || doc.Info.Contact == nil || doc.Components.SecuritySchemes["key"] == nil {
		t.Errorf("servers %v, license %v, contact %v", doc.Servers, doc.Info.License, doc.Info.Contact)
	}
	ids := map[string]bool{}
	setup(t).operations(func(name string, op *huma.Operation) {
		if op.OperationID == "" || ids[op.OperationID] || len(op.Tags) != 1 || op.Security == nil {
			t.Errorf("%s: operationId %q, tags %v, security %v", name, op.OperationID, op.Tags, op.Security)
		}
		ids[op.OperationID] = true
	})
}
