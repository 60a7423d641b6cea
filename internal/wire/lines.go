package wire

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// ErrLineTooLong says that a line has more bytes than are taken. It has been
// passed over, and reading can go on.
var ErrLineTooLong = errors.New("line is too long")

// LineReader cuts NDJSON from outside into lines, in constant memory. It takes
// LF and CRLF, a last line without either, and a UTF-8 byte order mark before
// the first line (https://github.com/ndjson/ndjson-spec, and what Windows
// programs write). It is not safe for concurrent use.
type LineReader struct {
	r     *bufio.Reader
	most  int
	begun bool
}

// NewLineReader returns a reader of lines that have at most most bytes without
// their terminator. It buffers as much, and reads ahead.
func NewLineReader(r io.Reader, most int) *LineReader {
	return &LineReader{r: bufio.NewReaderSize(r, len(bom)+most+crlf), most: most}
}

// Next returns the next line without its terminator; the bytes are valid until
// the next call. A blank line comes back empty or as its white space. Errors are
// [ErrLineTooLong], io.EOF after the last line, or the stream's own: then what
// had arrived of a line is dropped, because the rest of it is unknown.
func (l *LineReader) Next() ([]byte, error) {
	line, err := l.r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return nil, l.pass()
	}
	if err != nil && (!errors.Is(err, io.EOF) || len(line) == 0) {
		if errors.Is(err, io.EOF) {
			return nil, io.EOF
		}
		return nil, fmt.Errorf("read a line: %w", err)
	}
	line = bytes.TrimSuffix(line, []byte("\n"))
	line = bytes.TrimSuffix(line, []byte("\r"))
	if !l.begun {
		l.begun = true
		line = bytes.TrimPrefix(line, []byte(bom))
	}
	if len(line) > l.most {
		return nil, ErrLineTooLong
	}
	return line, nil
}

// bom is a UTF-8 byte order mark.
const bom = "\xef\xbb\xbf"

// pass drops the rest of a line that filled the buffer.
func (l *LineReader) pass() error {
	l.begun = true
	for {
		switch _, err := l.r.ReadSlice('\n'); {
		case err == nil, errors.Is(err, io.EOF):
			return ErrLineTooLong
		case errors.Is(err, bufio.ErrBufferFull):
		default:
			return fmt.Errorf("read a line: %w", err)
		}
	}
}

// Ready reports whether a whole line has arrived already, so that Next will not
// wait for the stream.
func (l *LineReader) Ready() bool {
	arrived, err := l.r.Peek(l.r.Buffered())
	return err == nil && bytes.IndexByte(arrived, '\n') >= 0
}

// Blank reports whether a line holds white space only (that of RFC 8259 §2).
func Blank(line []byte) bool { return len(bytes.Trim(line, " \t\r")) == 0 }
