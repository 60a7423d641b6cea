// Package wiretest holds what Belfry publishes against the contract with whoever
// listens: the JSON Schemas of docs/events.md. It is test code that other
// packages' tests import.
package wiretest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"sync"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
)

// draft is the JSON Schema that the schemas are written in.
const draft = "https://json-schema.org/draft/2020-12/schema"

// Schema returns the JSON Schema of a value's type, indented. It is made from the
// type and its tags. More fields than it names are allowed, because newer
// programs may publish more.
func Schema(title string, value any) ([]byte, error) {
	s := huma.SchemaFromType(huma.NewMapRegistry("#/$defs/", huma.DefaultSchemaNamer), reflect.TypeOf(value))
	s.AdditionalProperties = nil
	s.Title = title
	s.Extensions = map[string]any{"$schema": draft}
	text, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("schema of %s: %w", title, err)
	}
	var out bytes.Buffer
	if err := json.Indent(&out, text, "", "  "); err != nil {
		return nil, fmt.Errorf("schema of %s: %w", title, err)
	}
	return out.Bytes(), nil
}

// checker validates one type of event.
type checker struct {
	data   reflect.Type
	schema *jsonschema.Schema
}

//nolint:gochecknoglobals // compiled once for all tests of a program
var checkers = sync.OnceValues(func() (map[string]checker, error) {
	all := map[string]checker{}
	for _, d := range wire.Outgoing() {
		compiled, err := compile(d.EventType(), d)
		if err != nil {
			return nil, err
		}
		all[d.EventType()] = checker{reflect.TypeOf(d), compiled}
	}
	compiled, err := compile("envelope", wire.Envelope{})
	all[""] = checker{schema: compiled}
	return all, err
})

func compile(title string, value any) (*jsonschema.Schema, error) {
	text, err := Schema(title, value)
	if err != nil {
		return nil, err
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("schema of %s: %w", title, err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource(title+".json", doc); err != nil {
		return nil, fmt.Errorf("schema of %s: %w", title, err)
	}
	return c.Compile(title + ".json")
}

// Check returns what is wrong with an event that was published: an unknown type,
// an envelope or data that their schemas refuse, a field that they do not name,
// or a code that is not in the taxonomy.
func Check(e *wire.Event) error {
	all, err := checkers()
	if err != nil {
		return err
	}
	body, err := wire.EncodeEvent(e)
	if err != nil {
		return fmt.Errorf("encode event: %w", err)
	}
	if err := validate(all[""].schema, body); err != nil {
		return fmt.Errorf("envelope of %s: %w", body, err)
	}
	kind, known := all[e.Type]
	if !known {
		return fmt.Errorf("event of type %q: it is not in wire.Outgoing", e.Type)
	}
	if err := validate(kind.schema, e.Data); err != nil {
		return fmt.Errorf("data of %s: %w", body, err)
	}
	return strict(kind.data, e.Data)
}

func validate(s *jsonschema.Schema, text []byte) error {
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return err
	}
	return s.Validate(v)
}

// strict decodes data into its type, which has to name every field and every
// code, and to write the same bytes again.
func strict(t reflect.Type, data []byte) error {
	v := reflect.New(t)
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v.Interface()); err != nil {
		return fmt.Errorf("data %s: %w", data, err)
	}
	if again, err := json.Marshal(v.Interface()); err != nil || !bytes.Equal(again, data) {
		return fmt.Errorf("data %s, read and written again: %s (%w)", data, again, err)
	}
	if f := v.Elem().FieldByName("ByCode"); f.IsValid() {
		for _, name := range f.MapKeys() {
			if _, ok := push.CodeNamed(name.String()); !ok {
				return fmt.Errorf("data %s: by_code has %q, which is no outcome code", data, name)
			}
		}
	}
	return nil
}

// Publisher is what every room has for its events.
type Publisher interface {
	Publish(ctx context.Context, events []wire.Event) error
}

// Checked returns a publisher that fails the test for every event which is not as
// docs/events.md says, and hands it on.
func Checked(tb testing.TB, to Publisher) Publisher {
	tb.Helper()
	return checked{tb, to}
}

type checked struct {
	tb testing.TB
	to Publisher
}

// Publish implements the rooms' publishers.
func (c checked) Publish(ctx context.Context, events []wire.Event) error {
	c.tb.Helper()
	for i := range events {
		if err := Check(&events[i]); err != nil {
			c.tb.Error(err)
		}
	}
	return c.to.Publish(ctx, events)
}
