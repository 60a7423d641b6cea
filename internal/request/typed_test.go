package request

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-push/belfry/internal/push"
)

type everything struct {
	Text   string            `json:"text"`
	Flag   bool              `json:"flag"`
	Count  int               `json:"count"`
	Small  int8              `json:"small"`
	Share  float64           `json:"share"`
	At     *time.Time        `json:"at"`
	List   []string          `json:"list"`
	Map    map[string]string `json:"map"`
	Raw    json.RawMessage   `json:"raw"`
	Code   push.Code         `json:"code"`
	Bytes  []byte            `json:"bytes"`
	Inner  *inner            `json:"inner"`
	Hidden string            `json:"-"`
	embedded
}

type inner struct {
	Depth int `json:"depth"`
}

type embedded struct {
	Own string `json:"own"`
}

func TestDecodeJSON(t *testing.T) {
	t.Parallel()
	at := now()
	var got everything
	err := DecodeJSON([]byte("\xef\xbb\xbf"+
		`{"text":"ü","flag":true,"count":-5,"small":-128,"share":1e-3,"at":"2026-11-21T09:30:00Z","list":["a"],"map":{"k":"v"},
		"raw":{"b":null,"a":1.50},"code":"fcm.unregistered","bytes":"AAE=","inner":{"depth":2},"own":"x"}`), &got)
	want := everything{
		Text: "ü", Flag: true, Count: -5, Small: -128, Share: 1e-3, At: &at, List: []string{"a"}, Map: map[string]string{"k": "v"},
		Raw: json.RawMessage(`{"a":1.50,"b":null}`), Code: push.CodeFCMUnregistered, Bytes: []byte{0, 1}, Inner: &inner{2},
		embedded: embedded{"x"},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(everything{})); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	var nothing everything
	err = DecodeJSON([]byte(
		`{"text":null,"flag":null,"count":null,"at":null,"list":null,"map":null,"raw":null,"code":null,"bytes":null,"inner":null,"own":null}`,
	),
		&nothing)
	if diff := cmp.Diff(everything{}, nothing, cmp.AllowUnexported(everything{})); err != nil || diff != "" {
		t.Errorf("null: %v\n%s", err, diff)
	}
}

func TestDecodeJSONFaults(t *testing.T) {
	t.Parallel()
	cases := []faultCase{
		{"nothing", ``, []string{" syntax"}},
		{"not an object", `[]`, []string{" type"}},
		{"null", `null`, []string{" type"}},
		{"two objects", `{}{}`, []string{" syntax"}},
		{"an unknown name", `{"colour":1}`, []string{"/colour unknown"}},
		{"another case", `{"Text":"a"}`, []string{"/Text unknown"}},
		{"a field that is none", `{"Hidden":"a","-":"b"}`, []string{"/- unknown", "/Hidden unknown"}},
		{"a name twice", `{"text":"a","text":"b"}`, []string{"/text conflict"}},
		{"not UTF-8", "{\"text\":\"\xe7\"}", []string{"/text syntax"}},
		{"half an emoji", `{"list":["\ud83d"]}`, []string{"/list/0 syntax"}},
		{
			"texts", `{"text":1,"list":[1,null],"map":{"a":1,"b":null}}`,
			[]string{"/list/0 type", "/list/1 type", "/map/a type", "/map/b type", "/text type"},
		},
		{
			"numbers", `{"count":1.5,"small":128,"share":1e999,"inner":{"depth":"2"}}`,
			[]string{"/count value", "/inner/depth type", "/share value", "/small value"},
		},
		{"others", `{"flag":"yes","at":"noon","code":"fcm.unregisterd","bytes":"%","map":[],"list":{},"inner":1}`, []string{
			"/at value", "/bytes value", "/code value", "/flag type", "/inner type", "/list type", "/map type",
		}},
	}
	checkFaults(t, cases, func(body []byte) error {
		err := DecodeJSON(body, new(everything))
		if err != nil && strings.Contains(err.Error(), "json:") {
			t.Errorf("%s: an error of Go: %v", body, err)
		}
		return err
	})
	if err := DecodeJSON([]byte(`{"txet":"a"}`), new(everything)); err == nil || !strings.HasSuffix(err.Error(), `did you mean "text"?`) {
		t.Errorf("no suggestion: %v", err)
	}
	var got everything
	err := DecodeKnown([]byte(`{"Text":"b","text":"a","TEXT":"c","newer":{"x":1},"inner":{"depth":1,"Depth":2,"more":0}}`), &got)
	if err != nil || got.Text != "a" || got.Inner.Depth != 1 {
		t.Errorf("%+v, %v", got, err)
	}
}

// Whatever DecodeJSON takes, encoding/json reads the same.
func FuzzDecodeJSON(f *testing.F) {
	f.Add([]byte(`{"text":"a","count":1,"at":"2026-11-21T09:30:00Z","raw":[null],"code":"sent","bytes":"AA==","map":{"a":"b"}}`))
	f.Add([]byte(`{"at":"2026-11-21T09:30:00,5Z","small":-129,"share":-0,"list":[]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var got, want everything
		if DecodeJSON(body, &got) != nil || strings.HasPrefix(string(body), "\xef\xbb\xbf") {
			return
		}
		if err := json.Unmarshal(body, &want); err != nil {
			t.Fatalf("%s: encoding/json refuses it: %v", body, err)
		}
		got.Raw, want.Raw = nil, nil // compact
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(everything{})); diff != "" {
			t.Fatalf("%s: %s", body, diff)
		}
	})
}

func BenchmarkDecodeLetter(b *testing.B) {
	l := push.Letter{
		ID: "dlt_01890a5d-ac96-774b-bcce-b302099a8057", Kind: push.LetterRecipient, Tenant: "acme", Queue: push.QueueBulk,
		Code: push.CodeAttemptsExhausted, LastCode: push.CodeFCMUnavailable,
		Detail: "The service is overloaded.", Notification: "ntf_01890a5d-ac96-774b-bcce-b302099a8057", DeadAt: now(), StoredAt: now(),
		State: push.LetterParked, Version: 1,
		Recipient: push.Recipient{
			Address: push.Address{Kind: push.KindToken, Value: push.Token(strings.Repeat("x", 163))}, Data: map[string]string{"k": "v"},
		},
	}
	line, err := json.Marshal(l)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodeLetter(line); err != nil {
			b.Fatal(err)
		}
	}
}
