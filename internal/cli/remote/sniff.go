package remote

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/unicode"

	"github.com/belfry-push/belfry/internal/cli/display"
	"github.com/belfry-push/belfry/internal/request"
	"github.com/belfry-push/belfry/internal/visible"
)

// The forms in which recipients are read. A form that only people name is in formatNames.
const (
	formNDJSON = "ndjson"
	formCSV    = "csv"   // commas
	formSemi   = "semi"  // CSV with semicolons, as spreadsheets of many countries write it
	formTabs   = "tabs"  // CSV with tabs
	formArray  = "array" // one JSON array
	formTokens = "tokens"
	formUsers  = "users"
)

// sniffed is how many bytes of a file are looked at to tell what it is.
const sniffed = 32 << 10

// recognise says how a stream is to be read, by its name and first bytes, with a note if that
// is not plain, and returns the stream as UTF-8. Its errors say what the file is instead, and
// how it becomes one that is read.
func recognise(in io.Reader, name, format string) (r *bufio.Reader, form, note string, err error) {
	r = bufio.NewReaderSize(in, sniffed)
	head, whole := beginning(r)
	if utf16, order := wide(head); utf16 {
		// Without a mark the order is what the zeros say.
		r = bufio.NewReaderSize(unicode.UTF16(order, unicode.UseBOM).NewDecoder().Reader(r), sniffed)
		note = "it is UTF-16, and is read as such"
		head, whole = beginning(r)
	}
	if len(bytes.TrimSpace(head)) == 0 && whole {
		return r, "", "", display.Usagef("the file is empty: there is nobody to send to")
	}
	if what := foreign(head); what != "" {
		return r, "", "", display.Usagef("%s", what)
	}
	if at := bytes.IndexByte(head, 0); at >= 0 {
		return r, "", "", display.Usagef("byte %d is zero: this is no text file, or a damaged one", at+1)
	}
	form, how, err := formOf(head, name, format)
	for _, more := range []string{how, latin(head, whole)} {
		if more != "" {
			note = strings.TrimPrefix(note+"; "+more, "; ")
		}
	}
	return r, form, note, err
}

// beginning returns the first bytes of a stream, a line at the least, and whether that is all
// of it. It does not wait for more than a line: who writes into a pipe may be slow. An error of
// the stream comes again when it is read.
func beginning(r *bufio.Reader) (head []byte, whole bool) {
	for n := 1; ; n = r.Buffered() + 1 {
		_, err := r.Peek(min(n, sniffed))
		head, _ = r.Peek(min(r.Buffered(), sniffed))
		if err != nil || len(head) == sniffed || bytes.IndexByte(bytes.TrimLeft(head, " \t\r\n"), '\n') >= 0 {
			return head, errors.Is(err, io.EOF)
		}
	}
}

// wide reports whether the text is UTF-16, by its mark or by the zeros of ASCII in it.
func wide(head []byte) (bool, unicode.Endianness) {
	switch {
	case bytes.HasPrefix(head, []byte{0xff, 0xfe}):
		return true, unicode.LittleEndian
	case bytes.HasPrefix(head, []byte{0xfe, 0xff}):
		return true, unicode.BigEndian
	}
	const enough = 8
	n := min(len(head), 256) &^ 1
	even, odd := 0, 0
	for i := 0; i < n; i += 2 {
		if head[i] == 0 {
			even++
		}
		if head[i+1] == 0 {
			odd++
		}
	}
	switch {
	case n < enough:
	case even == 0 && odd > n/4:
		return true, unicode.LittleEndian
	case odd == 0 && even > n/4:
		return true, unicode.BigEndian
	}
	return false, unicode.LittleEndian
}

// foreign says what a file is that no format of recipients begins like; "" for none known.
func foreign(head []byte) string {
	const again = "; decompress it first, such as with %s FILE | belfry send --recipients - (gzip and zstd are read as they are)"
	for _, f := range []struct{ magic, what string }{
		{"\xd0\xcf\x11\xe0", "this is an Excel workbook of the old kind (.xls): save the sheet as \"CSV UTF-8\" and send that file"},
		{"%PDF", "this is a PDF document"},
		{"BZh", "this is compressed with bzip2" + fmt.Sprintf(again, "bzip2 -dc")},
		{"\xfd7zXZ", "this is compressed with xz" + fmt.Sprintf(again, "xz -dc")},
		{"\x04\x22\x4d\x18", "this is compressed with lz4" + fmt.Sprintf(again, "lz4 -dc")},
		{"7z\xbc\xaf\x27\x1c", "this is a 7-Zip archive: unpack it first"},
		{"Rar!", "this is a RAR archive: unpack it first"},
		{"SQLite format 3\x00", "this is an SQLite database: export the recipients as CSV, such as with sqlite3 -csv -header FILE 'SELECT …'"},
		{"PAR1", "this is a Parquet file: export it as CSV or as JSON lines"},
		{"Obj\x01", "this is an Avro file: export it as JSON lines, such as with avro-tools tojson"},
		{"\x1f\x8b", "this is compressed twice with gzip: decompress it once"},
		{"{\\rtf", "this is a document of a word processor (RTF): save it as plain text"},
	} {
		if bytes.HasPrefix(head, []byte(f.magic)) {
			return f.what
		}
	}
	start := strings.ToLower(string(head[:min(len(head), 512)]))
	start = strings.TrimSpace(strings.TrimPrefix(start, "\ufeff"))
	switch {
	case bytes.HasPrefix(head, []byte("PK\x03\x04")):
		if bytes.Contains(head, []byte("[Content_Types].xml")) || bytes.Contains(head, []byte("xl/")) {
			return "this is an Excel workbook (.xlsx): save the sheet as \"CSV UTF-8\" and send that file"
		}
		return "this is a zip archive: unpack it first, such as with unzip -p FILE | belfry send --recipients -"
	case len(head) > 262 && string(head[257:262]) == "ustar":
		return "this is a tar archive: unpack it first, such as with tar -xOf FILE | belfry send --recipients -"
	case strings.HasPrefix(start, "<!doctype html"), strings.HasPrefix(start, "<html"):
		return "this is an HTML page: was it saved in the place of a download, such as a page that asks to sign in?"
	case strings.HasPrefix(start, "<?xml"), strings.HasPrefix(start, "<"):
		return "this is XML: recipients are read as JSON lines or CSV"
	}
	return ""
}

// latin warns of text that is not UTF-8.
func latin(head []byte, whole bool) string {
	if !whole {
		head = head[:bytes.LastIndexByte(head, '\n')+1] // no half character
	}
	if utf8.Valid(head) {
		return ""
	}
	line := 1
	for text := range bytes.Lines(head) {
		if !utf8.Valid(text) {
			break
		}
		line++
	}
	return fmt.Sprintf("line %d is not UTF-8, perhaps Latin-1 or Windows-1252, and such lines are refused; iconv -f WINDOWS-1252 -t UTF-8 "+
		"FILE converts it", line)
}

// formOf tells how a text is to be read: as its caller says or, with auto, as what it is beyond
// doubt.
func formOf(head []byte, name, format string) (form, note string, err error) {
	text := strings.TrimPrefix(string(head), "\ufeff")
	first, _, _ := strings.Cut(strings.TrimLeft(text, "\r\n"), "\n")
	first = strings.TrimRight(first, "\r")
	begin := strings.TrimSpace(text)
	table, tableNote := tableOf(first)
	switch format {
	case "tokens", "users":
		return format, "", nil
	case "tsv":
		return formTabs, "", nil
	case "csv":
		if table != "" {
			return table, tableNote, nil
		}
		return formCSV, "", nil
	}
	switch {
	case begin == "":
		return formNDJSON, "", nil // nothing but empty lines so far
	case begin[0] == '[':
		return formArray, "it is one JSON array; its elements are counted as lines", nil
	case begin[0] == '{':
		return formNDJSON, "", oneObject(first)
	case format == "ndjson":
		return formNDJSON, "", nil
	case table != "":
		return table, tableNote, nil
	case isCSV(name):
		return formCSV, "", nil // its header is told what is wrong with it
	}
	return listOf(text, first)
}

// oneObject refuses a file that is one JSON object around its recipients.
func oneObject(first string) error {
	first = strings.TrimSpace(first)
	var around map[string]json.RawMessage
	if first == "{" {
		return display.Usagef("this is JSON over several lines, and a recipient has one: jq -c . FILE | belfry send --recipients - puts each " +
			"on its own")
	}
	_ = json.Unmarshal([]byte(first), &around) //nolint:forbidigo // only to tell what it is; the server reads strictly
	for _, name := range []string{"tokens", "recipients", "users", "user_ids", "devices", "data", "items"} {
		if list := around[name]; len(list) > 0 && list[0] == '[' {
			return display.Usagef("this is one JSON object with a list %q: jq -c '.%[1]s[]' FILE | belfry send --recipients - sends to those in it",
				name)
		}
	}
	return nil
}

// tableOf tells by its first row what a table's cells are separated by; "" for no table with
// columns that are known.
func tableOf(first string) (form, note string) {
	for _, s := range []struct {
		form  string
		comma rune
		note  string
	}{
		{formCSV, ',', ""},
		{formSemi, ';', "its cells are separated by semicolons, and are read as such"},
		{formTabs, '\t', "its cells are separated by tabs, and are read as such"},
	} {
		row := csv.NewReader(strings.NewReader(first))
		row.Comma = s.comma
		names, err := row.Read()
		if err != nil {
			continue
		}
		cells := make([][]byte, len(names))
		for i, name := range names {
			cells[i] = []byte(name)
		}
		if _, err := request.ParseColumns(cells); err == nil {
			return s.form, s.note
		}
	}
	return "", ""
}

// listOf is about a text that is neither JSON nor a table: a list with a value a line, or
// something whose lines the server judges.
func listOf(text, first string) (form, note string, err error) {
	n, tokens := 0, 0
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if strings.TrimSpace(line) == "" {
			continue
		}
		if strings.ContainsAny(line, " \t,;{}[]\"'") {
			return formNDJSON, "", nil
		}
		if n++; looksLikeToken(line) {
			tokens++
		}
	}
	if tokens == n || tokens == n-1 && n > 1 { // the last may be cut
		return formTokens, "it is a list of registration tokens, one a line, and is read as such", nil
	}
	return "", "", display.Usagef("this is a plain list, one value a line (the first is %q), which says nothing of what they are: --format "+
		"tokens if they are registration tokens, --format users if they are user ids", visible.Field(first[:min(len(first), 40)]))
}

// looksLikeToken reports whether a text is what FCM's registration tokens look like: the
// installation's id, a colon, and some 140 characters.
func looksLikeToken(s string) bool {
	id, rest, ok := strings.Cut(s, ":")
	const leastID, leastRest = 8, 64
	return ok && len(id) >= leastID && len(rest) >= leastRest &&
		strings.Trim(rest, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_:") == ""
}
