package sendapi

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/belfry-push/belfry/internal/fcmsim/protojson"
)

// FuzzTemplates checks the shortcut over templates against the decoder, and that every refusal is answered in JSON.
func FuzzTemplates(f *testing.F) {
	for _, seed := range []string{
		``, `[]`, `{"message":{"token":"t"}}`, `{"message":{"fid":"f"}}`, `{"message":{"topic":"news"}}`,
		`{"validate_only":true,"message":{"data":{"token":"decoy","belfry_id":"n"},"token":"t"}}`,
		`{"message":{"token":"\u00e9\ud83d\ude00\"\\","data":{"from":"x","k":1}}}`, `{"message":{"token":"t","token":"t"}}`,
	} {
		f.Add([]byte(seed))
	}
	schema := protojson.Schema()
	f.Fuzz(func(t *testing.T, body []byte) {
		req, refusal := protojson.Decode(schema, body)
		if refusal != nil {
			if a := refusedBody(refusal); !json.Valid(a.Body) || a.Status != 400 {
				t.Fatalf("status %d: %s", a.Status, a.Body)
			}
			return
		}
		// A second message from the same template: the store must say of it what the decoder says.
		store := newTemplates(1 << 20)
		other := body
		if req.Start < req.End {
			other = []byte(string(body[:req.Start]) + "another:address-of_1" + string(body[req.End:]))
		}
		for _, b := range [][]byte{body, other, body} {
			want, refusal := protojson.Decode(schema, b)
			tmpl, address, storeRefusal := store.read(b)
			if refusal != nil || storeRefusal != nil {
				t.Fatalf("the same template with another address is refused: %v %v", refusal, storeRefusal)
			}
			if address != want.Address || tmpl.target != want.Target || tmpl.belfryID != want.BelfryID ||
				tmpl.validateOnly != want.ValidateOnly {
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
