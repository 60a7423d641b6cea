package remote

import (
	"bytes"
	"encoding/binary"
	"io"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-push/belfry/internal/cli/clitest"
	"github.com/belfry-push/belfry/internal/cli/display"
	"github.com/belfry-push/belfry/internal/request"
)

// wideText is a text in UTF-16, with a mark or without.
func wideText(text string, order binary.ByteOrder, mark bool) string {
	if mark {
		text = "\ufeff" + text
	}
	var b bytes.Buffer
	for _, unit := range utf16.Encode([]rune(text)) {
		_ = binary.Write(&b, order, unit)
	}
	return b.String()
}

// token is what FCM's tokens look like.
func token(id string) string { return "cX9fKq2" + id + ":APA91b" + strings.Repeat("Zk3-_", 27) }

// What a file is beyond doubt is read as that, and said where it is not plain.
func TestFilesThatAreRead(t *testing.T) {
	t.Parallel()
	const csv = "token,data.n\na;b,\"1,2\"\n"
	for _, tt := range []struct {
		name, file, format, in string
		header                 string
		want                   []string
		note                   string
	}{
		{
			"UTF-16 as Windows writes it", "u.csv", "auto", wideText(csv, binary.LittleEndian, true), "token,data.n",
			[]string{`2 a;b,"1,2"`},
			"UTF-16",
		},
		{"UTF-16 the other way", "u.csv", "auto", wideText(csv, binary.BigEndian, true), "token,data.n", []string{`2 a;b,"1,2"`}, "UTF-16"},
		{
			"UTF-16 without a mark", "u", "auto", wideText(`{"token":"ü"}`+"\n", binary.LittleEndian, false), "",
			[]string{`1 {"token":"ü"}`},
			"UTF-16",
		},
		{
			"big-endian without a mark", "u", "auto", wideText(`{"token":"ü"}`, binary.BigEndian, false), "",
			[]string{`1 {"token":"ü"}`},
			"UTF-16",
		},
		{
			"semicolons", "u.csv", "auto", "\ufefftoken;data.n\r\na;\"1,2\"\r\nb;\"x\ny\"\r\n", "token,data.n",
			[]string{`2 a,"1,2"`, "3 b,\"x\ny\""},
			"semicolons",
		},
		{"tabs", "u.tsv", "auto", "user_id\tlocale\nada\tde\n", "user_id,locale", []string{"2 ada,de"}, "tabs"},
		{"tabs by flag", "u", "tsv", "user_id\nada\n", "user_id", []string{"2 ada"}, ""},
		{"CSV of another name", "list.txt", "auto", "user_id,locale\nada,de\n", "user_id,locale", []string{"2 ada,de"}, ""},
		{"JSON lines called csv", "u.csv", "auto", `{"user_id":"ada"}`, "", []string{`1 {"user_id":"ada"}`}, ""},
		{
			"a JSON array of objects", "u.json", "auto", "[\n  {\n    \"user_id\": \"a\",\n \"user_id\": \"b\"},\n  {\"token\":\"x\"}\n]\n", "",
			[]string{`1 {"user_id":"a","user_id":"b"}`, `2 {"token":"x"}`},
			"JSON array",
		},
		{"a JSON array of texts", "u.json", "auto", `["a", "b\"c"]`, "", []string{`1 {"token":"a"}`, `2 {"token":"b\"c"}`}, "JSON array"},
		{
			"a list of tokens", "tokens.txt", "auto", token("a") + "\n" + token("b") + "\r\n\n", "",
			[]string{`1 {"token":"` + token("a") + `"}`, `2 {"token":"` + token("b") + `"}`, "3 "},
			"registration tokens",
		},
		{
			"a list by flag", "l", "users", "ada\n\"bob\"\n\xff\n", "",
			[]string{`1 {"user_id":"ada"}`, `2 {"user_id":"\"bob\""}`, "3 \xff"},
			"line 3 is not UTF-8",
		},
		{
			"Latin-1", "u", "auto", "{\"user_id\":\"a\"}\n{\"user_id\":\"J\xfcrgen\"}\n", "",
			[]string{`1 {"user_id":"a"}`, "2 {\"user_id\":\"J\xfcrgen\"}"},
			"line 2 is not UTF-8",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := &recipients{name: tt.file, read: &counter{r: strings.NewReader(tt.in)}, close: func() error { return nil }}
			if err := r.open(tt.format); err != nil {
				t.Fatal(err)
			}
			got, err := drain(r.source)
			if diff := cmp.Diff(tt.want, got); err != nil || diff != "" || string(r.header) != tt.header {
				t.Errorf("header %q, rows (-want +got):\n%s%v", r.header, diff, err)
			}
			if !strings.Contains(r.note, tt.note) || tt.note == "" && r.note != "" {
				t.Errorf("note %q, want %q", r.note, tt.note)
			}
		})
	}
}

// What a file can't be is said, with what makes it one that is read; nothing is sent.
func TestFilesThatAreNotRead(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ in, want string }{
		"an Excel workbook": {
			"PK\x03\x04\x14\x00\x06\x00[Content_Types].xml", `an Excel workbook (.xlsx): save the sheet as "CSV UTF-8"`,
		},
		"an old workbook":           {"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Excel workbook of the old kind"},
		"a zip archive":             {"PK\x03\x04\x14\x00\x00\x00users.csv", "a zip archive: unpack it first, such as with unzip -p"},
		"xz":                        {"\xfd7zXZ\x00", "compressed with xz; decompress it first"},
		"a tar archive":             {strings.Repeat("x", 257) + "ustar\x0000", "a tar archive"},
		"gzip twice":                {gzipped(gzipped("{}\n")), "compressed twice with gzip"},
		"a PDF":                     {"%PDF-1.7\n", "a PDF document"},
		"HTML":                      {"\n<!DOCTYPE html>\n<html>", "an HTML page"},
		"XML":                       {"<?xml version=\"1.0\"?>\n<users/>", "XML: recipients are read as JSON lines or CSV"},
		"zeros":                     {"{\"token\":\"a\"}\n\x00\x00\x00\n", "byte 15 is zero"},
		"nothing":                   {"", "the file is empty"},
		"nothing but blanks":        {" \r\n\n", "the file is empty"},
		"a list of who knows what":  {"ada\nbob\n", "a plain list, one value a line (the first is \"ada\")"},
		"JSON over several lines":   {"{\n  \"token\": \"a\"\n}\n", "jq -c . FILE"},
		"an object around a list":   {`{"tokens":["a","b"]}`, "jq -c '.tokens[]' FILE"},
		"a header that is unknown":  {"name;mail\nada;x\n", ""},
		"an array that is cut":      {`[{"token":"a"},`, "JSON array"},
		"an array that never ends":  {`["` + strings.Repeat("x", 3*request.MaxRecipientLine+1<<20), "not closed"},
		"a quote that never closes": {"token;data.a\na;\"" + strings.Repeat("x\n", request.MaxRecipientLine+1<<19), "not closed"},
		"a quote inside a cell":     {"token;data.a\na;b\"c\n", "written twice inside one"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &recipients{name: "f", read: &counter{r: strings.NewReader(tt.in)}, close: func() error { return nil }}
			err := r.open("auto")
			if err == nil && tt.want != "" {
				_, err = drain(r.source)
			}
			if tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
	api := newFakeAPI(t)
	belfry(t.Context(), api.URL, strings.NewReader("<html>"), "send", "--title", "x", "--recipients", "-").Expect(t, display.ExitUsage,
		"belfry send: recipients: -: this is an HTML page")
	if len(api.bodies) > 0 {
		t.Errorf("asked: %v", api.bodies)
	}
}

// Who writes a line at a time into a pipe is not kept waiting.
func TestPipesAreReadAsTheyCome(t *testing.T) {
	t.Parallel()
	in, out := io.Pipe()
	go func() {
		_, _ = io.WriteString(out, `{"token":`)
		_, _ = io.WriteString(out, "\"a\"}\n")
	}()
	r, err := openRecipients("-", "auto", in)
	if err != nil {
		t.Fatal(err)
	}
	line, _, err := r.source.next()
	if err != nil || strings.TrimSpace(string(line)) != `{"token":"a"}` {
		t.Errorf("%q (%v)", line, err)
	}
	_ = out.Close()
}

// Lines that are refused are asked about; without an answer nothing is sent.
func TestRefusedLinesAreAskedAbout(t *testing.T) {
	t.Parallel()
	file := clitest.File(t, "r.ndjson", "{\"token\":\"a\"}\n{\"token\":\"bad\"}\n{\"token\":\"c\"}\n")
	const started = "POST /v1/batches/bat_1/start"
	for name, tt := range map[string]struct {
		args    []string
		asks    bool
		answer  string
		code    int
		want    string
		started bool
	}{
		"yes": {nil, true, "y\n", display.ExitIncomplete, "Send to the other 2? [y/N]", true},
		"no":  {nil, true, "n\n", display.ExitRefused, "send to the other 2:  belfry batch start bat_1", false},
		"nobody is there": {
			nil, false, "y\n", display.ExitRefused,
			"Nothing was sent: 1 line of the file refused, and --yes was not given", false,
		},
		"--yes":              {[]string{"--yes"}, false, "", display.ExitIncomplete, "", true},
		"--strict":           {[]string{"--strict"}, true, "y\n", display.ExitRefused, "bat_1 is cancelled", false},
		"--strict and --yes": {[]string{"--strict", "--yes"}, true, "y\n", display.ExitUsage, "give one of them", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api := newFakeAPI(t)
			con := display.Console{In: strings.NewReader(tt.answer), Asks: tt.asks}
			r := answered(t.Context(), api.URL, con, append([]string{"send", "--title", "x", "--recipients", file}, tt.args...)...)
			r.Expect(t, tt.code, tt.want)
			if got := slices.Contains(api.calls, started); got != tt.started {
				t.Errorf("started: %v", got)
			}
		})
	}
	belfry(t.Context(), "http://x", nil, "send", "--title", "x", "--to-token", "a", "--strict").Expect(t, display.ExitUsage,
		"--strict, --yes and --per-second are for --recipients")
}

// A dry run makes no batch, and finds what the server would refuse.
func TestDryRunSendsNothing(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t)
	file := clitest.File(t, "r.csv", "token;user_id\na;\n;ada\na b;\n;\n")
	belfry(t.Context(), api.URL, nil, "send", "--title", "x", "--recipients", file, "--dry-run").Expect(t, display.ExitRefused,
		"2 lines of "+file+" would be refused:\n  line 4 /token: ", "nothing was sent", "by user_id", "whether FCM accepts the tokens",
		"looked up the first one only")
	belfry(t.Context(), api.URL, nil, "send", "--title", "x", "--to-user", "ada", "--dry-run", "-o", "json").Expect(t, display.ExitOK,
		`"user_id": 1`, `"android": 2`, `"no_device_names": [`)
	inline := belfry(t.Context(), api.URL, nil, "send", "--title", "x", "--to-user", "ada", "--to-user", "eve", "--dry-run")
	clitest.Golden(t, "send-dry-run.out", inline.Out)
	if !strings.Contains(api.bodies["POST /v1/notifications"], `"validate_only":true`) || slices.Contains(api.calls, "POST /v1/batches") {
		t.Errorf("asked: %v, %v", api.calls, api.bodies)
	}
}
