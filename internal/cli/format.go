package cli

import (
	"encoding/json"
	"io"
	"iter"
)

// format chooses how what is read is printed.
type format struct {
	Format string `name:"output" short:"o" default:"table" enum:"table,json,ndjson" group:"other" help:"table, json, or ndjson: a JSON object a line."`
}

// one prints one value, as a table by f.
func (f format) one(w io.Writer, v any, table func() error) error {
	switch f.Format {
	case "table":
		return table()
	case "ndjson":
		return line(w, v)
	}
	return printJSON(w, v)
}

// page prints a list: items is what a line each is made of, of what whole holds.
func page[T any](f format, w io.Writer, whole any, items []T, table func() error) error {
	if f.Format != "ndjson" {
		return f.one(w, whole, table)
	}
	for i := range items {
		if err := line(w, &items[i]); err != nil {
			return err
		}
	}
	return nil
}

// stream prints items as they come, a line each, up to most; 0 for all.
func stream[T any](w io.Writer, items iter.Seq2[T, error], most int) error {
	n := 0
	for item, err := range items {
		if err != nil {
			return err
		}
		if err := line(w, item); err != nil {
			return err
		}
		if n++; n == most {
			break
		}
	}
	return nil
}

func line(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}
