package message

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// Template is a message encoded once and sent to many: the JSON of FCM's send
// request with gaps where the target goes and where time runs. It is immutable;
// Append is safe for concurrent use and allocates only when dst is too small.
type Template struct {
	// rest is the message's members without target and braces, for example
	// `"notification":{"title":"Hi"}`, and without what fills the gaps.
	rest []byte
	gaps []gap // in ascending order
}

// gap is a place in the rest where a number goes.
type gap struct {
	at   int
	what Timed
}

// NewTemplate cuts a template from the JSON object of a message that has no
// target and no space between its tokens. timed are the values that count down;
// it is an error if one of them is not where [Complete] put it.
func NewTemplate(message []byte, timed Timed) (Template, error) {
	if len(message) < 2 {
		return Template{}, nil
	}
	t := Template{rest: message[1 : len(message)-1]}
	if timed == 0 {
		return t, nil
	}
	gaps, err := findGaps(message, timed)
	if err != nil {
		return Template{}, err
	}
	t.rest = nil
	from := 1
	for _, g := range gaps {
		t.rest = append(t.rest, message[from:g.from]...)
		t.gaps = append(t.gaps, gap{len(t.rest), g.what})
		from = g.to
	}
	t.rest = append(t.rest, message[from:len(message)-1]...)
	return t, nil
}

// number is where the digits of a timed value stand.
type number struct {
	from, to int
	what     Timed
}

// findGaps finds the digits of timed values.
func findGaps(message []byte, timed Timed) ([]number, error) {
	places := map[Timed][]string{
		TimedAndroid: {"android", "ttl"},
		TimedAPNs:    {"apns", "headers", HeaderExpiration},
		TimedWeb:     {"webpush", "headers", HeaderTTL},
	}
	var found []number
	for what, path := range places {
		if timed&what == 0 {
			continue
		}
		value, end, err := valueAt(message, path)
		if err != nil {
			return nil, fmt.Errorf("find %v in the encoded message: %w", path, err)
		}
		count := len(value)
		for !digits(value[:count]) && count > 0 {
			count--
		}
		from := end - len(`"`) - len(value)
		found = append(found, number{from, from + count, what})
	}
	slices.SortFunc(found, func(a, b number) int { return a.from - b.from })
	return found, nil
}

// valueAt returns the text at a path of names, which has no escapes, and the
// position behind its closing quote.
func valueAt(message []byte, path []string) (value string, end int, err error) {
	dec := json.NewDecoder(bytes.NewReader(message))
	if _, err := dec.Token(); err != nil { // the opening brace
		return "", 0, err
	}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return "", 0, err
		}
		if name != path[0] {
			var skipped json.RawMessage
			if err := dec.Decode(&skipped); err != nil {
				return "", 0, err
			}
			continue
		}
		token, err := dec.Token()
		if err != nil {
			return "", 0, err
		}
		if path = path[1:]; len(path) == 0 {
			value, ok := token.(string)
			if !ok {
				break
			}
			return value, int(dec.InputOffset()), nil
		}
	}
	return "", 0, errors.New("it is not there")
}

// Append appends the whole request body of projects.messages:send
// (https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages/send)
// for one target, a kind (token, fid, topic or condition) and its value, as it is
// at the time now. deadline is looked at only if the template has timed values.
func (t *Template) Append(dst []byte, kind, value string, deadline, now time.Time) []byte {
	dst = append(dst, `{"message":{"`...)
	dst = append(dst, kind...)
	dst = append(dst, `":`...)
	dst = appendJSONString(dst, value)
	if len(t.rest) > 0 {
		dst = append(dst, ',')
	}
	from := 0
	for _, g := range t.gaps {
		dst = append(dst, t.rest[from:g.at]...)
		if g.what == TimedAPNs {
			dst = strconv.AppendInt(dst, Expiration(now, deadline), 10)
		} else {
			dst = strconv.AppendInt(dst, SecondsLeft(now, deadline), 10)
		}
		from = g.at
	}
	dst = append(dst, t.rest[from:]...)
	return append(dst, `}}`...)
}

// appendJSONString quotes printable ASCII, which is all that an address may
// hold; conditions bring quotes.
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
