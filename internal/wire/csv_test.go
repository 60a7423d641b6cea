package wire_test

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/belfry-push/belfry/internal/wire"
)

// records reads CSV to its end: "3 a|b" for a record that begins on line 3, and
// "3!" for one that is none.
func records(r io.Reader) ([]string, error) {
	rows := wire.NewRowReader(r, most)
	got := []string{}
	for {
		err := rows.Next()
		bad, broken := errors.AsType[*wire.RowError](err)
		switch {
		case broken && strings.Contains(bad.Detail, "not closed"):
			got = append(got, fmt.Sprintf("%d! open", rows.Line()))
		case broken:
			got = append(got, fmt.Sprintf("%d!", rows.Line()))
		case errors.Is(err, wire.ErrLineTooLong):
			got = append(got, fmt.Sprintf("%d! long", rows.Line()))
		case errors.Is(err, io.EOF):
			return got, nil
		case err != nil:
			return got, err
		default:
			got = append(got, fmt.Sprintf("%d %s", rows.Line(), bytes.Join(rows.Cells(), []byte("|"))))
		}
	}
}

func TestRows(t *testing.T) {
	t.Parallel()
	full, over := strings.Repeat("x", most), strings.Repeat("x", most+1)
	cases := []struct {
		name, text string
		want       []string
	}{
		{"nothing", "", []string{}},
		{"cells", "a,b\nc,\n,d\n,\n", []string{"1 a|b", "2 c|", "3 |d", "4 |"}},
		{"no line break at the end", "a,b", []string{"1 a|b"}},
		{"CRLF", "a,b\r\n\"c\"\r\n", []string{"1 a|b", "2 c"}},
		{"a byte order mark", "\xef\xbb\xbfa\nb", []string{"1 a", "2 b"}},
		{"a byte order mark before a quotation mark", "\xef\xbb\xbf\"a\"\n", []string{"1 a"}},
		{"empty lines", "\na\n\r\n\n", []string{"1 ", "2 a", "3 ", "4 "}},
		{"quotation marks", `"a,b","c""d",""` + "\n" + `""""`, []string{`1 a,b|c"d|`, `2 "`}},
		{"line breaks inside", "\"a\nb\",c\nd\n\"\r\n\n\"\n", []string{"1 a\nb|c", "3 d", "4 \r\n\n"}},
		{"spaces stay", " a , b \n", []string{"1  a | b "}},
		{"a stray quotation mark spoils its line only", "a\"b,c\nd\n", []string{"1!", "2 d"}},
		{"text behind a closing one", "\"a\"b\nc\n\"a\"\rb\nd", []string{"1!", "2 c", "3!", "4 d"}},
		{"a space before an opening one", "a, \"b\"\nc\n", []string{"1!", "2 c"}},
		{"one that is never closed", "a\n\"b\nc\nd", []string{"1 a", "2! open"}},
		{"just fitting", full + "\r\n" + full + "\n" + full, []string{"1 " + full, "2 " + full, "3 " + full}},
		{"one byte over", over + "\na\n" + over + "\r\n" + over, []string{"1! long", "2 a", "3! long", "4! long"}},
		{"far over", strings.Repeat(over, 9) + "\na\n" + strings.Repeat(over, 9), []string{"1! long", "2 a", "3! long"}},
		{"far over, in quotation marks", "\"" + strings.Repeat(over+"\n", 9) + "\"\na\n", []string{"1! long", "11 a"}},
		{"far over, and never closed", "\"" + strings.Repeat(over+"\n", 9), []string{"1! open"}},
		{"binary", "\x00\xff,\x01\n", []string{"1 \x00\xff|\x01"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for _, r := range []io.Reader{
				strings.NewReader(c.text), iotest.OneByteReader(strings.NewReader(c.text)), iotest.DataErrReader(strings.NewReader(c.text)),
			} {
				got, err := records(r)
				if d := cmp.Diff(c.want, got); d != "" || err != nil {
					t.Errorf("%v: %s", err, d)
				}
			}
		})
	}
}

func TestRowsOfABrokenStream(t *testing.T) {
	t.Parallel()
	errCut := errors.New("cut")
	for text, want := range map[string][]string{
		"a\nb": {"1 a"}, "a\n": {"1 a"}, "a\n\"b\n": {"1 a"}, "a\n" + strings.Repeat("x", 99): {"1 a"},
	} {
		got, err := records(io.MultiReader(strings.NewReader(text), iotest.ErrReader(errCut)))
		if d := cmp.Diff(want, got); d != "" || !errors.Is(err, errCut) {
			t.Errorf("%q: %v: %s", text, err, d)
		}
	}
}

func TestRowsReady(t *testing.T) {
	t.Parallel()
	rows := wire.NewRowReader(strings.NewReader("a\nb\nc"), most)
	for _, want := range []bool{false, true, false} {
		if got := rows.Ready(); got != want {
			t.Errorf("ready is %t", got)
		}
		_ = rows.Next()
	}
}

// What encoding/csv writes is read as it was meant.
func TestRowsOfEncodingCSV(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		cell := rapid.StringOf(rapid.SampledFrom([]rune("ab\",\n ü;")))
		want := rapid.SliceOfN(rapid.SliceOfN(cell, 1, 4), 0, 9).Draw(t, "rows")
		var text bytes.Buffer
		w := csv.NewWriter(&text)
		w.UseCRLF = rapid.Bool().Draw(t, "CRLF")
		if err := w.WriteAll(want); err != nil {
			t.Fatal(err)
		}
		rows := wire.NewRowReader(iotest.HalfReader(&text), 1<<12)
		for _, row := range want {
			if err := rows.Next(); err != nil {
				t.Fatalf("%q: %v", row, err)
			}
			raw := string(rows.Raw())
			got := rows.Cells()
			if len(row) == 1 && row[0] == "" && raw != "\"\"\n" && raw != "\"\"\r\n" {
				continue // one empty cell may be written as an empty line
			}
			if len(got) != len(row) {
				t.Fatalf("%q became %q", row, got)
			}
			for i := range row {
				// encoding/csv turns a line break inside into that of the file.
				if strings.ReplaceAll(string(got[i]), "\r\n", "\n") != row[i] {
					t.Fatalf("%q became %q", row, got)
				}
			}
		}
		if err := rows.Next(); !errors.Is(err, io.EOF) {
			t.Fatalf("behind the last: %v", err)
		}
	})
}

// Whatever comes, reading ends, the parts make up the whole, and a record that
// encoding/csv reads from the same bytes has the same cells.
func FuzzRows(f *testing.F) {
	for _, seed := range []string{
		"token\na\n", "u,\"1\n2\"\n", "\"", "a\r\n\"b\"\"\"\r\n", ",\n\n\"\",\"\"", "\xef\xbb\xbfa\"b\n", strings.Repeat("x", 99), "\"\r\"\r",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		const most = 64
		rows := wire.NewRowReader(bytes.NewReader(in), most)
		rest := bytes.TrimPrefix(in, []byte("\xef\xbb\xbf"))
		line := int64(1)
		for {
			err := rows.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if rows.Line() < line {
				t.Fatalf("line %d after %d", rows.Line(), line)
			}
			line = rows.Line()
			if errors.Is(err, wire.ErrLineTooLong) {
				return // what is left of it is not known here
			}
			raw := bytes.Clone(rows.Raw())
			if !bytes.HasPrefix(rest, raw) || len(raw) == 0 {
				if _, open := errors.AsType[*wire.RowError](err); open {
					return
				}
				t.Fatalf("record %q does not come next in %q", raw, rest)
			}
			rest = rest[len(raw):]
			if err != nil {
				continue
			}
			cells := rows.Cells()
			reference := csv.NewReader(bytes.NewReader(raw))
			reference.FieldsPerRecord = -1
			if bytes.ContainsRune(raw, '\r') {
				continue // encoding/csv changes those inside cells
			}
			want, err := reference.Read()
			if err != nil && !errors.Is(err, io.EOF) || len(want) != len(cells) {
				t.Fatalf("%q: %q, encoding/csv has %q, %v", raw, cells, want, err)
			}
			for i := range want {
				if want[i] != string(cells[i]) {
					t.Fatalf("%q: %q, encoding/csv has %q", raw, cells, want)
				}
			}
		}
	})
}
