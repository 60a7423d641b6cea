package httpapi

import (
	"encoding/json"
	"maps"
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/telemetry"
)

// description is the OpenAPI document under construction.
type description struct {
	doc     *huma.OpenAPI
	schemas huma.Registry
}

// describe makes the OpenAPI 3.1 document of the routes.
func describe(routes []*route, version string) *description {
	const intro = "Push notifications through FCM: accepted durably, delivered within limits, and every outcome accounted for.\n\n" +
		"Every error is a problem document (RFC 9457) with a stable `code`. Lists are read with `limit` and `cursor`. " +
		"A body needs its `Content-Type`, and web pages of another origin are refused (`cross_origin`, `wrong_host`). " +
		"Every answer carries an `X-Request-Id`, the caller's own if it sent a usable one. A `traceparent` (W3C) is continued."
	schemas := huma.NewMapRegistry("#/components/schemas/", schemaName)
	d := &description{
		doc: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info:    &huma.Info{Title: "Belfry", Version: orUnknown(version), Description: intro},
			Components: &huma.Components{
				Schemas: schemas,
				SecuritySchemes: map[string]*huma.SecurityScheme{
					"key": {Type: "http", Scheme: "bearer", Description: "An API key; it names the tenant. A server that listens on the loopback interface may run without."},
				},
			},
			Tags: []*huma.Tag{
				{Name: "notifications", Description: "Send to up to 1,000 recipients, and follow the deliveries."},
				{Name: "batches", Description: "Send to any number of recipients: create, upload, start."},
				{Name: "devices", Description: "The registry of app instances."},
				{Name: "dead letters", Description: "What could not be delivered or understood: look at it by cause, simulate a replay, replay, discard, export."},
				{Name: "operators", Description: "Health, metrics and this document; no key is needed."},
			},
		},
		schemas: schemas,
	}
	for _, rt := range routes {
		d.doc.AddOperation(d.operation(rt))
	}
	d.tidy()
	return d
}

func orUnknown(version string) string {
	if version == "" {
		return "unknown"
	}
	return version
}

// schemaName is the type's own name, but for one that says too little.
func schemaName(t reflect.Type, hint string) string {
	if t == reflect.TypeFor[telemetry.Report]() {
		return "HealthReport"
	}
	return huma.DefaultSchemaNamer(t, hint)
}

// tidy removes null from arrays: encoding/json would write it for a nil slice,
// the door never does, and never takes it.
func (d *description) tidy() {
	for _, s := range d.schemas.Map() {
		for _, p := range s.Properties {
			if p.Type == huma.TypeArray {
				p.Nullable = false
			}
		}
	}
}

func (d *description) operation(rt *route) *huma.Operation {
	op := &huma.Operation{
		Method: rt.method, Path: rt.path, OperationID: rt.name, Summary: strings.TrimSuffix(rt.about, "."), Description: rt.detail, Tags: []string{rt.group},
		Parameters: d.parameters(rt), Responses: d.responses(rt),
	}
	if !rt.open {
		op.Security = []map[string][]string{{"key": {}}}
	}
	if len(rt.takes) > 0 {
		op.RequestBody = &huma.RequestBody{Required: true, Content: d.content(rt.takes, rt.body)}
		if rt.streams() {
			op.RequestBody.Description = "One object of this schema a line, each at most 64 KiB."
		}
	}
	return op
}

func (d *description) content(types []string, of reflect.Type) map[string]*huma.MediaType {
	out := map[string]*huma.MediaType{}
	for _, t := range types {
		schema := &huma.Schema{Type: huma.TypeString}
		if of != nil && t != typeCSV {
			schema = d.schemas.Schema(of, true, "")
		}
		out[t] = &huma.MediaType{Schema: schema}
	}
	return out
}

func (d *description) parameters(rt *route) []*huma.Param {
	var out []*huma.Param
	for part := range strings.SplitSeq(rt.path, "/") {
		if name, ok := strings.CutPrefix(part, "{"); ok {
			out = append(out, &huma.Param{Name: strings.TrimSuffix(name, "}"), In: "path", Required: true, Schema: &huma.Schema{Type: huma.TypeString}})
		}
	}
	for i := range rt.params {
		p := &rt.params[i]
		out = append(out, &huma.Param{Name: p.name, In: "query", Description: p.about, Schema: p.schema()})
	}
	if rt.streams() {
		out = append(out, &huma.Param{
			Name: "Content-Encoding", In: "header", Schema: &huma.Schema{Type: huma.TypeString, Enum: []any{string(codingGzip), string(codingZstd)}},
			Description: "How the body is compressed, if it is.",
		})
	}
	if rt.events {
		out = append(out, &huma.Param{
			Name: "Last-Event-ID", In: "header", Schema: &huma.Schema{Type: huma.TypeString},
			Description: "The id of the last event that was received, as an EventSource sends it by itself when it connects again.",
		})
	}
	if rt.once != keyIgnored {
		out = append(out, &huma.Param{
			Name: "Idempotency-Key", In: "header", Schema: &huma.Schema{Type: huma.TypeString, MinLength: new(1), MaxLength: new(255)},
			Description: "Printable ASCII. A repeat with the same key within 72 hours executes nothing and gets the first answer, with Idempotency-Replayed: true.",
		})
	}
	return out
}

func (p *param) schema() *huma.Schema {
	s := &huma.Schema{Type: huma.TypeString}
	switch p.kind {
	case paramText:
		s.MaxLength = new(int(p.high))
	case paramInteger:
		s.Type = huma.TypeInteger
		s.Minimum, s.Maximum = new(float64(p.low)), new(float64(p.high))
	case paramFlag:
		s.Type = huma.TypeBoolean
	case paramChoice:
		for _, c := range p.choices {
			s.Enum = append(s.Enum, c)
		}
	}
	if p.fallback != "" {
		s.Default = p.fallback
		if p.kind == paramInteger || p.kind == paramFlag {
			s.Default = json.RawMessage(p.fallback)
		}
	}
	return s
}

// responses holds the good answers and, by status, every problem that the
// route may answer.
func (d *description) responses(rt *route) map[string]*huma.Response {
	out := map[string]*huma.Response{}
	for _, g := range rt.gives {
		r := answerOf(out, g.status)
		r.Description = strings.TrimSpace(r.Description + " " + g.about)
		maps.Copy(r.Content, d.content(g.types, g.of))
		if g.ids {
			r.Headers["Location"] = textHeader("URL of what was created, relative to the server.")
		}
		if rt.once != keyIgnored || g.ids {
			r.Headers["Idempotency-Replayed"] = textHeader("true when this is the answer to an earlier request with the same key.")
		}
	}
	for _, c := range rt.problems() {
		status, title := c.facts()
		r := answerOf(out, status)
		r.Description = strings.TrimSpace(r.Description + " " + title + " (`" + string(c) + "`).")
		r.Content[typeProblem] = &huma.MediaType{Schema: d.schemas.Schema(reflect.TypeFor[client.Problem](), true, "")}
		switch status {
		case http.StatusUnauthorized:
			r.Headers["WWW-Authenticate"] = textHeader("Bearer.")
		case http.StatusUnsupportedMediaType:
			r.Headers["Accept-Encoding"] = textHeader("The values of Content-Encoding that are accepted here, if it is about them.")
		case http.StatusServiceUnavailable, http.StatusTooManyRequests, http.StatusConflict:
			r.Headers["Retry-After"] = textHeader("Seconds after which the same request may succeed.")
		}
	}
	return out
}

func answerOf(all map[string]*huma.Response, status int) *huma.Response {
	key := strconv.Itoa(status)
	if all[key] == nil {
		all[key] = &huma.Response{Headers: map[string]*huma.Param{}, Content: map[string]*huma.MediaType{}}
	}
	return all[key]
}

func textHeader(about string) *huma.Param {
	return &huma.Param{Description: about, Schema: &huma.Schema{Type: huma.TypeString}}
}
