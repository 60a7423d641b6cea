package remote

import (
	"bytes"
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
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"pgregory.net/rapid"

	"github.com/belfry-push/belfry/internal/request"
	"github.com/belfry-push/belfry/internal/wire"
)

// drain reads a source to its end: "3 {…}" for a line that begins on line 3 of
// the file.
func drain(s source) (rows []string, err error) {
	for {
		line, at, err := s.next()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err != nil {
			return rows, err
		}
		rows = append(rows, strings.TrimRight(fmt.Sprintf("%d %s", at, line), "\n"))
	}
}

// sheet returns the source of CSV, behind its header.
func sheet(in io.Reader) (*csvSource, []byte, error) {
	s := &csvSource{rows: wire.NewRowReader(in, request.MaxRecipientLine)}
	header, err := s.header()
	return s, header, err
}

func TestCSV(t *testing.T) {
	t.Parallel()

	stand := string(tooLong())
	tests := []struct {
		name, in string
		want     []string
	}{
		{"records as they are", "token,data.a\nx,y\n\"z\n\",\n", []string{"2 x,y", "3 \"z\n\","}},
		{"no line break at the end", "token\na", []string{"2 a"}},
		{"empty lines keep their number", "token\n\na\n\n", []string{"2 ", "3 a", "4 "}},
		{"what is no CSV is the server's to say", "token\na\"b\nc\n\"d\n", []string{"2 a\"b", "3 c", "4 \"d"}},
		{"too long", "token\n" + stand + stand + "\nc\n", []string{"2 " + stand, "3 c"}},
		{"only a header", "token\n", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, _, err := sheet(strings.NewReader(tt.in))
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

	if _, header, err := sheet(strings.NewReader("\xef\xbb\xbf\"token\", locale\r\nx,de\r\n")); err != nil ||
		string(header) != `"token", locale` {
		t.Errorf("header = %q, %v", header, err)
	}
	tests := []struct{ name, in, want string }{
		{"empty", "", "the file is empty"},
		{"no address", "locale\nde\n", "the header must name a column token, fid, user_id, device_id"},
		{
			"unknown", "token,name\n",
			`column 2: must be token, fid, user_id, device_id, locale, collapse_id, notification.title, ` +
				`notification.body, notification.image, badge, live_activity_token or data.<key>, separated by commas (got "name")`,
		},
		{"broken", "tok\"en\n", "header row:"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if _, _, err := sheet(strings.NewReader(tt.in)); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error = %v, want %q", err, tt.want)
			}
		})
	}
}

func TestNDJSON(t *testing.T) {
	t.Parallel()

	stand := string(tooLong())
	tests := []struct {
		name, in string
		want     []string
	}{
		{"lines as they are", "{\"token\":\"a\"}\nnot JSON\n", []string{`1 {"token":"a"}`, `2 not JSON`}},
		{"no line break at the end", "{}\n{ }", []string{`1 {}`, `2 { }`}},
		{"blank lines keep their number", "\n{}\r\n\n{}\n", []string{"1 ", `2 {}`, "3 ", `4 {}`}},
		{"too long", "{}\n" + stand + stand + "\n{}\n" + stand, []string{`1 {}`, "2 " + stand, `3 {}`, "4 " + stand}},
		{"nothing", "", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := drain(&ndjsonSource{lines: wire.NewLineReader(iotest.HalfReader(strings.NewReader(tt.in)), request.MaxRecipientLine)})
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
	const csv, json = "\xef\xbb\xbftoken\na\n", "\xef\xbb\xbf{}\n"
	sheet, list := write("users.CSV", csv), write("users.txt", json)
	tests := []struct {
		name, file, format string
		stdin              string
		want               []string
	}{
		{"csv by name, with a byte order mark", sheet, "auto", "", []string{`2 a`}},
		{"ndjson by name", list, "auto", "", []string{`1 {}`}},
		{"csv by flag", sheet, "csv", "", []string{`2 a`}},
		{"csv with gzip", write("users.csv.gz", gzipped(csv)), "auto", "", []string{`2 a`}},
		{"csv with zstd", write("users.csv.zst", zstandard(csv)), "auto", "", []string{`2 a`}},
		{"ndjson with zstd, by its content", write("users.bin", zstandard(json)), "auto", "", []string{`1 {}`}},
		{"standard input", "-", "auto", "{}\n", []string{`1 {}`}},
		{"standard input with gzip", "-", "auto", gzipped("{}\n"), []string{`1 {}`}},
		{"standard input as csv", "-", "csv", "user_id\nu\n", []string{`2 u`}},
		{"standard input of two bytes", "-", "auto", "{}", []string{`1 {}`}},
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
			if err != nil || (r.size == 0) != (tt.file == "-") || r.size > 0 && r.read.n != r.size {
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
	rows, _, err := sheet(broken("token\na\n"))
	if err != nil {
		t.Fatal(err)
	}
	text := gzipped("{}\n{}\n")
	cut, err := openRecipients("-", "auto", strings.NewReader(text[:len(text)-9]))
	if err != nil {
		t.Fatal(err)
	}
	for want, s := range map[string]source{
		"disk on fire":   rows,
		"on fire":        &ndjsonSource{lines: wire.NewLineReader(broken("{}\n{}\n{"), request.MaxRecipientLine)},
		"unexpected EOF": cut.source,
	} {
		if _, err := drain(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%T: error = %v", s, err)
		}
	}
}

func gzipped(text string) string {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	_, _ = z.Write([]byte(text))
	_ = z.Close()
	return out.String()
}

func zstandard(text string) string {
	z, err := zstd.NewWriter(nil)
	if err != nil {
		panic(err)
	}
	defer z.Close()
	return string(z.EncodeAll([]byte(text), nil))
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

func TestFileLinesSettled(t *testing.T) {
	t.Parallel()

	var m fileLines
	for u := int64(1); u <= 1000; u++ {
		m.add(u, 2*u)
		if u%10 == 0 {
			m.settle(u - 3)
		}
		for _, open := range []int64{u - 2, u} {
			if got := m.file(open); open > 0 && got != 2*open {
				t.Fatalf("upload line %d is line %d, want %d", open, got, 2*open)
			}
		}
	}
	if len(m.from) > 20 {
		t.Errorf("%d entries are kept", len(m.from))
	}
}

func FuzzNDJSON(f *testing.F) {
	for _, seed := range []string{"{}\n{}\n", "\n\n{}", " \r\n", "x", "{}\n\r\n{}\r"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		s := &ndjsonSource{lines: wire.NewLineReader(bytes.NewReader(in), request.MaxRecipientLine)}
		checkSource(t, s, bytes.Count(in, []byte("\n"))+1, func(line []byte) {
			if bytes.Contains(line, []byte("\n")) || len(line) <= request.MaxRecipientLine && !bytes.Contains(in, line) {
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
