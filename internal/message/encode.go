package message

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// Decode reads a message as a tree, with numbers as they are written. It is for
// stored messages, which a door has read with more care.
func Decode(m []byte) (map[string]any, error) {
	dec := json.NewDecoder(bytes.NewReader(m))
	dec.UseNumber()
	var tree map[string]any
	if err := dec.Decode(&tree); err != nil {
		return nil, fmt.Errorf("not a JSON object: %w", err)
	}
	if tree == nil {
		return nil, errors.New("not a JSON object: null")
	}
	return tree, nil
}

// Encode writes a tree as compact JSON with sorted names.
func Encode(tree map[string]any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(tree); err != nil {
		return nil, fmt.Errorf("encode a message: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
