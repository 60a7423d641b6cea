package cli

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/belfry-push/belfry/client"
)

// csvSource turns rows (RFC 4180, with a header) into recipients. The columns
// are token, fid, user_id, device_id, locale, collapse_id and data.<key>; an
// empty cell says nothing.
type csvSource struct {
	r       *csv.Reader
	columns []string
}

// addressColumns are those of which a file needs one.
func addressColumns() []string { return []string{"token", "fid", "user_id", "device_id"} }

func newCSV(r io.Reader) (*csvSource, error) {
	s := &csvSource{r: csv.NewReader(r)}
	s.r.ReuseRecord = true
	header, err := s.r.Read()
	if errors.Is(err, io.EOF) {
		return nil, usagef("the file is empty; its first row must name the columns")
	}
	if err != nil {
		return nil, fmt.Errorf("header row: %w", err)
	}
	addresses := 0
	for i, name := range header {
		name = strings.TrimSpace(name)
		key, isData := strings.CutPrefix(name, "data.")
		switch {
		case slices.Contains(s.columns, name):
			return nil, usagef("column %d: there is a %q already", i+1, name)
		case slices.Contains(addressColumns(), name):
			addresses++
		case isData && key != "", name == "locale", name == "collapse_id":
		default:
			return nil, usagef("column %d: must be %s, locale, collapse_id or data.<key>, separated by commas (got %q)",
				i+1, strings.Join(addressColumns(), ", "), name)
		}
		s.columns = append(s.columns, name)
	}
	if addresses == 0 {
		return nil, usagef("the header must name a column %s", strings.Join(addressColumns(), ", "))
	}
	return s, nil
}

func (s *csvSource) next() ([]byte, int64, error) {
	row, err := s.r.Read()
	if bad, ok := errors.AsType[*csv.ParseError](err); ok {
		at := int64(bad.StartLine)
		if errors.Is(bad.Err, csv.ErrFieldCount) {
			return nil, at, &lineError{at, fmt.Sprintf("must have %d cells, as the header has (got %d)", len(s.columns), len(row))}
		}
		return nil, at, &lineError{at, bad.Err.Error()}
	}
	if err != nil {
		return nil, 0, err
	}
	line, _ := s.r.FieldPos(0)
	at := int64(line)
	var rec client.Recipient
	for i, cell := range row {
		if !utf8.ValidString(cell) {
			return nil, at, &lineError{at, fmt.Sprintf("column %q: must be UTF-8", s.columns[i])}
		}
		if cell != "" {
			set(&rec, s.columns[i], cell)
		}
	}
	out, err := json.Marshal(rec)
	return out, at, err
}

func set(r *client.Recipient, column, cell string) {
	switch column {
	case "token":
		r.Token = cell
	case "fid":
		r.FID = cell
	case "user_id":
		r.UserID = cell
	case "device_id":
		r.DeviceID = cell
	case "locale":
		r.Locale = cell
	case "collapse_id":
		r.CollapseID = cell
	default:
		if r.Data == nil {
			r.Data = map[string]string{}
		}
		r.Data[strings.TrimPrefix(column, "data.")] = cell
	}
}
