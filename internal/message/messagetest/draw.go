// Package messagetest draws messages from their description, good and spoilt, for
// tests that hold the door, the encoder, the simulator and Google's client
// against each other. It is test code that other packages' tests import.
package messagetest

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"pgregory.net/rapid"

	"github.com/belfry-push/belfry/internal/message"
)

// Draw returns a message without a target, in which every field by itself is
// good. Most have no fault; rules between fields may be broken.
func Draw(t *rapid.T) map[string]any {
	d := drawer{t}
	m := d.object("message", message.Described(), 3)
	if len(m) == 0 {
		m["data"] = map[string]any{"k": "v"}
	}
	return m
}

type drawer struct{ *rapid.T }

func (d drawer) text(name string) string {
	return rapid.OneOf(rapid.StringMatching(`[a-z]{1,8}`), rapid.StringMatching(`[ -~]{0,12}`),
		rapid.SampledFrom([]string{"", "Größe", "🐝 \"quoted\" \\", "<b>&\u2028", "line\nbreak"})).Draw(d.T, name)
}

// oneIn is true once in n times.
func (d drawer) oneIn(n int, name string) bool { return rapid.IntRange(1, n).Draw(d.T, name) == n }

// object draws each field of a type once in n times.
func (d drawer) object(at string, of *message.Type, n int) map[string]any {
	m := map[string]any{}
	for _, f := range of.Fields {
		name := at + "." + f.Name
		if f.Target || f.OutputOnly || !d.oneIn(n, name) {
			continue
		}
		if f.Repeated {
			items := make([]any, rapid.IntRange(0, 3).Draw(d.T, name+" length"))
			for i := range items {
				items[i] = d.value(fmt.Sprintf("%s[%d]", name, i), f)
			}
			m[f.Name] = items
			continue
		}
		m[f.Name] = d.value(name, f)
	}
	return m
}

func (d drawer) value(at string, f *message.Field) any {
	pick := func(of ...string) string { return rapid.SampledFrom(of).Draw(d.T, at) }
	switch f.Kind {
	case message.String:
		if len(f.Examples()) > 0 {
			return pick(append(f.Examples(), "")...)
		}
		return d.text(at)
	case message.Bool:
		return rapid.Bool().Draw(d.T, at)
	case message.Int32:
		return json.Number(strconv.Itoa(rapid.IntRange(0, 1<<31-1).Draw(d.T, at)))
	case message.Float:
		return json.Number(pick("0", "1", "0.5", "1e-1", "0.20000000298023224"))
	case message.Duration:
		return pick("0s", "1s", "3.5s", "1.000s", "1.05s", "0.000000001s", "2419200s")
	case message.Timestamp:
		return pick("2026-11-21T09:30:00Z", "2026-11-21T12:00:00.000000000Z", "0001-01-01T00:00:00Z", "2026-11-21T09:30:00.5+05:30")
	case message.Enum:
		return pick(f.Names...)
	case message.Object:
		n := 3
		if f.Name == "light_settings" || f.Name == "color" {
			n = 1 // all of them are required
		}
		return d.object(at, f.Of, n)
	case message.Map:
		return d.entries(at)
	case message.Struct:
		if strings.Contains(at, "payload") {
			return d.payload(at)
		}
		return d.web(at)
	}
	return nil
}

// knownHeaders are good values of headers.
func knownHeaders(at string) map[string][]string {
	if strings.Contains(at, "apns") {
		return map[string][]string{
			message.HeaderPriority: {"1", "5", "10"}, message.HeaderExpiration: {"0", "1795000000"},
			message.HeaderCollapseID: {"c", strings.Repeat("x", 64)},
			message.HeaderPushType:   {"alert", "background", "voip"}, "Apns-Topic": {"com.example"},
			"apns-id": {"123e4567-e89b-12d3-a456-426614174000"},
		}
	}
	return map[string][]string{
		message.HeaderTTL: {"0", "15"}, "ttl": {"86400"}, message.HeaderUrgency: {"high", "very-low"}, "Topic": {"abc_-9"}, "X-Mine": {"a b"},
	}
}

func (d drawer) entries(at string) map[string]any {
	m := map[string]any{}
	if !strings.Contains(at, "headers") {
		for k, v := range rapid.MapOfN(rapid.StringMatching(`[a-z]{1,6}|belfry_id`), rapid.StringMatching(`[ -~]{0,10}`), 0, 3).Draw(d.T, at) {
			if _, why := message.CheckDataKey(k); why == "" {
				m[k] = v
			}
		}
		return m
	}
	known := knownHeaders(at)
	for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom(sorted(known)), 0, 3, strings.ToLower).Draw(d.T, at) {
		m[name] = rapid.SampledFrom(known[name]).Draw(d.T, at+" "+name)
	}
	return m
}

func (d drawer) payload(at string) map[string]any {
	aps := map[string]any{}
	parts := map[string][]any{
		"alert": {
			"text",
			map[string]any{"title": "t", "body": "b"},
			map[string]any{"loc-key": "k", "loc-args": []any{"a"}},
			map[string]any{"title-loc-args": []any{}},
		},
		"badge": {json.Number("0"), json.Number("3")}, "content-available": {json.Number("1"), json.Number("0")},
		"mutable-content": {json.Number("1")},
		"sound":           {"default", map[string]any{"critical": json.Number("1"), "name": "n", "volume": json.Number("0.5")}},
		"event":           {"update", "start"}, "thread-id": {"t"}, "custom": {nil, []any{json.Number("1"), json.Number("2.5"), true}},
	}
	names := rapid.SliceOfNDistinct(rapid.SampledFrom(sorted(parts)), 0, 4, func(s string) string { return s })
	for _, name := range names.Draw(d.T, at+".aps") {
		aps[name] = rapid.SampledFrom(parts[name]).Draw(d.T, at+".aps."+name)
	}
	m := map[string]any{"aps": aps}
	if d.oneIn(3, at+".mine") {
		m["mine"] = d.free(at+".mine", 3)
	}
	return m
}

func (d drawer) web(at string) map[string]any {
	m := map[string]any{"title": d.text(at + ".title")}
	if d.oneIn(2, at+".dir") {
		m["dir"] = rapid.SampledFrom([]any{"auto", "ltr", "rtl", ""}).Draw(d.T, at+".dir")
	}
	if d.oneIn(2, at+".own") {
		m["own"] = d.free(at+".own", 2)
	}
	return m
}

// free draws any JSON value, a few levels deep.
func (d drawer) free(at string, depth int) any {
	choice := rapid.IntRange(0, 6).Draw(d.T, at)
	switch {
	case choice == 0 && depth > 0:
		return map[string]any{"a": d.free(at+".a", depth-1), "b/~c": d.free(at+".b", depth-1)}
	case choice == 1 && depth > 0:
		return []any{d.free(at+"[0]", depth-1)}
	case choice == 2:
		return nil
	case choice == 3:
		return rapid.Bool().Draw(d.T, at+" bool")
	case choice == 4:
		return json.Number(rapid.SampledFrom([]string{"0", "-1", "1.50", "1e3", "12345678901234567890"}).Draw(d.T, at+" number"))
	}
	return d.text(at + " text")
}
