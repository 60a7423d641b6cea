package request

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/belfry-push/belfry/internal/push"
)

// What is not text, or half a character, is refused in every string of a line,
// wherever in the string it stands: not read as what stands before it.
func TestLinesRefuseWhatIsNoText(t *testing.T) {
	t.Parallel()
	text := regexp.MustCompile(`"[^"]*"`)
	for door, c := range lineDoors() {
		for _, at := range text.FindAllStringIndex(c.line, -1) {
			for _, bad := range []string{
				"\xe7", "\xed\xa0\x80", "\xc0\x80", `\ud83d`, `\udd14`, `\ud83d\u0041`, `\udd14\ud83d`, `\x41`, `\u1g`, "\x00", "\n",
			} {
				for _, where := range []int{at[0] + 1, at[1] - 1} {
					line := c.line[:where] + bad + c.line[where:]
					var faults push.Faults
					if err := c.decode([]byte(line)); !errors.As(err, &faults) || faults[0].Code != push.FaultSyntax {
						t.Errorf("%s takes %q: %v", door, line, err)
					}
				}
			}
		}
	}
}

// A value of the wrong type is refused at its place, and a misspelt name with
// what was meant.
func TestLinesPointToTheFault(t *testing.T) {
	t.Parallel()
	for door, c := range lineDoors() {
		var fields map[string]any
		if err := json.Unmarshal([]byte(c.line), &fields); err != nil {
			t.Fatal(err)
		}
		for name := range fields {
			for _, wrong := range []string{`1`, `1e999`, `true`, `[]`, `[1]`, `[{"x":1}]`} {
				fields := map[string]any{"token": "abc"}
				fields[name] = json.RawMessage(wrong)
				line, err := json.Marshal(fields)
				if err != nil {
					t.Fatal(err)
				}
				if err := c.decode(line); err == nil || !strings.Contains(err.Error(), "/"+name+": must be") {
					t.Errorf("%s, %s: %v", door, line, err)
				}
			}
			for _, bad := range []string{strings.ToUpper(name), name + name[len(name)-1:], name[:len(name)-1], name[1:2] + name[:1] + name[2:]} {
				if _, known := fields[bad]; known || name == "id" {
					continue
				}
				err := c.decode(fmt.Appendf(nil, `{"%s":"x"}`, bad))
				if want := fmt.Sprintf("/%s: unknown field; did you mean %q?", bad, name); err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%s: %v, want %s", door, err, want)
				}
			}
		}
	}
}

// lineDoors are the doors that read a line, with one that has every field.
func lineDoors() map[string]struct {
	line   string
	decode func(line []byte) error
} {
	return map[string]struct {
		line   string
		decode func(line []byte) error
	}{
		"an upload": {`{"user_id":"ada","locale":"de","collapse_id":"c","data":{"k":"v"}}`, func(line []byte) error {
			_, err := DecodeRecipient(line)
			return err
		}},
		"an upload of tokens": {`{"token":"abc"}`, func(line []byte) error {
			_, err := DecodeRecipient(line)
			return err
		}},
		"an import": {
			`{"id":"p","token":"abc","user_id":"ada","platform":"web","locale":"de","timezone":"UTC","app_version":"1",` +
				`"attributes":{"k":"v"}}`,
			func(line []byte) error {
				_, err := DecodeDevice(line)
				return err
			},
		},
	}
}
