package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/push"
)

// drain reads a source to its end: "3 {…}" for a recipient that begins on line
// 3, "3! …" for a line that is none.
func drain(s source) (rows []string, err error) {
	for {
		line, at, err := s.next()
		bad, refused := errors.AsType[*lineError](err)
		switch {
		case refused:
			rows = append(rows, fmt.Sprintf("%d! %s", bad.at, bad.detail))
		case errors.Is(err, io.EOF):
			return rows, nil
		case err != nil:
			return rows, err
		default:
			rows = append(rows, fmt.Sprintf("%d %s", at, line))
		}
	}
}

func TestCSV(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name, in string
		want     []string
	}{
		{"tokens", "token\na\nb\n", []string{`2 {"token":"a"}`, `3 {"token":"b"}`}},
		{"no line break at the end", "token\na", []string{`2 {"token":"a"}`}},
		{"every column", "user_id,data.name,data.n,locale,collapse_id\nu,Ada,1,de-DE,c\n", []string{
			`2 {"user_id":"u","data":{"n":"1","name":"Ada"},"locale":"de-DE","collapse_id":"c"}`,
		}},
		{"the other addresses", "fid,device_id\nf,\n,d\n", []string{`2 {"fid":"f"}`, `3 {"device_id":"d"}`}},
		{"empty cells say nothing", "token,data.a\nx,\n,\n", []string{`2 {"token":"x"}`, `3 {}`}},
		{"spaces in the header, CRLF", " token , locale\r\nx,de\r\n", []string{`2 {"token":"x","locale":"de"}`}},
		{"quotes and line breaks", "token,data.a\n\"x\",\"1\n2\"\ny,3\n", []string{`2 {"token":"x","data":{"a":"1\n2"}}`, `4 {"token":"y","data":{"a":"3"}}`}},
		{"blank lines keep the count", "token\n\na\n\n\nb\n", []string{`3 {"token":"a"}`, `6 {"token":"b"}`}},
		{"too few and too many cells", "token,locale\na\nb,de\nc,de,x\nd,fr\n", []string{
			`2! must have 2 cells, as the header has (got 1)`, `3 {"token":"b","locale":"de"}`,
			`4! must have 2 cells, as the header has (got 3)`, `5 {"token":"d","locale":"fr"}`,
		}},
		{"a stray quote", "token\na\"b\nc\n", []string{`2! bare " in non-quoted-field`, `3 {"token":"c"}`}},
		{"a quote that never ends", "token\na\n\"b\nc\n", []string{`2 {"token":"a"}`, `3! extraneous or missing " in quoted-field`}},
		{"not UTF-8", "token,data.a\nx,\xff\ny,z\n", []string{`2! column "data.a": must be UTF-8`, `3 {"token":"y","data":{"a":"z"}}`}},
		{"only a header", "token\n", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, err := newCSV(strings.NewReader(tt.in))
			if err != nil {
				t.Fatal(err)
			}
			got, err := drain(s)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCSVHeader(t *testing.T) {
	t.Parallel()

	tests := []struct{ name, in, want string }{
		{"empty", "", "the file is empty"},
		{"no address", "locale\nde\n", "the header must name a column token, fid, user_id, device_id"},
		{"unknown", "token,name\n", `column 2: must be token, fid, user_id, device_id, locale, collapse_id or data.<key>, separated by commas (got "name")`},
		{"semicolons", "token;locale\n", `(got "token;locale")`},
		{"data without a key", "token,data.\n", `(got "data.")`},
		{"twice", "token,locale,token\n", `column 3: there is a "token" already`},
		{"broken", "tok\"en\n", "header row:"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if _, err := newCSV(strings.NewReader(tt.in)); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error = %v, want %q", err, tt.want)
			}
		})
	}
}

func TestNDJSON(t *testing.T) {
	t.Parallel()

	long := `{"token":"` + strings.Repeat("x", push.MaxRecipientLine) + `"}`
	tests := []struct {
		name, in string
		want     []string
	}{
		{"lines as they are", "{\"token\":\"a\"}\nnot JSON\n", []string{`1 {"token":"a"}`, `2 not JSON`}},
		{"no line break at the end", "{}\n{ }", []string{`1 {}`, `2 { }`}},
		{"blank lines keep the count", "\n {} \r\n\t\n{}\n\n", []string{`2 {}`, `4 {}`}},
		{"too long", "{}\n" + long + "\n{}\n" + long, []string{`1 {}`, `2! must be at most 65536 bytes`, `3 {}`, `4! must be at most 65536 bytes`}},
		{"nothing", "", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			buf, err := skipBOM(iotest.HalfReader(strings.NewReader(tt.in)))
			if err != nil {
				t.Fatal(err)
			}
			got, err := drain(&ndjson{r: buf})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOpenRecipients(t *testing.T) {
	t.Parallel()

	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	sheet := write("users.CSV", "\xef\xbb\xbftoken\na\n")
	list := write("users.txt", "\xef\xbb\xbf{}\n")
	tests := []struct {
		name, file, format string
		stdin              string
		want               []string
		size               int64
	}{
		{"csv by name, with a byte order mark", sheet, "auto", "", []string{`2 {"token":"a"}`}, 11},
		{"ndjson by name", list, "auto", "", []string{`1 {}`}, 6},
		{"csv by flag", sheet, "csv", "", []string{`2 {"token":"a"}`}, 11},
		{"standard input", "-", "auto", "{}\n", []string{`1 {}`}, 0},
		{"standard input as csv", "-", "csv", "user_id\nu\n", []string{`2 {"user_id":"u"}`}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r, err := openRecipients(tt.file, tt.format, strings.NewReader(tt.stdin))
			if err != nil {
				t.Fatal(err)
			}
			defer r.close()
			got, err := drain(r.source)
			if err != nil || r.size != tt.size || r.read.n == 0 {
				t.Errorf("size %d, read %d, %v", r.size, r.read.n, err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
		})
	}
	for name, format := range map[string]string{filepath.Join(dir, "nowhere"): "auto", dir: "auto", list: "csv"} {
		if _, err := openRecipients(name, format, nil); err == nil {
			t.Errorf("openRecipients(%s, %s) = nil", name, format)
		}
	}
}

func TestReadErrorsAreNotTheEnd(t *testing.T) {
	t.Parallel()

	broken := func(text string) io.Reader {
		return io.MultiReader(strings.NewReader(text), iotest.ErrReader(errors.New("disk on fire")))
	}
	buf, err := skipBOM(broken("{}\n{}\n{"))
	if err != nil {
		t.Fatal(err)
	}
	sheet, err := newCSV(broken("token\na\n"))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []source{&ndjson{r: buf}, sheet} {
		if _, err := drain(s); err == nil || !strings.Contains(err.Error(), "disk on fire") {
			t.Errorf("%T: error = %v", s, err)
		}
	}
}

func TestFileLines(t *testing.T) {
	t.Parallel()

	rapid.Check(t, func(t *rapid.T) {
		var m fileLines
		want := map[int64]int64{}
		upload, file := rapid.Int64Range(1, 9).Draw(t, "first"), int64(0)
		for range rapid.IntRange(1, 60).Draw(t, "lines") {
			file += rapid.SampledFrom([]int64{1, 1, 1, 2, 5}).Draw(t, "step")
			m.add(upload, file)
			want[upload] = file
			upload++
		}
		for u, f := range want {
			if got := m.file(u); got != f {
				t.Fatalf("upload line %d is line %d, want %d", u, got, f)
			}
		}
	})
	var m fileLines
	for u := range int64(1_000_000) {
		m.add(u+1, u+2)
	}
	if len(m.from) != 1 {
		t.Errorf("%d entries for lines in step, want 1", len(m.from))
	}
}

func FuzzCSV(f *testing.F) {
	for _, seed := range []string{"token\na\n", "user_id,data.x\nu,\"1\n2\"\n", "token\n\"", "token\r\na\r\n", "data.,token\n", "token,locale\n\xff,\n", "token\n\n\n\"a\"\"b\"\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		s, err := newCSV(bytes.NewReader(in))
		if err != nil {
			return
		}
		checkSource(t, s, bytes.Count(in, []byte("\n"))+1, func(line []byte) {
			var r client.Recipient
			dec := json.NewDecoder(bytes.NewReader(line))
			dec.DisallowUnknownFields()
			if err := dec.Decode(&r); err != nil {
				t.Fatalf("%q is no recipient: %v", line, err)
			}
		})
	})
}

func FuzzNDJSON(f *testing.F) {
	for _, seed := range []string{"{}\n{}\n", "\n\n{}", " \r\n", "x", "{}\n\r\n{}\r"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		buf, err := skipBOM(bytes.NewReader(in))
		if err != nil {
			t.Fatal(err)
		}
		checkSource(t, &ndjson{r: buf}, bytes.Count(in, []byte("\n"))+1, func(line []byte) {
			if len(line) == 0 || bytes.Contains(line, []byte("\n")) || len(line) > push.MaxRecipientLine+1 || !bytes.Contains(in, line) {
				t.Fatalf("line %.80q", line)
			}
		})
	})
}

// checkSource holds a source to what it promises: every line is fit to be
// uploaded, and line numbers ascend within the file.
func checkSource(t *testing.T, s source, last int, check func(line []byte)) {
	t.Helper()
	var at []int64
	for {
		line, n, err := s.next()
		if bad, ok := errors.AsType[*lineError](err); ok {
			at = append(at, bad.at)
			continue
		}
		if err != nil {
			if !errors.Is(err, io.EOF) {
				t.Fatal(err)
			}
			break
		}
		at = append(at, n)
		check(line)
	}
	if !slices.IsSorted(at) || len(at) > 0 && (at[0] < 1 || at[len(at)-1] > int64(last)) {
		t.Fatalf("line numbers %v of %d lines", at, last)
	}
}
