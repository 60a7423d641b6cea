// Package wire is the versioned JSON of what travels on queues and topics and
// of what waits in pages: tasks for fanout, chunks for deliver, dead letters,
// and CloudEvents in and out.
//
// Everything that this package encodes is ASCII: characters beyond it are
// escaped, because SQS and SNS allow only what XML 1.0 allows. Decoding takes
// any valid JSON of a version it knows; a newer version is
// [push.ErrNewerSchema], anything else that cannot be read is [ErrForeign], and
// the caller keeps the bytes.
package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/request"
	"github.com/belfry-push/belfry/internal/strict"
)

// Version is the envelope version that this program writes, and the newest one
// that it reads, but for a dead letter whose body does not fit as it is: see
// [EncodeDeadLetter].
const Version = 1

// MaxMessage is how many bytes a queue message holds at the most: SQS's limit
// (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html).
const MaxMessage = 1 << 20

// ErrForeign says that the bytes are not a message of ours.
var ErrForeign = errors.New("not a Belfry message")

// The types of envelope.
const (
	typeTask       = "task"
	typeChunk      = "chunk"
	typeDeadLetter = "dead_letter"
	typeRecipients = "recipients"
)

// envelope is what every message begins with.
type envelope struct {
	V    int    `json:"v"`
	Type string `json:"type"`
	// TraceParent is the W3C traceparent of the request that caused the message.
	TraceParent string `json:"traceparent,omitempty"`
}

// TraceParentOf returns the traceparent in the envelope of a message that this package has
// encoded, "" if there is none. It looks only where encoding puts it: whoever carries a message
// need not read all of it.
func TraceParentOf(body []byte) string {
	const near = 64 // behind version and type
	const mark = `"traceparent":"`
	head := body[:min(len(body), near)]
	at := bytes.Index(head, []byte(mark))
	if at < 0 || !bytes.HasPrefix(head, []byte(`{"v":`)) {
		return ""
	}
	text, _, _ := bytes.Cut(body[at+len(mark):], []byte{'"'})
	return string(text)
}

func (e envelope) check(want string) error {
	switch {
	case e.Type != want:
		return fmt.Errorf("%w: type is %q, not %q", ErrForeign, clip(e.Type), want)
	case e.V > newest(want):
		return fmt.Errorf("%s of version %d, this program reads up to %d: %w", want, e.V, newest(want), push.ErrNewerSchema)
	case e.V < 1:
		return fmt.Errorf("%w: version is %d", ErrForeign, e.V)
	}
	return nil
}

// newest returns the newest version of a type that this program reads.
func newest(kind string) int {
	if kind == typeDeadLetter {
		return packedVersion
	}
	return Version
}

func decode(data []byte, want string, into any, head *envelope) error {
	err := json.Unmarshal(data, into) //nolint:forbidigo // our own, ASCII; what is foreign is kept byte for byte
	if newer := head.check(want); err == nil || errors.Is(newer, push.ErrNewerSchema) {
		// A field that changed its type is an error of encoding/json, which reads
		// the other fields all the same: the version explains it.
		return newer
	}
	return unreadable(data, err)
}

// unreadable says why bytes are not what they were taken for, in the words of
// JSON: what encoding/json says names types of Go.
func unreadable(data []byte, err error) error {
	if bad := request.CheckJSON(data); bad != nil {
		return fmt.Errorf("%w: %s", ErrForeign, bad)
	}
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Errorf("%w: /%s is of a wrong type (%s)", ErrForeign, strings.ReplaceAll(wrong.Field, ".", "/"), clip(wrong.Value))
	}
	return fmt.Errorf("%w: a field has a value that it can't have", ErrForeign)
}

func encode(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode an envelope: %w", err)
	}
	return ASCII(b), nil
}

// ASCII escapes every character beyond ASCII in a JSON text as \uXXXX; such
// characters can only stand inside its strings. Text that is ASCII already
// comes back as it is, not copied.
func ASCII(b []byte) []byte {
	i := 0
	for i < len(b) && b[i] < utf8.RuneSelf && b[i] != 0x7f {
		i++
	}
	if i == len(b) {
		return b
	}
	out := append(make([]byte, 0, len(b)+len(b)/4), b[:i]...)
	for i < len(b) {
		if c := b[i]; c < utf8.RuneSelf && c != 0x7f {
			out = append(out, c)
			i++
			continue
		}
		r, n := utf8.DecodeRune(b[i:])
		out = appendEscaped(out, r)
		i += n
	}
	return out
}

func appendEscaped(out []byte, r rune) []byte {
	const surrogates, span = 0x10000, 0x400
	if r < surrogates {
		return appendU16(out, r)
	}
	r -= surrogates
	return appendU16(appendU16(out, 0xd800+r/span), 0xdc00+r%span)
}

func appendU16(out []byte, r rune) []byte {
	const hex = "0123456789abcdef"
	return append(out, '\\', 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15])
}

func clip(s string) string {
	const most = 40
	return strict.Clip(s, most)
}
