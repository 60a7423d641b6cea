package door

import (
	"encoding/json"
	"maps"
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/belfry-push/belfry/client"
)

// PermissionExtension is the member of an operation that says which permission it needs.
const PermissionExtension = "x-permission"

// Description is the OpenAPI 3.1 document of an API.
type Description struct {
	Doc     *huma.OpenAPI
	Schemas huma.Registry // of the bodies, by the names that Doc uses

	about *About
}

// Describe makes the document of routes.
func Describe(about *About, routes []*Route) *Description {
	schemas := huma.NewMapRegistry(schemaPrefix, about.schemaName)
	d := &Description{
		about: about,
		Doc: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info:    about.info(),
			Servers: []*huma.Server{{URL: "/", Description: "The server that this document comes from."}},
			Components: &huma.Components{
				Schemas: schemas, Examples: map[string]*huma.Example{},
				SecuritySchemes: map[string]*huma.SecurityScheme{
					"key": {
						Type: "http", Scheme: "bearer",
						Description: "An API key; it names the tenant, and its role and scopes say what it may. A server that listens on the " +
							"loopback interface may run without.",
					},
				},
			},
		},
		Schemas: schemas,
	}
	for _, g := range about.Groups {
		d.Doc.Tags = append(d.Doc.Tags, &huma.Tag{Name: g.Name, Description: g.About})
	}
	for _, rt := range routes {
		if !rt.Unlisted {
			d.Doc.AddOperation(d.operation(rt))
		}
	}
	for i := range about.Notices {
		d.notice(&about.Notices[i])
	}
	d.tidy()
	return d
}

func (a *About) info() *huma.Info {
	info := &huma.Info{Title: a.Title, Version: orUnknown(a.Version), Description: a.Intro}
	if a.License != "" {
		info.License = &huma.License{Name: a.License, Identifier: a.License}
	}
	if a.Home != "" {
		info.Contact = &huma.Contact{Name: a.Title, URL: a.Home}
	}
	return info
}

func orUnknown(version string) string {
	if version == "" {
		return "unknown"
	}
	return version
}

// schemaName returns the type's own name, or a better one if that says too little.
func (a *About) schemaName(t reflect.Type, hint string) string {
	if name, ok := a.Names[t]; ok {
		return name
	}
	return huma.DefaultSchemaNamer(t, hint)
}

func (d *Description) operation(rt *Route) *huma.Operation {
	op := &huma.Operation{
		Method: rt.Method, Path: rt.Path, OperationID: rt.Name, Summary: strings.TrimSuffix(rt.About, "."), Description: rt.Detail,
		Tags:       []string{rt.Group},
		Parameters: d.parameters(rt), Responses: d.responses(rt),
		Security: []map[string][]string{},
	}
	if op.Description == "" {
		op.Description = rt.About
	}
	if !rt.Open {
		op.Security = []map[string][]string{{"key": {}}}
		op.Extensions = map[string]any{PermissionExtension: string(rt.Needs)}
		op.Description += "\n\nNeeds the permission `" + string(rt.Needs) + "`."
	}
	if len(rt.Takes) > 0 {
		op.RequestBody = &huma.RequestBody{
			Required: true, Content: d.content(rt.Takes, rt.Body, rt.Sample), Description: "One JSON object of this schema.",
		}
		if rt.streams() {
			op.RequestBody.Description = "One object of this schema a line, each at most 64 KiB."
		}
	}
	return op
}

// content describes a body in each of its media types. What is no JSON is text.
func (d *Description) content(types []string, of reflect.Type, sample any) map[string]*huma.MediaType {
	out := map[string]*huma.MediaType{}
	if sample == nil {
		sample = d.about.Samples[of]
	}
	for _, t := range types {
		m := &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString}}
		switch {
		case t == TypeEvents && d.about.Events != nil:
			m.Schema.Extensions = map[string]any{"contentMediaType": TypeEvents, "contentSchema": d.about.Events}
			m.Example = d.about.SampleEvents
		case of != nil && (strings.HasSuffix(t, "json") || strings.HasSuffix(t, "jsonl")):
			m.Schema, m.Example = d.Schemas.Schema(of, true, ""), sample
		case t == TypeCSV:
			m.Example = "token,locale,data.name\nfcm-token-1,de,Ada\n"
		}
		out[t] = m
	}
	return out
}

func (d *Description) parameters(rt *Route) []*huma.Param {
	var out []*huma.Param
	before := ""
	for part := range strings.SplitSeq(rt.Path, "/") {
		if name, ok := strings.CutPrefix(part, "{"); ok {
			out = append(out, d.about.Places[before+"/"+part].param(strings.TrimSuffix(name, "}")))
		}
		before = part
	}
	for i := range rt.Params {
		p := &rt.Params[i]
		out = append(out, &huma.Param{Name: p.Name, In: "query", Description: p.About, Schema: p.Schema()})
	}
	if rt.streams() {
		out = append(out, &huma.Param{
			Name: "Content-Encoding", In: "header", Schema: &huma.Schema{Type: huma.TypeString, Enum: []any{string(codingGzip), string(codingZstd)}},
			Description: "How the body is compressed, if it is.",
		})
	}
	if rt.Events {
		out = append(out, &huma.Param{
			Name: "Last-Event-ID", In: "header", Schema: &huma.Schema{Type: huma.TypeString},
			Description: "The id of the last event that was received, as an EventSource sends it by itself when it connects again.",
		})
	}
	if rt.Once != KeyIgnored {
		out = append(out, &huma.Param{
			Name: "Idempotency-Key", In: "header", Schema: &huma.Schema{Type: huma.TypeString, MinLength: new(1), MaxLength: new(255)},
			Description: "Printable ASCII. A repeat with the same key within 72 hours executes nothing and gets the first answer, with " +
				"Idempotency-Replayed: true.",
		})
	}
	return out
}

// param is how the document describes a variable in a path.
func (p Place) param(name string) *huma.Param {
	s := &huma.Schema{Type: huma.TypeString, MinLength: new(1), Pattern: p.Pattern}
	for _, w := range p.Words {
		s.Enum = append(s.Enum, w)
	}
	out := &huma.Param{Name: name, In: "path", Required: true, Description: p.About, Schema: s}
	if p.Sample != "" {
		out.Example = p.Sample
	}
	return out
}

// Schema is how the document describes the parameter.
func (p *Param) Schema() *huma.Schema {
	s := &huma.Schema{Type: huma.TypeString}
	switch p.Kind {
	case ParamText:
		s.MaxLength = new(int(p.High))
	case ParamInteger:
		s.Type = huma.TypeInteger
		s.Minimum, s.Maximum = new(float64(p.Low)), new(float64(p.High))
	case ParamFlag:
		s.Type = huma.TypeBoolean
	case ParamChoice:
		for _, c := range p.Choices {
			s.Enum = append(s.Enum, c)
		}
	}
	if p.Many {
		s = &huma.Schema{Type: huma.TypeArray, Items: s, MaxItems: new(maxMany)}
	}
	if p.Fallback != "" {
		s.Default = p.Fallback
		if p.Kind == ParamInteger || p.Kind == ParamFlag {
			s.Default = json.RawMessage(p.Fallback)
		}
	}
	return s
}

// responses returns the good answers and, by status, every problem that the route may
// answer.
func (d *Description) responses(rt *Route) map[string]*huma.Response {
	out := map[string]*huma.Response{}
	for _, g := range rt.Gives {
		r := answerOf(out, g.Status)
		r.Description = strings.TrimSpace(r.Description + " " + g.About)
		maps.Copy(r.Content, d.content(g.Types, g.Of, g.Sample))
		if stream := r.Content[TypeEvents]; g.Event != "" && stream != nil {
			stream.Schema.Extensions = map[string]any{"contentMediaType": TypeEvents, "contentSchema": RefTo(g.Event)}
			stream.Example = g.Sample
		}
		if g.Located {
			r.Headers["Location"] = textHeader("URL of what was created, relative to the server.")
		}
		limited(rt, r)
		if rt.Once != KeyIgnored || g.Located {
			r.Headers["Idempotency-Replayed"] = textHeader("true when this is the answer to an earlier request with the same key.")
		}
	}
	for _, c := range rt.problems() {
		status, title := c.facts()
		r := answerOf(out, status)
		r.Description = strings.TrimSpace(r.Description + " " + title + " (`" + string(c) + "`).")
		m := r.Content[TypeProblem]
		if m == nil {
			m = &huma.MediaType{Schema: d.Schemas.Schema(reflect.TypeFor[client.Problem](), true, ""), Examples: map[string]*huma.Example{}}
			r.Content[TypeProblem] = m
		}
		m.Examples[string(c)] = d.problemExample(c)
		limited(rt, r)
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

// limited adds the fields of quotas, which every answer to a known caller has.
func limited(rt *Route, r *huma.Response) {
	if !rt.Open {
		r.Headers[rateLimitPolicyHeader] = textHeader("The caller's quotas (draft-ietf-httpapi-ratelimit-headers-10); absent if there is none.")
		r.Headers[rateLimitHeader] = textHeader("How much of each is left, and in how many seconds it is whole again.")
	}
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
