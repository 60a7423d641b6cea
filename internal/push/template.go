package push

// Template is a message encoded once and sent to many: the JSON of FCM's send
// request with a gap where the target goes. It is immutable; Append is safe for
// concurrent use and allocates only when dst is too small.
type Template struct {
	// rest is the message's members without target and braces, for example
	// `"notification":{"title":"Hi"}`.
	rest []byte
}

// NewTemplate cuts a template from the compact JSON object of a message that
// has no target.
func NewTemplate(message []byte) Template {
	if len(message) < 2 {
		return Template{}
	}
	return Template{rest: message[1 : len(message)-1]}
}

// Append appends the whole request body of projects.messages:send
// (https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages/send)
// for one address.
func (t Template) Append(dst []byte, a Address) []byte {
	dst = append(dst, `{"message":{"`...)
	dst = append(dst, a.Kind...)
	dst = append(dst, `":`...)
	dst = appendJSONString(dst, string(a.Value))
	if len(t.rest) > 0 {
		dst = append(dst, ',')
		dst = append(dst, t.rest...)
	}
	return append(dst, `}}`...)
}

// appendJSONString quotes printable ASCII, which is all that an address may
// hold ([CheckAddress]); conditions bring quotes.
func appendJSONString(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c < ' ':
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}
