package protojson

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzDecode checks the decoder against encoding/json.
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
	schema := Schema()
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

		req, refusal := Decode(schema, body)
		if refusal != nil {
			if (refusal.Kind == Unparsable) != (err != nil || len(d.violations) > 0) ||
				refusal.Kind <= Unacceptable && len(refusal.Violations) == 0 {
				t.Fatalf("refused as %+v: %v, %v", refusal, err, d.violations)
			}
			return
		}
		if req.Start < req.End && string(body[req.Start:req.End]) != req.Address {
			t.Fatalf("address %q is not at %d:%d", req.Address, req.Start, req.End)
		}
	})
}
