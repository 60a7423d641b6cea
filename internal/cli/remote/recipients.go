package remote

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/belfry-push/belfry/internal/cli/display"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/request"
	"github.com/belfry-push/belfry/internal/wire"
)

// source yields the lines of a file as those of an upload: the first is the
// first that gets a number, and none is left out, so that numbers are the same
// however often the file is read.
type source interface {
	// next returns a line, valid until the next call, and the line of the file
	// that it begins on, from 1. The error is io.EOF at the end, or final.
	next() (line []byte, at int64, err error)
}

// recipients is where the recipients of a batch come from.
type recipients struct {
	name   string
	size   int64    // 0: unknown
	read   *counter // of the file, compressed or not
	header []byte   // of CSV; nil for NDJSON
	note   string   // how it is read, where that is not plain
	source source
	close  func() error
}

// openRecipients opens a file, or standard input for -. What is compressed with
// gzip or zstd is decompressed. The format auto is what [recognise] finds.
func openRecipients(name, format string, in io.Reader) (*recipients, error) {
	r := &recipients{name: name, close: func() error { return nil }}
	if name != stdinName {
		f, err := os.Open(name) //nolint:gosec // the caller's own file
		if err != nil {
			return nil, fmt.Errorf("recipients: %w", err)
		}
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
			r.size = info.Size()
		}
		in, r.close = f, f.Close
	}
	r.read = &counter{r: in}
	if err := r.open(format); err != nil {
		return nil, errors.Join(fmt.Errorf("recipients: %s: %w", name, err), r.close())
	}
	return r, nil
}

func (r *recipients) open(format string) error {
	in, closing, err := decompressed(r.read)
	if err != nil {
		return err
	}
	file := r.close
	r.close = func() error {
		closing()
		return file()
	}
	text, form, note, err := recognise(in, r.name, format)
	if r.note = note; err != nil {
		return err
	}
	switch form {
	case formCSV:
		rows := &csvSource{rows: wire.NewRowReader(text, request.MaxRecipientLine)}
		r.source = rows
		r.header, err = rows.header()
	case formSemi, formTabs:
		comma := ';'
		if form == formTabs {
			comma = '\t'
		}
		r.source, r.header, err = newCellSource(text, comma)
	case formArray:
		r.source, err = newArraySource(text)
	case formTokens:
		r.source = &listSource{lines: wire.NewLineReader(text, request.MaxRecipientLine), field: "token"}
	case formUsers:
		r.source = &listSource{lines: wire.NewLineReader(text, request.MaxRecipientLine), field: "user_id"}
	default:
		r.source = &ndjsonSource{lines: wire.NewLineReader(text, request.MaxRecipientLine)}
	}
	return err
}

// tell says how the file is read, where that is not plain.
func (r *recipients) tell(con *display.Console) {
	if r.note != "" {
		name := r.name
		if name == stdinName {
			name = "standard input"
		}
		_, _ = fmt.Fprintf(con.Err, "%s: %s\n", name, r.note)
	}
}

func isCSV(name string) bool {
	name = strings.ToLower(name)
	name = strings.TrimSuffix(strings.TrimSuffix(name, ".gz"), ".zst")
	return filepath.Ext(name) == ".csv"
}

// decompressed returns what a stream holds, which its first bytes tell better
// than its name (RFC 1952 §2.3.1, RFC 8878 §3.1.1). The function gives the
// decoder's memory back.
func decompressed(in io.Reader) (io.Reader, func(), error) {
	const magic, size = 4, 64 << 10
	// zstd itself takes no larger window than this, unless told to.
	const maxWindow = 128 << 20
	buf := bufio.NewReaderSize(in, size)
	head, err := buf.Peek(magic)
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(buf)
		return z, func() {}, err
	case bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		z, err := zstd.NewReader(buf, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, nil, err
		}
		return z, z.Close, nil
	case err != nil && !errors.Is(err, io.EOF):
		return nil, nil, err
	}
	return buf, func() {}, nil
}

// tooLong stands for a line that nobody takes: it is one byte too long as well,
// so the server refuses it, by its number and with the reason.
func tooLong() []byte { return bytes.Repeat([]byte("x"), request.MaxRecipientLine+1) }

// ndjsonSource passes lines on as they are: the server judges them.
type ndjsonSource struct {
	lines *wire.LineReader
	at    int64
}

func (s *ndjsonSource) next() ([]byte, int64, error) {
	line, err := s.lines.Next()
	s.at++
	if errors.Is(err, wire.ErrLineTooLong) {
		return tooLong(), s.at, nil
	}
	return line, s.at, err
}

// csvSource passes records on as they are: the server judges them.
type csvSource struct{ rows *wire.RowReader }

// header returns the first row. It is checked here, too, before anything is
// sent.
func (s *csvSource) header() ([]byte, error) {
	err := s.rows.Next()
	if errors.Is(err, io.EOF) {
		return nil, display.Usagef("the file is empty; its first row must name the columns")
	}
	if err != nil {
		return nil, fmt.Errorf("header row: %w", err)
	}
	row := bytes.TrimRight(bytes.Clone(s.rows.Raw()), "\r\n")
	if _, err := request.ParseColumns(s.rows.Cells()); err != nil {
		if faults, ok := errors.AsType[push.Faults](err); ok {
			return nil, display.Usagef("%s", faults[0].Detail)
		}
		return nil, err
	}
	return row, nil
}

func (s *csvSource) next() ([]byte, int64, error) {
	err := s.rows.Next()
	_, bad := errors.AsType[*wire.RowError](err)
	switch {
	case errors.Is(err, wire.ErrLineTooLong):
		return tooLong(), s.rows.Line(), nil
	case err != nil && !bad:
		return nil, s.rows.Line(), err
	}
	return s.rows.Raw(), s.rows.Line(), nil
}

// counter counts what was read.
type counter struct {
	r io.Reader
	n int64
}

// Read implements io.Reader.
func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}
