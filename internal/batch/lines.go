package batch

import (
	"errors"
	"fmt"
	"io"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
)

// Format is what an upload's stream consists of.
type Format uint8

// The formats.
const (
	// NDJSON has a JSON object a line. Every line break ends a line, and blank
	// lines have a number too.
	NDJSON Format = iota
	// CSV has a header row, see [push.Columns], and then a recipient a record.
	// The header is no line of the batch: the record behind it has the number
	// that the upload begins with. A record that goes over several lines has one
	// number, an empty line has one of its own.
	CSV
)

// lines is where an upload's lines come from.
type lines interface {
	// next goes to the next line. Errors are io.EOF, [push.Faults] if the stream
	// as a whole is not of the format, and the stream's own.
	next() error
	// decode reads the line that next came to: a recipient, what is wrong with
	// it, or neither if it is blank. It may be left out, or called once.
	decode() (*push.Recipient, *push.Fault)
	// ready tells whether next will not wait for the stream.
	ready() bool
}

func (f Format) lines(r io.Reader) lines {
	if f == CSV {
		return &csvLines{rows: wire.NewRowReader(r, push.MaxRecipientLine)}
	}
	return &jsonLines{r: wire.NewLineReader(r, push.MaxRecipientLine)}
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
	return judge(push.DecodeRecipient(l.line))
}

// csvLines reads CSV.
type csvLines struct {
	rows    *wire.RowReader
	columns push.Columns
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
	l.columns, err = push.ParseColumns(l.rows.Cells())
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
	return &push.Fault{Code: push.FaultTooLarge, Detail: fmt.Sprintf("must be at most %d bytes", push.MaxRecipientLine)}
}

// judge is the verdict on a line. Of several faults the first is kept and the
// others are counted.
func judge(r push.Recipient, err error) (*push.Recipient, *push.Fault) {
	if err == nil {
		return &r, nil
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
