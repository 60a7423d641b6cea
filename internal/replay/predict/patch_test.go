package predict

import (
	"strings"
	"testing"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/request"
)

// TestPatchOps follows the examples of RFC 6902, appendix A, and its rules.
func TestPatchOps(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, doc, patch string
		want             string // "" for an error
	}{
		{"A.1 add an object member", `{"foo":"bar"}`, `[{"op":"add","path":"/baz","value":"qux"}]`, `{"foo":"bar","baz":"qux"}`},
		{"A.2 add an array element", `{"foo":["bar","baz"]}`, `[{"op":"add","path":"/foo/1","value":"qux"}]`, `{"foo":["bar","qux","baz"]}`},
		{"A.3 remove an object member", `{"baz":"qux","foo":"bar"}`, `[{"op":"remove","path":"/baz"}]`, `{"foo":"bar"}`},
		{"A.4 remove an array element", `{"foo":["bar","qux","baz"]}`, `[{"op":"remove","path":"/foo/1"}]`, `{"foo":["bar","baz"]}`},
		{"A.5 replace a value", `{"baz":"qux","foo":"bar"}`, `[{"op":"replace","path":"/baz","value":"boo"}]`, `{"baz":"boo","foo":"bar"}`},
		{
			"A.6 move a value", `{"foo":{"bar":"baz","waldo":"fred"},"qux":{"corge":"grault"}}`,
			`[{"op":"move","from":"/foo/waldo","path":"/qux/thud"}]`, `{"foo":{"bar":"baz"},"qux":{"corge":"grault","thud":"fred"}}`,
		},
		{
			"A.7 move an array element", `{"foo":["all","grass","cows","eat"]}`, `[{"op":"move","from":"/foo/1","path":"/foo/3"}]`,
			`{"foo":["all","cows","eat","grass"]}`,
		},
		{
			"A.8 test a value", `{"baz":"qux","foo":["a",2,"c"]}`,
			`[{"op":"test","path":"/baz","value":"qux"},{"op":"test","path":"/foo/1","value":2}]`, `{"baz":"qux","foo":["a",2,"c"]}`,
		},
		{"A.9 test a value, error", `{"baz":"qux"}`, `[{"op":"test","path":"/baz","value":"bar"}]`, ``},
		{
			"A.10 add a nested object", `{"foo":"bar"}`, `[{"op":"add","path":"/child","value":{"grandchild":{}}}]`,
			`{"foo":"bar","child":{"grandchild":{}}}`,
		},
		{"A.11 ignore what is unknown", `{"foo":"bar"}`, `[{"op":"add","path":"/baz","value":"qux","xyz":123}]`, `{"foo":"bar","baz":"qux"}`},
		{"A.12 add to what is not there", `{"foo":"bar"}`, `[{"op":"add","path":"/baz/bat","value":"qux"}]`, ``},
		{"A.14 escapes", `{"/":9,"~1":10}`, `[{"op":"test","path":"/~01","value":10}]`, `{"/":9,"~1":10}`},
		{"A.15 strings are no numbers", `{"/":9,"~1":10}`, `[{"op":"test","path":"/~01","value":"10"}]`, ``},
		{"A.16 add an array value", `{"foo":["bar"]}`, `[{"op":"add","path":"/foo/-","value":["abc","def"]}]`, `{"foo":["bar",["abc","def"]]}`},
		{"add replaces", `{"foo":1}`, `[{"op":"add","path":"/foo","value":null}]`, `{"foo":null}`},
		{"add the root", `{"foo":1}`, `[{"op":"add","path":"","value":[1]}]`, `[1]`},
		{"replace the root", `{"foo":1}`, `[{"op":"replace","path":"","value":{}}]`, `{}`},
		{
			"copy is deep", `{"a":{"b":1}}`, `[{"op":"copy","from":"/a","path":"/c"},{"op":"replace","path":"/c/b","value":2}]`,
			`{"a":{"b":1},"c":{"b":2}}`,
		},
		{"numbers are equal as they are written", `{"a":1}`, `[{"op":"test","path":"/a","value":1.0}]`, ``},
		{
			"deep equality", `{"a":[{"b":null,"c":[true]}]}`, `[{"op":"test","path":"/a","value":[{"c":[true],"b":null}]}]`,
			`{"a":[{"b":null,"c":[true]}]}`,
		},
		{"deep inequality", `{"a":[{"b":1}]}`, `[{"op":"test","path":"/a","value":[{"b":2}]}]`, ``},
		{"shorter array", `{"a":[1,2]}`, `[{"op":"test","path":"/a","value":[1]}]`, ``},
		{
			"large numbers keep their digits", `{"a":12345678901234567890}`, `[{"op":"add","path":"/b","value":98765432109876543210}]`,
			`{"a":12345678901234567890,"b":98765432109876543210}`,
		},
		{"move into itself", `{"a":{"b":1}}`, `[{"op":"move","from":"/a","path":"/a/b"}]`, ``},
		{"move onto itself", `{"a":1}`, `[{"op":"move","from":"/a","path":"/a"}]`, `{"a":1}`},
		{"remove what is not there", `{"a":1}`, `[{"op":"remove","path":"/b"}]`, ``},
		{"remove the root", `{"a":1}`, `[{"op":"remove","path":""}]`, ``},
		{"replace what is not there", `{"a":1}`, `[{"op":"replace","path":"/b","value":1}]`, ``},
		{"an index too far", `[1]`, `[{"op":"add","path":"/2","value":1}]`, ``},
		{"an index with a leading zero", `[1,2]`, `[{"op":"remove","path":"/01"}]`, `[1]`},
		{"a negative index", `[1,2]`, `[{"op":"remove","path":"/-1"}]`, ``},
		{"behind the end, to remove", `[1]`, `[{"op":"remove","path":"/-"}]`, ``},
		{"within a string", `{"a":"b"}`, `[{"op":"add","path":"/a/b","value":1}]`, ``},
		{"an empty name", `{"":1}`, `[{"op":"replace","path":"/","value":2}]`, `{"":2}`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p, err := ParsePatch([]byte(c.patch))
			if err != nil {
				t.Fatal(err)
			}
			got, err := p.applyTo([]byte(c.doc))
			if string(got) != c.want {
				t.Errorf("got %s (%v), want %s", got, err, c.want)
			}
		})
	}
}

func TestPatchForm(t *testing.T) {
	t.Parallel()
	for patch, want := range map[string]string{
		`{}`: "an array of operations",
		`[]`: "1..100 operations",
		`[` + strings.Repeat(`{"op":"remove","path":"/a"},`, 100) + `{"op":"remove","path":"/a"}]`: "got 101",
		`[{"op":"add","value":1}]`:                              `path is missing`,
		`[{"op":"add","path":"/a"}]`:                            `add needs value`,
		`[{"op":"test","path":"/a"}]`:                           `test needs value`,
		`[{"op":"move","path":"/a"}]`:                           `move needs from`,
		`[{"op":"copy","path":"/a","from":"b"}]`:                "begin with a slash",
		`[{"op":"frob","path":"/a"}]`:                           `got "frob"`,
		`[{"op":"remove","path":"a"}]`:                          "begin with a slash",
		`[{"op":"remove","path":"/a~2"}]`:                       "~0",
		`[{"op":"remove","path":"/a~"}]`:                        "~0",
		`[{"op":"remove","path":"/~0~1~"}]`:                     "~0",
		`[{"op":"remove","path":"/a"},{"op":"remove"}]`:         "/1/path: path is missing",
		`{"op":"remove","path":"/a"}`:                           "an array of operations",
		`null`:                                                  "1..100 operations",
		`[{"op":1,"path":"/a"}]`:                                "/0/op: must be a string",
		`[{"op":"remove","path":"/a","path":"/b"}]`:             "/0/path: is there twice",
		`[{"op":"remove","Path":"/a"}]`:                         `path is missing`,
		`[{"op":"add","path":"/a","Value":1}]`:                  `add needs value`,
		"[{\"op\":\"add\",\"path\":\"/a\",\"value\":\"\xe7\"}]": "/0/value: must be UTF-8 (byte 34 is 0xe7)",
		`[{"op":"add","path":"/a","value":"\udd14"}]`:           "/0/value: \\udd14 at byte 34 is half a character",
		`[{"op":"replce","path":"/a","value":1}]`: `/0/op: must be add, remove, replace, move, copy or test (got "replce"); ` +
			`did you mean "replace"?`,
		`[{"op":"add","pth":"/a","value":1}]`:     `/0/pth: path is missing; did you mean "path"?`,
		`[{"op":"copy","path":"/a","form":"/b"}]`: `/0/form: copy needs from; did you mean "from"?`,
		`[{"op":"add","path":"/a","Value":2}]`:    `/0/Value: add needs value; did you mean "value"?`,
		`[{"op":"remove","path":null}]`:           "/0/path: must be a string",
		`[1,{"op":"remove","path":"a"}]`:          `/0: must be an object with "op" and "path"; /1/path: is no JSON Pointer`,
		`[null]`:                                  `/0: must be an object`,
		`["a"]`:                                   `/0: must be an object`,
	} {
		if _, err := ParsePatch([]byte(patch)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: error is %v, want %q", patch, err, want)
		}
	}
	if _, err := ParsePatch([]byte(`[{"op":"add","path":"/a","value":null}]`)); err != nil {
		t.Errorf("null is a value: %v", err)
	}
}

// A patched message is checked as a new one is, and the old one stays.
func TestPatchMessage(t *testing.T) {
	t.Parallel()
	before := push.Message(`{"notification":{"title":"Hi"}}`)
	for patch, want := range map[string]string{
		`[{"op":"add","path":"/notification/body","value":"<b>"}]`: `{"notification":{"body":"<b>","title":"Hi"}}`,
		`[{"op":"add","path":"/android","value":{"priority":"NORMAL"}}]`: `{"android":{"priority":"NORMAL"},` +
			`"notification":{"title":"Hi"}}`,
		`[{"op":"add","path":"/token","value":"x"}]`:                                      ``,
		`[{"op":"remove","path":"/notification"}]`:                                        ``,
		`[{"op":"replace","path":"/notification/title","value":7}]`:                       ``,
		`[{"op":"replace","path":"","value":"text"}]`:                                     ``,
		`[{"op":"test","path":"/notification/title","value":"Bye"}]`:                      ``,
		`[{"op":"add","path":"/data","value":{"k":"` + strings.Repeat("x", 5000) + `"}}]`: ``,
	} {
		p, err := ParsePatch([]byte(patch))
		if err != nil {
			t.Fatal(err)
		}
		got, err := p.Apply(before)
		if string(got) != want || (err == nil) != (want != "") {
			t.Errorf("%.80s: got %s (%v), want %s", patch, got, err, want)
		}
	}
	if string(before) != `{"notification":{"title":"Hi"}}` {
		t.Errorf("the message before became %s", before)
	}
}

// FuzzPatch reads patches from outside: no input may crash it, and what it
// makes is a valid message.
func FuzzPatch(f *testing.F) {
	for _, s := range []string{
		`[{"op":"add","path":"/notification/body","value":"x"}]`, `[{"op":"move","from":"/notification","path":"/data"}]`,
		`[{"op":"copy","from":"/data/list/0","path":"/data/list/-"}]`, `[{"op":"test","path":"","value":{}}]`,
		`[{"op":"remove","path":"/~0~1/9"}]`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := ParsePatch(data)
		if err != nil {
			return
		}
		got, err := p.Apply(push.Message(`{"notification":{"title":"Hi"},"data":{"k":"v"},"apns":{"payload":{"list":[1,{"a":2}]}}}`))
		if err != nil {
			return
		}
		if again, err := request.DecodeMessage(got, ""); err != nil || string(again) != string(got) {
			t.Errorf("patched to %s, which is %v", got, err)
		}
	})
}
