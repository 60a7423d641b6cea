package messagetest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"pgregory.net/rapid"
)

// Spoil changes a message in one to three places: a value becomes another of any
// kind, goes away, or gets a neighbour that does not belong there. Some of what
// it makes is still good.
func Spoil(t *rapid.T, m map[string]any) {
	for i := range rapid.IntRange(1, 3).Draw(t, "spoilt places") {
		places := placesOf(m)
		p := places[rapid.IntRange(0, len(places)-1).Draw(t, fmt.Sprintf("place %d", i))]
		p.spoil(t, fmt.Sprintf("spoil %d", i))
	}
}

// place is a value that can be replaced.
type place struct {
	key   string
	value any
	owner map[string]any // of a member
	set   func(v any)
}

func placesOf(m map[string]any) []place {
	places := []place{{owner: m, set: func(any) {}}}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for _, k := range sorted(v) {
				places = append(places, place{k, v[k], v, func(with any) { v[k] = with }})
				walk(v[k])
			}
		case []any:
			for i := range v {
				places = append(places, place{"", v[i], nil, func(with any) { v[i] = with }})
				walk(v[i])
			}
		}
	}
	walk(m)
	return places
}

func (p *place) spoil(t *rapid.T, label string) {
	switch choice := rapid.IntRange(0, 9).Draw(t, label); {
	case choice == 0 && p.owner != nil:
		delete(p.owner, p.key)
	case choice == 1 && p.owner != nil:
		p.owner[rapid.SampledFrom(strangers()).Draw(t, label+" key")] = junk(t, label+" value")
	case choice == 2 && p.owner != nil && p.key != "":
		delete(p.owner, p.key)
		p.owner[rapid.SampledFrom([]string{strings.ToUpper(p.key), p.key + " ", camel(p.key)}).Draw(t, label+" name")] = p.value
	default:
		p.set(junk(t, label+" value"))
	}
}

// strangers are names of members that do not belong everywhere.
func strangers() []string {
	return []string{
		"", "from", "google.x", "gcm.notification.y", "token", "topic", "name", "title_loc_args", "body_loc_args", "loc-args",
		"title-loc-args", "subtitle-loc-args",
		"apns-priority", "apns-expiration", "APNs-Collapse-ID", "apns-push-type", "TTL", "urgency", "Topic", "dir", "volume", "image", "link",
		"color",
		"analytics_label", "live_activity_token", "light_settings", "vibrate_timings", "android", "notification", "data", "headers", "payload",
		"aps", "alert", "x y",
	}
}

// junk draws a value that is right in few places.
func junk(t *rapid.T, label string) any {
	deep := any("bottom")
	for range rapid.SampledFrom([]int{3, 92, 110}).Draw(t, label+" depth") {
		deep = map[string]any{"d": deep}
	}
	return rapid.SampledFrom([]any{
		nil, true, false, json.Number("0"), json.Number("1"), json.Number("-1"), json.Number("1.5"), json.Number("2147483648"),
		json.Number("1e400"),
		"", "x", "10", "-1", "tomorrow", "high", "URGENT", "5s", "-5s", "2419201s", "1.0000000001s", "https://cdn.example.com/100%_off.png",
		"http://example.com", "no url",
		"/relative.png", "https://", "ftp://example.com/x", "https://exa mple.com", "#12345", "#123456", "with space", "a\r\nb", "größe",
		"\x00", "2026-02-30T00:00:00Z",
		strings.Repeat("long ", 900),
		[]any{},
		[]any{"a"},
		[]any{json.Number("1")},
		map[string]any{},
		map[string]any{"aps": "x"},
		map[string]any{"title": "t"},
		map[string]any{"loc-args": []any{"a"}},
		map[string]any{"volume": json.Number("2")},
		map[string]any{"apns-priority": "10"},
		map[string]any{"from": "x"},
		deep,
	}).Draw(t, label)
}

func camel(name string) string {
	head, rest, ok := strings.Cut(name, "_")
	if !ok || rest == "" {
		return name + "s"
	}
	return head + strings.ToUpper(rest[:1]) + rest[1:]
}

func sorted[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
