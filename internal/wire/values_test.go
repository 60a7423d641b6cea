package wire

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/belfry-push/belfry/internal/push"
)

// FuzzColumns holds the scanner of plain values to encoding/json: same values,
// same everything else, an error where it has one.
func FuzzColumns(f *testing.F) {
	for _, s := range []string{
		`{"values":["a","b"],"kind":"token","lines":[1,2]}`,
		`{"values":["a","b"],"VALUES":["c"]}`, `{"Values":["c"],"values":["a","b"]}`, `{"values":["a"],"values":null}`,
		`{"values":["a"],"values":["\u0000"]}`, `{"values":["\u0000"]}`,
		`{"x":{"values":["a"]},"values":["b"]}`, `{"x":{"values":["a"]}}`, `{"x":"\"values\":[\"","values":["b"]}`,
		`{"values":["a",]}`, `{"values":["a" ,"b"]}`, `{"values":["a"`, `{"values":["a"]`, `{"values":["`, `{"values":["ä"]}`,
		"{\"values\":[\"a\x01\"]}",
		`{"values":["a","b",7]}`, `{"values":["a"],"kind":7}`, `{"rows":{"0":{"data":{"values":["x"]}}},"values":["a"]}`,
		`{"rows":{"values":["a"]}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var want, got recipientsJSON
		wantErr := json.Unmarshal(data, &want)
		_ = decodeColumns(data, typeRecipients, &got, &got.envelope, &got.columns)
		if wantErr != nil {
			return
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(recipientsJSON{})); diff != "" {
			t.Fatalf("(-encoding/json +here):\n%s", diff)
		}
	})
}

// TestColumnsRefuseWhatJSONRefuses: the shortcut must not read what
// encoding/json would not.
func TestColumnsRefuseWhatJSONRefuses(t *testing.T) {
	t.Parallel()
	const open, end = `{"v":1,"type":"recipients","kind":"token","values":["a"`, `,"first":1}`
	rapid.Check(t, func(t *rapid.T) {
		data := []byte(open + rapid.StringMatching(`[\]\[",:ab\\ {}\x01é]{0,6}`).Draw(t, "middle") + end)
		var plain, quick recipientsJSON
		wantErr := decode(data, typeRecipients, &plain, &plain.envelope)
		err := decodeColumns(data, typeRecipients, &quick, &quick.envelope, &quick.columns)
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("%s: %v, encoding/json: %v", data, err, wantErr)
		}
	})
}

func TestPlainStrings(t *testing.T) {
	t.Parallel()
	values, size := plainStrings([]byte(`"a","","c:-_ ~"],"next":1`))
	if diff := cmp.Diff([]push.Token{"a", "", "c:-_ ~"}, values); diff != "" || size != 15 {
		t.Errorf("size %d (-want +got):\n%s", size, diff)
	}
}
