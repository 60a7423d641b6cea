package audit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// secretWords are parts of names whose values are not recorded in clear: secrets, addresses, and what is said to people.
func secretWords() []string {
	return []string{
		"token", "secret", "password", "private", "credential", "authorization", "signature", "seal", "cipher", "salt", "fid",
		"address", "email", "phone", "user_id", "message", "notification", "data", "title", "body", "text", "payload", "attributes",
		"hash", "pem", "certificate",
	}
}

// Redacted returns a document for [Entry.Before] and [Entry.After]: JSON in which the value of every member with a name that
// speaks of a secret, an address or a text is replaced by its digest, however deep it stands. nil gives nil.
func Redacted(v any) (json.RawMessage, error) {
	if v == nil {
		return nil, nil
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("redact a document: %w", err)
	}
	var tree any
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if err := dec.Decode(&tree); err != nil {
		return nil, fmt.Errorf("redact a document: %w", err)
	}
	out, err := json.Marshal(redacted(tree))
	if err != nil {
		return nil, fmt.Errorf("redact a document: %w", err)
	}
	return out, nil
}

func redacted(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name, value := range v {
			v[name] = redacted(value)
			if telling(name) && !empty(value) {
				text, _ := json.Marshal(value) // it was JSON
				v[name] = Digest(text)
			}
		}
	case []any:
		for i := range v {
			v[i] = redacted(v[i])
		}
	}
	return v
}

func telling(name string) bool {
	name = strings.ToLower(name)
	return slices.ContainsFunc(secretWords(), func(word string) bool { return strings.Contains(name, word) })
}

// empty reports whether a value tells nothing but that there is none.
func empty(v any) bool { return v == nil || v == "" || v == false || v == true }
