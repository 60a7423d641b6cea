package batch

import (
	"errors"
	"fmt"
	"io"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/request"
	"github.com/belfry-push/belfry/internal/wire"
)

// Format is the format of an upload's stream.
type Format uint8

// The formats.
const (
	// NDJSON has a JSON object a line. Every line break ends a line, and blank
	// lines have a number too.
	NDJSON Format = iota
	// CSV has a header row, see [push.Columns], and then a record per recipient. The
	// header is no line of the batch: the first record has the number that the upload
	// begins with. A record over several lines has one number, and so has an empty line.
	CSV
)

// lines is the source of an upload's lines.
type lines interface {
	// next goes to the next line. Errors are io.EOF, [push.Faults] if the stream
	// as a whole is not of the format, and the stream's own.
	next() error
	// decode reads the current line. It returns a recipient, a fault, or neither for a
	// blank line; a recipient with a fault means a warning about a value that was left
	// out. It is called once for a line, or not at all.
	decode() (*push.Recipient, *push.Fault)
	// ready reports whether next will not wait for the stream.
	ready() bool
}

func (f Format) lines(r io.Reader) lines {
	if f == CSV {
		return &csvLines{rows: wire.NewRowReader(r, request.MaxRecipientLine)}
	}
	return &jsonLines{r: wire.NewLineReader(r, request.MaxRecipientLine)}
}

// jsonLines reads NDJSON.
type jsonLines struct {
	r       *wire.LineReader
	line    []byte
	tooLong bool
}

func (l *jsonLines) ready() bool { return l.r.Ready() }

func (l *jsonLines) next() error {
	var err error
	l.line, err = l.r.Next()
	if l.tooLong = errors.Is(err, wire.ErrLineTooLong); l.tooLong {
		return nil
	}
	return err
}

func (l *jsonLines) decode() (*push.Recipient, *push.Fault) {
	if l.tooLong {
		return nil, tooLong()
	}
	if wire.Blank(l.line) {
		return nil, nil
	}
	return judge(request.DecodeRecipient(l.line))
}

// csvLines reads CSV.
type csvLines struct {
	rows    *wire.RowReader
	columns request.Columns
	fault   *push.Fault // of the row at hand
}

func (l *csvLines) ready() bool { return l.rows.Ready() }

func (l *csvLines) next() error {
	if l.columns == nil {
		if err := l.header(); err != nil {
			return err
		}
	}
	l.fault = nil
	err := l.rows.Next()
	if bad, ok := errors.AsType[*wire.RowError](err); ok {
		l.fault = &push.Fault{Code: push.FaultSyntax, Detail: bad.Detail}
		return nil
	}
	if errors.Is(err, wire.ErrLineTooLong) {
		l.fault = tooLong()
		return nil
	}
	return err
}

// header reads the first record.
func (l *csvLines) header() error {
	err := l.rows.Next()
	bad, notCSV := errors.AsType[*wire.RowError](err)
	switch {
	case errors.Is(err, io.EOF):
		return push.Faults{{Code: push.FaultMissing, Detail: "header row: there is none; the first row must name the columns"}}
	case notCSV:
		return push.Faults{{Code: push.FaultValue, Detail: "header row: " + bad.Detail}}
	case errors.Is(err, wire.ErrLineTooLong):
		return push.Faults{{Code: push.FaultTooLarge, Detail: "header row: " + tooLong().Detail}}
	case err != nil:
		return err
	}
	l.columns, err = request.ParseColumns(l.rows.Cells())
	return err
}

func (l *csvLines) decode() (*push.Recipient, *push.Fault) {
	if l.fault != nil {
		return nil, l.fault
	}
	cells := l.rows.Cells()
	if cells == nil {
		return nil, nil
	}
	return judge(l.columns.Recipient(cells))
}

func tooLong() *push.Fault {
	return &push.Fault{Code: push.FaultTooLarge, Detail: fmt.Sprintf("must be at most %d bytes", request.MaxRecipientLine)}
}

// judge returns the result of decoding a line. Of several faults it keeps the first and
// counts the others.
func judge(r push.Recipient, err error) (*push.Recipient, *push.Fault) {
	if err == nil {
		return &r, r.Normalize()
	}
	f := push.Fault{Code: push.FaultSyntax, Detail: err.Error()}
	if faults, ok := errors.AsType[push.Faults](err); ok && len(faults) > 0 {
		if f = faults[0]; len(faults) > 1 {
			f.Detail = fmt.Sprintf("%s (and %d more)", f.Detail, len(faults)-1)
		}
	}
	f.Pointer = clip(f.Pointer)
	f.Detail = clip(f.Detail)
	return nil, &f
}
