package cli

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/belfry-push/belfry/internal/push"
)

// ndjson passes lines on as they are: the server judges them. Blank lines are
// left out, lines that the server would never take are refused here.
type ndjson struct {
	r    *bufio.Reader
	at   int64
	line []byte
}

func (s *ndjson) next() ([]byte, int64, error) {
	for {
		long, err := s.fill()
		if err != nil && (!errors.Is(err, io.EOF) || len(s.line) == 0 && !long) {
			return nil, s.at + 1, err
		}
		s.at++
		if long {
			return nil, s.at, &lineError{s.at, fmt.Sprintf("must be at most %d bytes", push.MaxRecipientLine)}
		}
		if line := bytes.TrimSpace(s.line); len(line) > 0 {
			return line, s.at, nil
		}
	}
}

// fill reads one line; of one that is too long it keeps the beginning.
func (s *ndjson) fill() (long bool, err error) {
	s.line = s.line[:0]
	for {
		part, err := s.r.ReadSlice('\n')
		if len(s.line)+len(part) > push.MaxRecipientLine+1 {
			long = true
		} else {
			s.line = append(s.line, part...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return long, err
		}
	}
}
