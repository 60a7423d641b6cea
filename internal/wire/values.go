package wire

import (
	"bytes"
	"encoding/json"

	"github.com/belfry-push/belfry/internal/push"
)

// Nearly all bytes of a chunk or page are its array of plain tokens, and
// encoding/json walks each of them three times. So that array is read here, and
// encoding/json gets the rest of the message with stand in its place.
//
// A quotation mark inside a JSON string is always escaped, so open can't be
// found within one. It may still be somewhere else than where the array belongs,
// or be overruled by a second one: then stand is not what encoding/json reports
// as the values, and the whole message is read the plain way. Stand itself can
// be written in JSON in one way only, and no message that has it goes this way.
const (
	valuesOpen  = `"values":["`
	valuesStand = "\x00"
	standJSON   = `"\u0000"`
)

// decodeColumns is decode for a message that embeds cols.
func decodeColumns(data []byte, want string, into any, head *envelope, cols *columns) error {
	if rest, values := withoutValues(data); values != nil {
		err := json.Unmarshal(rest, into) //nolint:forbidigo // as in decode
		if err == nil && len(cols.Values) == 1 && cols.Values[0] == valuesStand {
			cols.Values = values
			return head.check(want)
		}
		*head, *cols = envelope{}, columns{}
	}
	return decode(data, want, into, head)
}

// withoutValues returns the message with stand in place of its values, and the
// values; nil if they are not plain.
func withoutValues(data []byte) (rest []byte, values []push.Token) {
	at := bytes.Index(data, []byte(valuesOpen))
	if at < 0 {
		return nil, nil
	}
	begin := at + len(valuesOpen) - 1
	values, size := plainStrings(data[begin:])
	if values == nil {
		return nil, nil
	}
	before, after := data[:begin], data[begin+size:]
	nul := []byte(standJSON[1 : len(standJSON)-1])
	if bytes.Contains(before, nul) || bytes.Contains(after, nul) {
		return nil, nil
	}
	rest = make([]byte, 0, len(before)+len(standJSON)+len(after))
	rest = append(rest, before...)
	rest = append(rest, standJSON...)
	return append(rest, after...), values
}

// plainStrings reads JSON strings of printable ASCII without escapes, with a
// comma and nothing else between each two, up to a closing bracket. It returns
// them and how many bytes they take, without the bracket; nil if data is
// anything else.
//
// They share the memory of one string: a copy of its own for each of hundreds of
// tokens is half of what a chunk allocates.
func plainStrings(data []byte) (values []push.Token, size int) {
	var text push.Token
	for i := 0; ; i++ {
		if i >= len(data) || data[i] != '"' {
			return nil, 0
		}
		i++
		begin := i
		for i < len(data) && plain(data[i]) {
			i++
		}
		if i+1 >= len(data) || data[i] != '"' {
			return nil, 0
		}
		if values == nil { // the others are about as long, or no shorter than this
			const least = 32
			values = make([]push.Token, 0, 1+len(data)/max(least, i-begin))
			text = push.Token(data)
		}
		values = append(values, text[begin:i])
		switch i++; data[i] {
		case ',':
		case ']':
			return values, i
		default:
			return nil, 0
		}
	}
}

func plain(c byte) bool { return c >= ' ' && c <= '~' && c != '"' && c != '\\' }
