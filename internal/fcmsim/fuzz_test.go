package fcmsim

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzDecode checks the decoder against encoding/json and the shortcut over templates against the decoder.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		``, `{}`, `[]`, `null`, `"x"`, `{"message":{}}`, `{"message":{"token":"t"}}`, `{"message":{"fid":"f"}}`,
		`{"message":{"topic":"news"}}`, `{"message":{"condition":"'a' in topics && !('b' in topics)"}}`,
		`{"validate_only":true,"message":{"data":{"token":"decoy","belfry_id":"n"},"token":"t"}}`,
		`{"message":{"token":"\u00e9\ud83d\ude00\"\\","data":{"from":"x","k":1}}}`,
		`{"message":{"token":"t","android":{"ttl":"3.5s","priority":"high","notification":{"color":"#a1b2c3",` +
			`"vibrate_timings":["1s"],"event_time":"2026-01-02T03:04:05Z","light_settings":{"color":{"red":0.5}}}}}}`,
		`{"message":{"token":"t","apns":{"headers":{"apns-priority":"5"},"payload":{"aps":{"badge":1},"x":[1,-2e9,{}]}}}}`,
		`{"message":{"token":"t","webpush":{"headers":{"TTL":"1"},"notification":{"a":"b"},"fcm_options":{"link":"https://x.y"}}}}`,
		`{"message":{"token":"t","token":"t"}}`, `{"message":{"token":"t"}} x`, "{\"message\":{\"token\":\"\xff\"}}",
		strings.Repeat(`{"message":`, 120), `{"a":01}`, `{"a":-}`, `{"a":1.}`, `{"a":1e+}`, `{"a":tru}`, `{"a":"\x"}`,
	} {
		f.Add([]byte(seed))
	}
	schema := newSchema()
	f.Fuzz(func(t *testing.T, body []byte) {
		d := decoder{scanner: scanner{buf: body}}
		_, err := d.root(schema)
		if _, isSyntax := errors.AsType[*syntaxError](err); err != nil && !isSyntax {
			t.Fatalf("error of another kind: %v", err)
		}
		isJSON := json.Valid(body) && utf8.Valid(body) || len(strings.Trim(string(body), " \t\r\n")) == 0
		if err == nil && !isJSON {
			t.Fatal("took what is not JSON")
		}
		if err != nil && isJSON && !strings.Contains(err.Error(), "too deep") {
			t.Fatalf("did not take JSON: %v", err)
		}

		req, refusal := decode(schema, body)
		if refusal != nil {
			if !json.Valid(refusal.body) || refusal.status != 400 {
				t.Fatalf("status %d: %s", refusal.status, refusal.body)
			}
			return
		}
		if req.start < req.end && string(body[req.start:req.end]) != req.address {
			t.Fatalf("address %q is not at %d:%d", req.address, req.start, req.end)
		}
		// A second message from the same template: the store must say of it what the decoder says.
		store := newTemplates(1 << 20)
		other := body
		if req.start < req.end {
			other = []byte(string(body[:req.start]) + "another:address-of_1" + string(body[req.end:]))
		}
		for _, b := range [][]byte{body, other, body} {
			want, refusal := decode(schema, b)
			tmpl, address, storeRefusal := store.read(b)
			if refusal != nil || storeRefusal != nil {
				t.Fatalf("the same template with another address is refused: %v %v", refusal, storeRefusal)
			}
			if address != want.address || tmpl.target != want.target || tmpl.belfryID != want.belfryID ||
				tmpl.validateOnly != want.validateOnly {
				t.Fatalf("store: %q of %+v, decoder: %+v", address, tmpl, want)
			}
			r := record{tmpl: tmpl, address: address}
			if got := r.body(); !sameJSON(t, got, b) || strings.Contains(string(got), "\n") {
				t.Fatalf("body %q came back as %q", b, got)
			}
		}
		if len(store.known) != 1 {
			t.Fatalf("%d templates for one", len(store.known))
		}
	})
}

func sameJSON(t *testing.T, a, b []byte) bool {
	t.Helper()
	var x, y any
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		return false
	}
	one, _ := json.Marshal(x)
	two, _ := json.Marshal(y)
	return string(one) == string(two)
}
