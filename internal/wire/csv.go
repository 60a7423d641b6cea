package wire

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// RowError says that a record is not CSV. It has been passed over, and reading
// can go on.
type RowError struct{ Detail string }

// Error implements error.
func (e *RowError) Error() string { return e.Detail }

// RowReader cuts CSV from outside into records, in constant memory (RFC 4180,
// with LF as well as CRLF, and a UTF-8 byte order mark in front). encoding/csv
// does not fit here: a quotation mark that is never closed makes it read the
// whole stream into memory. It is not safe for concurrent use.
type RowReader struct {
	r     *bufio.Reader
	most  int
	begun bool

	record []byte   // in hand; of several lines, or with quotation marks
	raw    []byte   // the record as it came, with its terminator
	cells  [][]byte // of the record
	lines  int64    // line breaks up to here
	first  int64    // line that the record began on
}

// NewRowReader returns a reader of records that have at most most bytes without
// their terminator. It buffers as much, and reads ahead.
func NewRowReader(r io.Reader, most int) *RowReader {
	return &RowReader{r: bufio.NewReaderSize(r, most+crlf), most: most}
}

// Next goes to the next record. Errors are [ErrLineTooLong], a [RowError],
// io.EOF after the last record, or the stream's own: then what had arrived of a
// record is dropped, because the rest of it is unknown.
//
// A quotation mark that opens a cell and is never closed takes what follows
// into the cell, line breaks included, up to the next one or to the end.
func (r *RowReader) Next() error {
	r.first, r.record = r.lines+1, r.record[:0]
	state, long := cellStart, false
	for {
		part, err := r.r.ReadSlice('\n')
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) && !errors.Is(err, io.EOF) {
			return fmt.Errorf("read a record: %w", err)
		}
		if !r.begun {
			r.begun = true
			part = bytes.TrimPrefix(part, []byte(bom))
		}
		ended := err == nil
		if ended {
			r.lines++
		}
		if ended && len(r.record) == 0 && !long && bytes.IndexByte(part, '"') < 0 {
			r.raw = part
			return r.verdict(unquoted, false)
		}
		state = state.over(part)
		if long = long || len(r.record)+len(part) > r.most+crlf; !long {
			r.record = append(r.record, part...)
		}
		r.raw = r.record
		switch {
		case errors.Is(err, io.EOF):
			if len(r.record) == 0 && !long {
				return io.EOF
			}
			return r.verdict(state, long)
		case ended && state != quoted:
			return r.verdict(state, long)
		}
	}
}

// verdict says whether the record in hand can be read.
func (r *RowReader) verdict(state csvState, long bool) error {
	switch {
	case state == quoted:
		return &RowError{
			fmt.Sprintf("a cell's opening quotation mark is not closed before the end of the file, %d line breaks later", r.lines-r.first+1),
		}
	case long, len(bare(r.raw)) > r.most:
		return ErrLineTooLong
	case state == broken:
		return &RowError{`a quotation mark must open a cell and close it; inside a cell in quotation marks it is written twice`}
	}
	return nil
}

// Raw returns the record that Next came to as it stands in the stream, with its
// terminator; of one that is too long it is a part. It is valid until Cells or
// Next is called.
func (r *RowReader) Raw() []byte { return r.raw }

// Line returns the line of the stream that the record began on, from 1.
func (r *RowReader) Line() int64 { return r.first }

// Ready reports whether a whole line has arrived already, so that Next will
// probably not wait for the stream.
func (r *RowReader) Ready() bool {
	arrived, err := r.r.Peek(r.r.Buffered())
	return err == nil && bytes.IndexByte(arrived, '\n') >= 0
}

// Cells returns the cells of the record that Next came to without an error,
// none for an empty line; they are valid until the next call. It may be called
// once for a record: it takes the quotation marks out in place.
func (r *RowReader) Cells() [][]byte {
	r.cells = r.cells[:0]
	rest := bare(r.raw)
	if len(rest) == 0 {
		return nil
	}
	for {
		var cell []byte
		if len(rest) > 0 && rest[0] == '"' {
			cell, rest = unquote(rest)
		} else {
			end := bytes.IndexByte(rest, ',')
			if end < 0 {
				end = len(rest)
			}
			cell, rest = rest[:end], rest[end:]
		}
		r.cells = append(r.cells, cell)
		if len(rest) == 0 {
			return r.cells
		}
		rest = rest[1:] // the comma; behind it there is a cell in any case
	}
}

// unquote reads a cell in quotation marks, in place, and returns it and what is
// behind it.
func unquote(text []byte) (cell, rest []byte) {
	to := 0
	for i := 1; i < len(text); i++ {
		if text[i] == '"' {
			if i++; i == len(text) || text[i] != '"' {
				return text[:to], text[i:]
			}
		}
		text[to] = text[i]
		to++
	}
	return text[:to], nil
}

// crlf is the length of the longer terminator.
const crlf = 2

// bare cuts the terminator off.
func bare(record []byte) []byte {
	return bytes.TrimSuffix(bytes.TrimSuffix(record, []byte("\n")), []byte("\r"))
}

// csvState is where in a record a byte stands.
type csvState uint8

const (
	cellStart csvState = iota
	unquoted           // inside a cell without quotation marks
	quoted             // inside a cell with them
	closing            // behind one that closes the cell, or is the first of two
	returning          // behind the CR after a cell with quotation marks
	broken             // a quotation mark stands where none may
)

// over returns the state behind a part of the record.
func (s csvState) over(part []byte) csvState {
	for _, c := range part {
		s = s.after(c)
	}
	return s
}

func (s csvState) after(c byte) csvState {
	switch s {
	case cellStart, unquoted:
		switch {
		case c == ',':
			return cellStart
		case c != '"':
			return unquoted
		case s == cellStart:
			return quoted
		}
	case quoted:
		if c == '"' {
			return closing
		}
		return quoted
	case closing:
		switch c {
		case '"':
			return quoted
		case ',':
			return cellStart
		case '\r':
			return returning
		case '\n':
			return closing
		}
	case returning:
		if c == '\n' {
			return closing
		}
	case broken:
	}
	return broken
}
