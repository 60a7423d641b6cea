package wiretest

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-push/belfry/internal/wire"
)

var update = flag.Bool("update", false, "write the examples and schemas into docs/events.md")

// event is an example as it is published.
func event(t *testing.T, x wire.Sample) wire.Event {
	t.Helper()
	e, err := x.Event()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func indented(t *testing.T, text []byte) string {
	t.Helper()
	var b bytes.Buffer
	if err := json.Indent(&b, text, "", "  "); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// block finds a JSON block of the document by the mark before it.
var block = regexp.MustCompile("(?s)<!-- (schema|example) of ([a-z0-9.]+) -->\n```json\n(.*?)```")

// TestDocument holds docs/events.md against the types: a section, an example and
// a schema of each, and the envelope's. With -update they are written.
func TestDocument(t *testing.T) {
	t.Parallel()
	file := filepath.Join("..", "..", "..", "docs", "events.md")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	note := func(name string, value any) {
		s, err := Schema(name, value)
		if err != nil {
			t.Fatal(err)
		}
		want["schema of "+name] = string(s)
	}
	note("envelope", wire.Envelope{})
	for _, x := range wire.Samples() {
		e := event(t, x)
		body, err := wire.EncodeEvent(&e)
		if err != nil {
			t.Fatal(err)
		}
		want["example of "+e.Type] = indented(t, body)
		note(e.Type, x.Data)
		if !bytes.Contains(text, []byte("\n### `"+e.Type+"`\n")) {
			t.Errorf("docs/events.md has no section on %s", e.Type)
		}
	}
	seen := map[string]bool{}
	renewed := block.ReplaceAllFunc(text, func(found []byte) []byte {
		m := block.FindSubmatch(found)
		name := string(m[1]) + " of " + string(m[2])
		seen[name] = true
		if diff := cmp.Diff(want[name], strings.TrimSuffix(string(m[3]), "\n")); diff != "" && !*update {
			t.Errorf(
				"%s in docs/events.md (-type +document); go test ./internal/wire/wiretest -update writes it, and whoever listens has to be told:\n%s",
				name, diff)
		}
		return []byte("<!-- " + name + " -->\n```json\n" + want[name] + "\n```")
	})
	for name := range want {
		if !seen[name] {
			t.Errorf("docs/events.md has no %s", name)
		}
	}
	if *update {
		if err := os.WriteFile(file, renewed, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestExamplesAreGood also holds that there is an example of every type.
func TestExamplesAreGood(t *testing.T) {
	t.Parallel()
	all := wire.Samples()
	if len(all) != len(wire.Outgoing()) {
		t.Fatalf("%d examples of %d types", len(all), len(wire.Outgoing()))
	}
	for i, x := range all {
		e := event(t, x)
		if e.Type != wire.Outgoing()[i].EventType() {
			t.Errorf("example %d is of %s", i, e.Type)
		}
		if err := Check(&e); err != nil {
			t.Error(err)
		}
	}
}

// TestDataIsSorted holds that the bytes are still those of programs which wrote
// the data from maps.
func TestDataIsSorted(t *testing.T) {
	t.Parallel()
	for _, x := range wire.Samples() {
		e := event(t, x)
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(e.Data, &fields); err != nil {
			t.Fatal(err)
		}
		if got, err := json.Marshal(fields); err != nil || !bytes.Equal(got, e.Data) {
			t.Errorf("data %s\nfrom a map %s (%v)", e.Data, got, err)
		}
	}
}

func TestCheckRefuses(t *testing.T) {
	t.Parallel()
	good := event(t, wire.Samples()[0])
	for name, spoil := range map[string]func(e *wire.Event){
		"a type that is not documented": func(e *wire.Event) { e.Type = "push.delivery.outcome.v2" },
		"a type of others":              func(e *wire.Event) { e.Type = "com.example" },
		"no subject":                    func(e *wire.Event) { e.Subject = "" },
		"no time":                       func(e *wire.Event) { e.Time = time.Time{} },
		"a field more":                  func(e *wire.Event) { e.Data = with(e.Data, `"extra":1`) },
		"a field less":                  func(e *wire.Event) { e.Data = bytes.Replace(e.Data, []byte(`"chunk":7,`), nil, 1) },
		"another type":                  func(e *wire.Event) { e.Data = bytes.Replace(e.Data, []byte(`"chunk":7`), []byte(`"chunk":"7"`), 1) },
		"a code of nobody":              func(e *wire.Event) { e.Data = bytes.Replace(e.Data, []byte(`"sent"`), []byte(`"send"`), 1) },
		"no data":                       func(e *wire.Event) { e.Data = nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := good
			e.Data = bytes.Clone(good.Data)
			spoil(&e)
			if err := Check(&e); err == nil {
				t.Errorf("%s passes", e.Data)
			}
		})
	}
}

// with adds a field at the end.
func with(data []byte, field string) []byte {
	return append(bytes.TrimSuffix(data, []byte("}")), ("," + field + "}")...)
}
