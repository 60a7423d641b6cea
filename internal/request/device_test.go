package request_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/request"
)

func TestDecodeDevice(t *testing.T) {
	t.Parallel()
	got, err := request.DecodeDevice([]byte(`{"id":"phone-1","token":"abc","platform":"ios","user_id":"u1","locale":"pt-BR",
		"timezone":"America/Argentina/Buenos_Aires","app_version":"1.2.3","attributes":{"plan":"gold","empty":""}}`))
	want := push.Device{
		ID: "phone-1", Address: push.Address{Kind: push.KindToken, Value: "abc"}, Platform: push.PlatformIOS, UserID: "u1", Locale: "pt-BR",
		Timezone: "America/Argentina/Buenos_Aires", AppVersion: "1.2.3", Attributes: map[string]string{"plan": "gold", "empty": ""},
	}
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("%v: %s", err, d)
	}
	got, err = request.DecodeDevice([]byte(`{"fid":"f"}`))
	if d := cmp.Diff(push.Device{Address: push.Address{Kind: push.KindFID, Value: "f"}}, got); d != "" || err != nil {
		t.Errorf("%v: %s", err, d)
	}
}

func TestUnderstand(t *testing.T) {
	t.Parallel()
	d := push.Device{Locale: "en_US.UTF-8", Timezone: "GMT+05:30"}
	if warnings := d.Normalize(); d.Locale != "en-US" || d.Timezone != "+05:30" || warnings != nil {
		t.Errorf("got %+v, %v", d, warnings)
	}
	d = push.Device{Locale: "POSIX\n", Timezone: "CEST"}
	warnings := d.Normalize()
	if d.Locale != "" || d.Timezone != "" || len(warnings) != 2 || warnings[0].Code != push.WarnIgnored || warnings[0].Pointer != "/locale" ||
		warnings[1].Pointer != "/timezone" || !strings.Contains(warnings[0].Detail, `(got "POSIX\n")`) {
		t.Errorf("got %+v, %v", d, warnings)
	}
	for in, want := range map[string]string{"": "", "pt_BR": "pt-BR", strings.Repeat("x", 1000): ""} {
		r := push.Recipient{Locale: in}
		if warning := r.Normalize(); r.Locale != want || (warning != nil) != (want == "" && in != "") {
			t.Errorf("%q: got %q, %v", in, r.Locale, warning)
		}
	}
}

func TestDecodeDeviceFaults(t *testing.T) {
	t.Parallel()
	many := make([]string, 51)
	for i := range many {
		many[i] = fmt.Sprintf(`"k%d":""`, i)
	}
	cases := []struct{ name, body, want string }{
		{"not JSON", `{"token"`, "/token syntax"},
		{"not an object", `[]`, " type"},
		{"no address", `{}`, " missing"},
		{"two addresses", `{"token":"a","fid":"b"}`, " conflict"},
		{"an unknown field", `{"token":"a","tokn":"b"}`, "/tokn unknown"},
		{"a field of the server", `{"token":"a","state":"active"}`, "/state reserved"},
		{"an empty token", `{"token":""}`, "/token value"},
		{"a null address", `{"token":null,"user_id":null}`, " missing"},
		{"a null attribute", `{"token":"a","attributes":{"k":null}}`, "/attributes/k type"},
		{"not UTF-8", "{\"token\":\"a\",\"user_id\":\"Fran\xe7ois\"}", "/user_id syntax"},
		{"half an emoji", `{"token":"a","user_id":"\ud83d"}`, "/user_id syntax"},
		{"a name twice", `{"token":"a","user_id":"a","user_id":"b"}`, "/user_id conflict"},
		{
			"U+0000", `{"token":"a","user_id":"a\u0000b","app_version":"\u0000","attributes":{"\u0000":"","k":"\u0000"}}`,
			"/app_version value, /attributes/\x00 value, /attributes/k value, /user_id value",
		},
		{"a bad id", `{"token":"a","id":"a b"}`, "/id value"},
		{"a platform", `{"token":"a","platform":"windows"}`, "/platform value"},
		{"a locale that is no text", `{"token":"a","locale":["en"]}`, "/locale type"},
		{"an offset that is no text", `{"token":"a","timezone":330}`, "/timezone type"},
		{"warnings of the server", `{"token":"a","warnings":[]}`, "/warnings reserved"},
		{"a number as version", `{"token":"a","app_version":1}`, "/app_version type"},
		{"an attribute that is no string", `{"token":"a","attributes":{"a/b":1}}`, "/attributes/a~1b type"},
		{"an attribute without a name", `{"token":"a","attributes":{"":"x"}}`, "/attributes/ too_large"},
		{"a long attribute", `{"token":"a","attributes":{"k":"` + strings.Repeat("x", 513) + `"}}`, "/attributes/k too_large"},
		{"many attributes", `{"token":"a","attributes":{` + strings.Join(many, ",") + `}}`, "/attributes too_large"},
		{"all at once", `{"locale":1,"timezone":[],"platform":1}`, "/locale type, /platform type, /timezone type,  missing"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := request.DecodeDevice([]byte(c.body))
			faults, ok := err.(push.Faults) //nolint:errorlint // it must be exactly that
			if !ok {
				t.Fatalf("got %v", err)
			}
			var got []string
			for _, f := range faults {
				got = append(got, f.Pointer+" "+f.Code)
			}
			if d := cmp.Diff(c.want, strings.Join(got, ", ")); d != "" {
				t.Error(d)
			}
		})
	}
}

func FuzzDecodeDevice(f *testing.F) {
	f.Add([]byte(`{"id":"a","token":"b","attributes":{"k":"v"}}`))
	f.Add([]byte(`{"fid":"b","timezone":"Europe/Berlin","locale":"de"}`))
	f.Add([]byte(`{"token":1}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		d, err := request.DecodeDevice(body)
		if err != nil {
			return
		}
		if !d.Address.Kind.IsDevice() || push.CheckAddress(d.Address.Kind, d.Address.Value.Reveal()) != "" {
			t.Fatalf("took a device at %s", d.Address)
		}
	})
}
