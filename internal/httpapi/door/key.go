package door

import "strings"

// maxKey is how long an Idempotency-Key may be.
const maxKey = 255

// IdempotencyKey returns what the Idempotency-Key header says, "" if there is
// none. It is a string of structured fields
// (draft-ietf-httpapi-idempotency-key-header, RFC 8941 §3.3.3), and most clients
// leave the quotation marks out: "k" and k are one key.
func (x *Exchange) IdempotencyKey() (string, error) {
	values := x.Request.Header.Values("Idempotency-Key")
	switch {
	case len(values) == 0:
		return "", nil
	case len(values) > 1:
		return "", Refuse(CodeKeyInvalid, "give one Idempotency-Key (got %d)", len(values))
	}
	key := strings.Trim(values[0], " \t")
	for i := range len(key) {
		if key[i] < ' ' || key[i] > '~' {
			return "", Refuse(CodeKeyInvalid, "must be printable ASCII (byte %d is 0x%02x)", i, key[i])
		}
	}
	if strings.HasPrefix(key, `"`) {
		var ok bool
		if key, ok = unquoted(key); !ok {
			return "", Refuse(CodeKeyInvalid,
				`a key that begins with a quotation mark must end with one, and have \" and \\ for those within (RFC 8941)`)
		}
	}
	if key == "" || len(key) > maxKey {
		return "", Refuse(CodeKeyInvalid, "must have 1..%d characters (got %d)", maxKey, len(key))
	}
	return key, nil
}

// unquoted reads an RFC 8941 string of printable ASCII, and reports false for
// anything else.
func unquoted(text string) (string, bool) {
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch c := text[i]; c {
		case '"':
			return b.String(), i == len(text)-1
		case '\\':
			if i++; i == len(text) || text[i] != '"' && text[i] != '\\' {
				return "", false
			}
			b.WriteByte(text[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", false
}
