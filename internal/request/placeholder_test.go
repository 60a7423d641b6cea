package request_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/request"
)

func TestPlaceholders(t *testing.T) {
	t.Parallel()
	for text, warned := range map[string]bool{
		"Hi {{name}}": true, "Hi {{ user.name | upper }}": true, "{{{html}}}": true, "{{#if gold}}x{{/if}}": true, "{{.Name}}": true,
		"{{- .Name -}}": true,
		"Hi ${name}":    true, "${user.first_name}!": true, "{{größe}}": true,
		"Hi": false, "": false, "{{}}": false, "{{ }}": false, "{name}": false, "${5}": false, "$5 {off}": false, "{{1}}": false,
		"%s [name] <name>": false, "}}a{{": false, ":{{ ": false,
	} {
		for _, at := range []string{
			"/message/notification/title", "/message/notification/body", "/message/android/notification/ticker", "/message/apns/payload/aps/alert",
			"/message/apns/payload/aps/alert/subtitle", "/message/webpush/notification/body",
		} {
			req, err := request.DecodeRequest([]byte(nest(t, at, text)), false, time.Time{})
			if err != nil {
				t.Fatalf("%q at %s: %v", text, at, err)
			}
			if got := len(req.Warnings) == 1 && req.Warnings[0].Pointer == at && req.Warnings[0].Code == push.WarnPlaceholder; got != warned ||
				len(req.Warnings) > 1 {
				t.Errorf("%q at %s: got %v", text, at, req.Warnings)
			}
		}
	}
	req, err := request.DecodeRequest([]byte(nest(t, "/message/data/template", "Hi {{name}}")), true, time.Time{})
	if err == nil || len(req.Warnings) > 0 { // a batch has no target
		t.Errorf("got %v, %v", req.Warnings, err)
	}
	req, err = request.DecodeRequest([]byte(nest(t, "/message/data/template", "Hi {{name}}")), false, time.Time{})
	if err != nil || len(req.Warnings) > 0 {
		t.Errorf("data is the app's own: got %v, %v", req.Warnings, err)
	}
}

// nest returns a request with a text at a pointer.
func nest(t *testing.T, pointer, text string) string {
	t.Helper()
	steps := strings.Split(pointer[1:], "/")
	var v any = text
	for _, step := range slices.Backward(steps) {
		v = map[string]any{step: v}
	}
	m, _ := v.(map[string]any)
	m["to"] = map[string]any{"tokens": []string{"t"}}
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
