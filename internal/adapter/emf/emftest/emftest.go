// Package emftest checks lines of CloudWatch's embedded metric format against what its specification says
// (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html): the schema
// beside it, and the references, which a schema cannot follow.
package emftest

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

//go:embed document.schema.json
var schema []byte

//nolint:gochecknoglobals // it is compiled once
var compiled = sync.OnceValues(func() (*jsonschema.Schema, error) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("document.json", doc); err != nil {
		return nil, err
	}
	return c.Compile("document.json")
})

// Line is what CloudWatch makes of a line.
type Line struct {
	Dimensions map[string]string
	Values     map[string]float64
	Units      map[string]string
	About      map[string]any // all members
}

// Read returns what CloudWatch makes of a line, or what of it is against the specification.
func Read(line []byte) (Line, error) {
	l := Line{Dimensions: map[string]string{}, Values: map[string]float64{}, Units: map[string]string{}}
	s, err := compiled()
	if err != nil {
		return l, err
	}
	const most = 256 << 10 // of a log event
	if len(line) > most || bytes.ContainsRune(line, '\n') {
		return l, fmt.Errorf("a line of %d bytes, or more than one", len(line))
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(line))
	if err != nil {
		return l, err
	}
	if err := s.Validate(v); err != nil {
		return l, err
	}
	var root struct {
		AWS struct {
			CloudWatchMetrics []struct {
				Dimensions [][]string
				Metrics    []struct{ Name, Unit string }
			}
		} `json:"_aws"` //nolint:tagliatelle // theirs
	}
	if err := json.Unmarshal(line, &root); err != nil {
		return l, err
	}
	if err := json.Unmarshal(line, &l.About); err != nil {
		return l, err
	}
	for _, d := range root.AWS.CloudWatchMetrics {
		for _, set := range d.Dimensions {
			for _, name := range set {
				text, ok := l.About[name].(string)
				if !ok || text == "" || len(text) > 1024 {
					return l, fmt.Errorf("the dimension %s is %v: it must be a text of 1 to 1024 bytes", name, l.About[name])
				}
				l.Dimensions[name] = text
			}
		}
		for _, m := range d.Metrics {
			number, ok := l.About[m.Name].(float64)
			if !ok {
				return l, fmt.Errorf("the metric %s is %v: it must be a number", m.Name, l.About[m.Name])
			}
			l.Values[m.Name], l.Units[m.Name] = number, m.Unit
		}
	}
	return l, nil
}
