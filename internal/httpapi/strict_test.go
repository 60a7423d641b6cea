package httpapi

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/httpapi/door/doortest"
	"github.com/belfry-push/belfry/internal/push"
)

// goWords are what only a programmer in Go would understand.
var goWords = regexp.MustCompile(`json:|cannot unmarshal|Go (value|struct)|struct field|interface ` +
	`\{\}|\b(u?int(8|16|32|64)|float64|map\[|(?:push|request|wire|client|strict|batch|replay)\.[A-Z])|invalid character|parsing time`)

// doors are the routes that read one JSON object, with a body that each takes.
func doors() map[string]string {
	return map[string]string{
		"POST /v1/notifications": `{"to":{"user_ids":["ada"]},"message":{"notification":{"title":"Hi"}},"priority":"high",` +
			`"labels":{"k":"v"},"ttl":60}`,
		"POST /v1/batches": `{"message":{"notification":{"title":"Hi"}},"throttle":{"per_second":5}}`,
		"POST /v1/events": `{"specversion":"1.0","id":"1","source":"/shop","type":"push.notification.requested.v1",` +
			`"time":"2026-11-03T12:00:00Z","data":{"to":{"user_ids":["ada"]},"message":{"notification":{"title":"Hi"}}}}`,
		"PUT /v1/devices/phone": `{"token":"abc","user_id":"ada","locale":"de","timezone":"Europe/Berlin","attributes":{"k":"v"}}`,
		"POST /v1/simulations": `{"filter":{"queue":"deliveries-bulk","dead_after":"2026-11-01T12:00:00Z"},"all":true,` +
			`"edits":{"priority":"bulk","patch":[{"op":"add","path":"/data","value":{"k":"v"}}]},"rate":5,"by":"ada"}`,
		"POST /v1/dead-letters/discard": `{"filter":{"queue":"deliveries-bulk"},"all":true,"reason":"old","by":"ada","expect":0}`,
		"POST /v1/tenants":              `{"name":"acme","about":"A","settings":{"priority":"bulk","delivery_guarantee":"at_most_once"}}`,
		"PUT /v1/platform":              `{"settings":{"ttl":60,"over_quota":"defer"}}`,
		"POST /v1/apps":                 `{"name":"shop","about":"the shop","settings":{"ttl":60}}`,
		"POST /v1/api-keys": `{"name":"checkout","env":"test","role":"sender","scopes":["send"],"networks":["10.0.0.0/8"],` +
			`"expires_at":"2036-11-03T12:00:00Z"}`,
		"PUT /v1/api-keys/{id}/signing":        `{"required":true}`,
		"POST /v1/api-keys/{id}/rotate":        `{"overlap":"1h"}`,
		"POST /v1/roles":                       `{"name":"support","about":"looks","permissions":["read"]}`,
		"POST /v1/breakers/{credential}/open":  `{"reason":"incident 42","for":"30m"}`,
		"POST /v1/breakers/{credential}/close": `{"reason":"incident 42","for":"30m"}`,
		"POST /v1/breakers/{credential}/reset": `{"reason":"incident 42"}`,
		"POST /v1/pauses":                      `{"scope":"app","tenant":"default","app":"shop","reason":"the key leaked"}`,
		"POST /v1/replays":                     `{"simulation":"sim_01890a5d-ac96-774b-bcce-b302099a8057","canary":0.5,"by":"ada"}`,
	}
}

// Every door reads JSON in one way only, and says what is wrong with it in the
// words of JSON, with the place.
func TestDoorsReadStrictly(t *testing.T) {
	t.Parallel()
	for entry, body := range doors() {
		t.Run(entry, func(t *testing.T) {
			t.Parallel()
			g := setup(t)
			method, target, _ := strings.Cut(entry, " ")
			try := func(name, body string) doortest.Answer {
				t.Helper()
				got := g.Do(t, method, target, body, "Content-Type", door.TypeJSON)
				if goWords.MatchString(got.Body.String()) {
					t.Errorf("%s: the answer speaks Go: %s\nof %s", name, got.Body, body)
				}
				return got
			}
			usual := try("as it should be", body)
			if usual.Code >= http.StatusInternalServerError || usual.Code == http.StatusBadRequest {
				t.Fatalf("%d: %s", usual.Code, usual.Body)
			}
			if got := setup(t).Do(t, method, target, "\xef\xbb\xbf"+body, "Content-Type", door.TypeJSON); got.Code != usual.Code {
				t.Errorf("with a byte order mark: %d, without %d: %s", got.Code, usual.Code, got.Body)
			}
			for name, bad := range map[string]string{
				"not UTF-8":     strings.Replace(body, `":"`, "\":\"\xe7", 1),
				"half an emoji": strings.Replace(body, `":"`, `":"\ud83d`, 1),
				"two objects":   body + body,
				"cut off":       strings.TrimSuffix(body, "}"),
				"a name twice":  `{"x":` + strings.Repeat("[", 50) + strings.Repeat("]", 50) + `,"x":1,` + body[1:],
				"too deep":      `{"x":` + strings.Repeat("[", 101) + strings.Repeat("]", 101) + `,` + body[1:],
				"UTF-16":        "\xff\xfe{\x00}\x00",
			} {
				if bad == body { // it has no text to spoil
					continue
				}
				got := try(name, bad)
				if got.Code != http.StatusBadRequest && got.Code != http.StatusUnprocessableEntity || len(got.Problem.Errors) == 0 {
					t.Errorf("%s: %d: %s", name, got.Code, got.Body)
				}
			}
			var fields map[string]json.RawMessage
			if err := json.Unmarshal([]byte(body), &fields); err != nil {
				t.Fatal(err)
			}
			for name, value := range fields {
				for _, other := range []string{`1`, `"x"`, `true`, `[1]`, `{"x":1}`, `1e999`, `"\u0000"`, `[null]`} {
					changed := strings.Replace(body, `"`+name+`":`+string(value), `"`+name+`":`+other, 1)
					if got := try(name+" as "+other, changed); got.Code >= http.StatusInternalServerError {
						t.Errorf("%s as %s: %d: %s", name, other, got.Code, got.Body)
					}
				}
				upper := strings.Replace(body, `"`+name+`":`, `"`+strings.ToUpper(name)+`":`, 1)
				if got := try(name+" in upper case", upper); got.Code < http.StatusBadRequest ||
					!strings.Contains(got.Body.String(), `did you mean \"`+name+`\"?`) {
					t.Errorf("%s in upper case: %d: %s", name, got.Code, got.Body)
				}
			}
			for at := range len(body) {
				try("cut", body[:at])
			}
		})
	}
}

func TestNullIsNotSet(t *testing.T) {
	t.Parallel()
	g := setup(t)
	for entry, body := range map[string]string{
		"POST /v1/notifications": `{"to":{"topic":"a","tokens":null},"message":{"data":{},"android":null},"priority":null,"ttl":null,` +
			`"expires_at":null,"labels":null,"collapse_id":null,"validate_only":null}`,
		"PUT /v1/devices/phone": `{"id":null,"token":"abc","fid":null,"platform":null,"user_id":null,"locale":null,"timezone":null,` +
			`"app_version":null,"attributes":null}`,
		"POST /v1/simulations": `{"filter":{"ids":null,"code":null,"dead_after":null,"queue":null},"all":true,"edits":{"patch":null,` +
			`"priority":null,"expire_after":null},"rate":null,"by":null}`,
	} {
		method, target, _ := strings.Cut(entry, " ")
		if got := g.Do(t, method, target, body, "Content-Type", door.TypeJSON); got.Code >= http.StatusBadRequest {
			t.Errorf("%s: %d: %s", entry, got.Code, got.Body)
		}
	}
	got := g.Do(t, "POST", "/v1/notifications", `{"to":{"topic":"a"},"message":{"data":{"k":null}}}`, "Content-Type", door.TypeJSON).Want(
		t, http.StatusUnprocessableEntity, door.CodeInvalid,
	)
	if e := got.Problem.Errors[0]; e.Pointer != "/message/data/k" || e.Code != push.FaultType || !strings.Contains(e.Detail, "null") {
		t.Errorf("null in data: %+v", e)
	}
}

func TestQueriesAreUTF8(t *testing.T) {
	t.Parallel()
	g := setup(t)
	for query, want := range map[string]string{
		"user_id=Fran%E7ois":    "?user_id value: must be UTF-8, percent-encoded (byte 4 of the value is not)",
		"user_id=%ED%A0%BD":     "?user_id value: must be UTF-8",
		"userid=ada":            `?userid unknown: unknown query parameter; there are limit, cursor, user_id; did you mean "user_id"?`,
		"%E7=1":                 "?\ufffd unknown: ",
		"user_id=a&user_id=b":   "?user_id conflict: must be given once (got 2)",
		"limit=%E7":             "?limit value: must be UTF-8",
		"user_id=a%00b":         "?user_id value: must not have the character U+0000",
		"user_id=%2":            "? value: the query is not URL-encoded name=value pairs",
		"limit=1&cursor=%FF%FE": "?cursor value: must be UTF-8",
	} {
		got := g.Do(t, "GET", "/v1/devices?"+query, "").Want(t, http.StatusUnprocessableEntity, door.CodeInvalid)
		e := got.Problem.Errors[0]
		if said := e.Pointer + " " + e.Code + ": " + e.Detail; !strings.HasPrefix(said, want) {
			t.Errorf("%s: %s, want %s", query, said, want)
		}
	}
	g.Do(t, "GET", "/v1/devices?user_id=J%C3%BCrgen", "").Want(t, http.StatusOK, "")
	g.Do(t, "GET", "/v1/devices/Fran%E7ois", "").Want(t, http.StatusNotFound, door.CodeNotFound)
	g.Do(t, "PUT", "/v1/devices/Fran%E7ois", `{"token":"a"}`).Want(t, http.StatusUnprocessableEntity, door.CodeInvalid)
}

// A key in quotation marks and a bare one are one key (RFC 8941).
func TestKeysInQuotationMarks(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, first, second string
		same                bool
	}{
		{"bare and quoted", `8e03978e-40d5-43dd-bc93-6894a57f9324`, `"8e03978e-40d5-43dd-bc93-6894a57f9324"`, true},
		{"spaces around", `k`, " \t\"k\" ", true},
		{"escapes", `"a\"b\\c"`, `a"b\c`, true},
		{"another", `"k"`, `l`, false},
		{"a space within", `"k "`, `k`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			g := setup(t)
			for _, target := range []string{"/v1/notifications", "/v1/batches/" + batID + "/start"} {
				body := ""
				if target == "/v1/notifications" {
					body = send
				}
				g.Do(t, "POST", target, body, "Idempotency-Key", c.first)
				again := g.Do(t, "POST", target, body, "Idempotency-Key", c.second)
				if same := again.Header().Get("Idempotency-Replayed") == "true"; same != c.same || again.Code >= http.StatusBadRequest {
					t.Errorf("%s: %d, the same key: %v", target, again.Code, same)
				}
			}
		})
	}
	g := setup(t)
	for name, key := range map[string]string{
		"nothing": "", "nothing in quotation marks": `""`, "not closed": `"k`, "a quotation mark alone": `"`, "more behind": `"k"; a=1`,
		"two":                    `"k","l"`,
		"an escape that is none": `"\n"`, "ends in an escape": `"k\`, "a control character": "k\x7f", "not ASCII": `"ключ"`,
		"Latin-1": "cl\xe9", "too long": `"` + strings.Repeat("k", 256) + `"`,
	} {
		if got := g.Do(t, "POST", "/v1/notifications", send, "Idempotency-Key", key); got.Code != http.StatusBadRequest ||
			got.Problem.Code != string(door.CodeKeyInvalid) {
			t.Errorf("%s: %d %s", name, got.Code, got.Problem.Code)
		}
	}
	g.Do(t, "POST", "/v1/notifications", send, "Idempotency-Key", `"`+strings.Repeat("k", 255)+`"`).Want(t, http.StatusAccepted, "")
}
