package client

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// maxEventLine bounds a line of an event stream. The largest, how a batch
// stands, has a few kilobytes.
const maxEventLine = 1 << 20

// sseEvent is one server-sent event.
type sseEvent struct {
	id, name string
	data     string
}

// sseReader reads server-sent events
// (https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation).
type sseReader struct {
	lines *bufio.Scanner
	id    string        // last event id, also of events that had none
	retry time.Duration // as the server asks; 0 if it does not
	begun bool

	// position is told an id that comes without an event, if it is not nil: where to go on from.
	position func(id string)
}

func newSSEReader(r io.Reader) *sseReader {
	s := &sseReader{lines: bufio.NewScanner(r)}
	const usual = 4 << 10
	s.lines.Buffer(make([]byte, 0, usual), maxEventLine)
	s.lines.Split(sseLine)
	return s
}

// sseLine splits at CR, LF and CRLF. A CR at the end of what was read may be
// half a CRLF, so it waits for the next byte.
func sseLine(data []byte, atEOF bool) (advance int, token []byte, err error) {
	for i, c := range data {
		switch {
		case c == '\n':
			return i + 1, data[:i], nil
		case c == '\r' && i+1 < len(data):
			if data[i+1] == '\n' {
				return i + 2, data[:i], nil
			}
			return i + 1, data[:i], nil
		case c == '\r' && atEOF:
			return i + 1, data[:i], nil
		}
	}
	if atEOF {
		return len(data), nil, nil // an unfinished line is no line
	}
	return 0, nil, nil
}

// next returns the next event that has data. The error is io.EOF at the end of
// the stream; an event that it cuts in half is dropped.
func (s *sseReader) next() (sseEvent, error) {
	var e sseEvent
	var data []string
	told := s.id
	for s.lines.Scan() {
		line := s.lines.Text()
		if !s.begun {
			line, s.begun = strings.TrimPrefix(line, "\ufeff"), true
		}
		if line == "" {
			if data == nil {
				if s.id != told && s.position != nil {
					told = s.id
					s.position(s.id)
				}
				e.name = ""
				continue
			}
			e.id, e.data = s.id, strings.Join(data, "\n")
			return e, nil
		}
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "event":
			e.name = value
		case "data":
			data = append(data, value)
		case "id":
			if !strings.Contains(value, "\x00") {
				s.id = value
			}
		case "retry":
			if ms, err := strconv.ParseUint(value, 10, 31); err == nil {
				s.retry = time.Duration(ms) * time.Millisecond
			}
		}
	}
	if err := s.lines.Err(); err != nil {
		if errors.Is(err, bufio.ErrTooLong) {
			return e, fmt.Errorf("an event has a line of more than %d bytes", maxEventLine)
		}
		return e, err
	}
	return e, io.EOF
}
