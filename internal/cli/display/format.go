package display

import (
	"encoding/json"
	"io"
	"iter"
)

// Output chooses how a result is printed.
type Output struct {
	Format string `name:"output" short:"o" default:"table" enum:"table,wide,json" group:"other" placeholder:"FORMAT" help:"table, wide (a table with all columns, however wide) or json."`
}

// JSON reports whether it is printed as JSON.
func (o Output) JSON() bool { return o.Format == "json" }

// Wide reports whether a table has all of its columns, however wide.
func (o Output) Wide() bool { return o.Format == "wide" }

// Format is [Output] for what may be a list.
type Format struct {
	Format string `name:"output" short:"o" default:"table" enum:"table,wide,json,ndjson" group:"other" placeholder:"FORMAT" help:"table, wide (a table with all columns, however wide), json, or ndjson: a JSON object a line."`
}

// Wide reports whether a table has all of its columns, however wide.
func (f Format) Wide() bool { return f.Format == "wide" }

// One prints one value, as a table by f.
func (f Format) One(w io.Writer, v any, table func() error) error {
	switch f.Format {
	case "table", "wide":
		return table()
	case "ndjson":
		return Line(w, v)
	}
	return PrintJSON(w, v)
}

// Page prints a list: items is what a line each is made of, of what whole holds.
func Page[T any](f Format, w io.Writer, whole any, items []T, table func() error) error {
	if f.Format != "ndjson" {
		return f.One(w, whole, table)
	}
	for i := range items {
		if err := Line(w, &items[i]); err != nil {
			return err
		}
	}
	return nil
}

// Stream prints items as they come, a line each, up to most; 0 for all.
func Stream[T any](w io.Writer, items iter.Seq2[T, error], most int) error {
	n := 0
	for item, err := range items {
		if err != nil {
			return err
		}
		if err := Line(w, item); err != nil {
			return err
		}
		if n++; n == most {
			break
		}
	}
	return nil
}

// Line writes v as one line of JSON.
func Line(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}
