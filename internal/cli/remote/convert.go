package remote

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/belfry-push/belfry/internal/cli/display"
	"github.com/belfry-push/belfry/internal/request"
	"github.com/belfry-push/belfry/internal/strict"
	"github.com/belfry-push/belfry/internal/wire"
)

// listSource makes a line of NDJSON of each line of a list.
type listSource struct {
	lines *wire.LineReader
	field string // token or user_id
	at    int64
}

func (s *listSource) next() ([]byte, int64, error) {
	line, err := s.lines.Next()
	s.at++
	switch {
	case errors.Is(err, wire.ErrLineTooLong):
		return tooLong(), s.at, nil
	case err != nil:
		return nil, s.at, err
	}
	if line = bytes.TrimSpace(line); len(line) == 0 || strict.InvalidUTF8(string(line)) >= 0 {
		return line, s.at, nil // blank, or the server's to refuse
	}
	return valued(s.field, string(line)), s.at, nil
}

// valued is a recipient that one value says.
func valued(field, value string) []byte {
	line, err := json.Marshal(map[string]string{field: value})
	if err != nil { // text always encodes
		panic(err)
	}
	return line
}

// arraySource makes a line of NDJSON of each element of a JSON array: objects as they are,
// texts as tokens.
type arraySource struct {
	dec *json.Decoder
	in  *bounded
	at  int64
}

func newArraySource(in io.Reader) (*arraySource, error) {
	b := &bounded{r: in}
	s := &arraySource{dec: json.NewDecoder(b), in: b} //nolint:forbidigo // it cuts; the server reads strictly
	b.renew()
	if _, err := s.dec.Token(); err != nil {
		return nil, fmt.Errorf("read the JSON array: %w", err)
	}
	return s, nil
}

func (s *arraySource) next() ([]byte, int64, error) {
	s.in.renew()
	s.at++
	if !s.dec.More() {
		if _, err := s.dec.Token(); err != nil {
			return nil, s.at, fmt.Errorf("the JSON array does not end: %w", cutShort(err))
		}
		return nil, s.at, io.EOF
	}
	var element json.RawMessage
	if err := s.dec.Decode(&element); err != nil {
		return nil, s.at, fmt.Errorf("element %d of the JSON array: %w", s.at, cutShort(err))
	}
	if len(element) > 0 && element[0] == '"' {
		return append(append([]byte(`{"token":`), element...), '}'), s.at, nil
	}
	var line bytes.Buffer
	if err := json.Compact(&line, element); err != nil {
		return nil, s.at, fmt.Errorf("element %d of the JSON array: %w", s.at, err)
	}
	return line.Bytes(), s.at, nil
}

// cutShort is an error inside a value: the end of the file is none of the list there.
func cutShort(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// cellSource makes records with commas of a table with other separators.
type cellSource struct {
	rows *csv.Reader
	in   *bounded
	at   int64 // line of the record in hand
}

// newCellSource returns the source behind the header, and the header with commas.
func newCellSource(in io.Reader, comma rune) (*cellSource, []byte, error) {
	b := &bounded{r: in}
	s := &cellSource{rows: csv.NewReader(b), in: b}
	s.rows.Comma, s.rows.FieldsPerRecord, s.rows.ReuseRecord = comma, -1, true
	header, _, err := s.next()
	if err != nil {
		return nil, nil, fmt.Errorf("header row: %w", err)
	}
	header = bytes.TrimPrefix(header, []byte("\ufeff"))
	if _, err := (&csvSource{rows: wire.NewRowReader(bytes.NewReader(header), request.MaxRecipientLine)}).header(); err != nil {
		return nil, nil, err
	}
	return s, header, nil
}

func (s *cellSource) next() ([]byte, int64, error) {
	s.in.renew()
	cells, err := s.rows.Read()
	if err != nil {
		if parse, ok := errors.AsType[*csv.ParseError](err); ok {
			return nil, int64(parse.StartLine), display.Usagef("%s: quotation marks enclose a whole cell, and are written twice inside one",
				parse.Error())
		}
		return nil, s.at, err
	}
	at, _ := s.rows.FieldPos(0)
	s.at = int64(at)
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	if err := w.Write(cells); err != nil {
		return nil, s.at, err
	}
	if w.Flush(); out.Len() > request.MaxRecipientLine {
		return tooLong(), s.at, nil
	}
	return bytes.TrimRight(out.Bytes(), "\n"), s.at, nil
}

// bounded bounds how much is read for one record: what never ends, as a quotation mark that is
// never closed, must not fill the memory.
type bounded struct {
	r    io.Reader
	left int
}

// renew begins the next record.
func (b *bounded) renew() {
	const ahead = 64 << 10 // that readers buffer
	b.left = request.MaxRecipientLine + ahead
}

// Read implements io.Reader.
func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, fmt.Errorf("it is longer than %d bytes, as a quotation mark or bracket that is not closed makes it", request.MaxRecipientLine)
	}
	n, err := b.r.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}
