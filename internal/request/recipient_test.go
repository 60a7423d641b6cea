package request

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-push/belfry/internal/message"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/strict"
)

func TestDecodeRecipient(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, in string
		want     push.Recipient
	}{
		{"a plain token", `{"token":"abc"}`, push.Recipient{Address: push.Address{Kind: push.KindToken, Value: "abc"}}},
		{"a token with space around", ` { "token" : "abc" } `, push.Recipient{Address: push.Address{Kind: push.KindToken, Value: "abc"}}},
		{"a token with an escape", `{"token":"a\u0062c"}`, push.Recipient{Address: push.Address{Kind: push.KindToken, Value: "abc"}}},
		{"a fid", `{"fid":"abc"}`, push.Recipient{Address: push.Address{Kind: push.KindFID, Value: "abc"}}},
		{"a user", `{"user_id":"Jürgen 🐝"}`, push.Recipient{UserID: "Jürgen 🐝"}},
		{"a device", `{"device_id":"dev-1"}`, push.Recipient{DeviceID: "dev-1"}},
		{
			"overrides", `{"token":"abc","data":{"k":"v"},"locale":"de-CH","collapse_id":"c"}`,
			push.Recipient{
				Address: push.Address{Kind: push.KindToken, Value: "abc"}, Data: map[string]string{"k": "v"}, Locale: "de-CH", CollapseID: "c",
			},
		},
		{
			"spaces, as Python writes them", `{"token": "abc", "data": {"k": "v", "e": ""}}`,
			push.Recipient{Address: push.Address{Kind: push.KindToken, Value: "abc"}, Data: map[string]string{"k": "v", "e": ""}},
		},
		{
			"escapes", `{"user_id":"J\u00fcrgen\n","data":{"\u006b":"\ud83d\udc1d"}}`,
			push.Recipient{UserID: "Jürgen\n", Data: map[string]string{"k": "🐝"}},
		},
		{
			"what is shown", `{"token":"abc","notification":{"title":"Hi","body":"B","image":"https://i"},"badge":3,"live_activity_token":"l"}`,
			push.Recipient{
				Address:  push.Address{Kind: push.KindToken, Value: "abc"},
				Override: message.Override{Title: "Hi", Body: "B", Image: "https://i", Badge: new(int32(3)), LiveActivityToken: "l"},
			},
		},
		{
			"no badge any more", `{"token":"abc","notification":{"title":null},"badge":0,"live_activity_token":null}`,
			push.Recipient{Address: push.Address{Kind: push.KindToken, Value: "abc"}, Override: message.Override{Badge: new(int32(0))}},
		},
		{
			"no data", `{"token":"abc","data":{}}`,
			push.Recipient{Address: push.Address{Kind: push.KindToken, Value: "abc"}, Data: map[string]string{}},
		},
		{
			"null is not set", `{"token":"abc","fid":null,"user_id": null ,"device_id":null,"locale":null,"collapse_id":null,"data":null}`,
			push.Recipient{Address: push.Address{Kind: push.KindToken, Value: "abc"}},
		},
		{"a byte order mark", "\xef\xbb\xbf" + `{"token":"abc"}`, push.Recipient{Address: push.Address{Kind: push.KindToken, Value: "abc"}}},
		{
			"the longest token", `{"token":"` + strings.Repeat("x", push.MaxAddressBytes) + `"}`,
			push.Recipient{Address: push.Address{Kind: push.KindToken, Value: push.Token(strings.Repeat("x", push.MaxAddressBytes))}},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := DecodeRecipient([]byte(c.in))
			if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
				t.Errorf("recipient (-want +got):\n%s%v", diff, err)
			}
		})
	}
}

func TestDecodeRecipientFaults(t *testing.T) {
	t.Parallel()
	checkFaults(t, []faultCase{
		{"nothing", ``, []string{" syntax"}},
		{"not JSON", `abc`, []string{" syntax"}},
		{"a bare token", `"abc"`, []string{" type"}},
		{"two values", `{"token":"a"}{"token":"b"}`, []string{" syntax"}},
		{"no address", `{"data":{}}`, []string{" missing"}},
		{"two addresses", `{"token":"a","user_id":"b"}`, []string{" conflict"}},
		{"an empty token", `{"token":""}`, []string{"/token value"}},
		{"a token with a space", `{"token":"a b"}`, []string{"/token value"}},
		{"a token too long", `{"token":"` + strings.Repeat("x", push.MaxAddressBytes+1) + `"}`, []string{"/token value"}},
		{"a null token", `{"token":null}`, []string{" missing"}},
		{"null in data", `{"token":"a","data":{"k":null}}`, []string{"/data/k type"}},
		{"null twice", `{"token":"a","locale":null,"locale":null}`, []string{"/locale conflict"}},
		{"null and a value", `{"token":"a","locale":null,"locale":"de"}`, []string{"/locale conflict"}},
		{"a value and null", `{"token":"a","token":null}`, []string{"/token conflict"}},
		{"data and null", `{"token":"a","data":{},"data":null}`, []string{"/data conflict"}},
		{"a topic", `{"topic":"a"}`, []string{"/topic unknown", " missing"}},
		{"reserved data", `{"token":"a","data":{"google.a":"b"}}`, []string{"/data/google.a reserved"}},
		{"data that is not text", `{"token":"a","data":{"n":1}}`, []string{"/data/n type"}},
		{"a locale that is no text", `{"token":"a","locale":1}`, []string{"/locale type"}},
		{"not UTF-8", "{\"user_id\":\"\xff\"}", []string{"/user_id syntax"}},
		{"half an emoji", `{"user_id":"\ud83d"}`, []string{"/user_id syntax"}},
		{"half an emoji in data", `{"token":"a","data":{"\ud83d":""}}`, []string{"/data syntax"}},
		{"the same name twice", `{"token":"a","token":" "}`, []string{"/token conflict"}},
		{"the same name twice, escaped", `{"token":"a","tok\u0065n":"b"}`, []string{"/token conflict"}},
		{"the same name twice in data", `{"token":"a","data":{"k":"1","k":"2"}}`, []string{"/data/k conflict"}},
		{"data twice", `{"token":"a","data":{},"data":{"k":"v"}}`, []string{"/data conflict"}},
		{"a user with U+0000", `{"user_id":"a\u0000"}`, []string{"/user_id value"}},
		{"a collapse id with a line break", `{"token":"a","collapse_id":"a\nb"}`, []string{"/collapse_id value"}},
		{"a misspelt name", `{"token":"a","colapse_id":"a"}`, []string{"/colapse_id unknown"}},
		{"binary data", "\x00\x01\x02", []string{" syntax"}},
		{"a wrong type", `{"token":["a"]}`, []string{"/token type"}},
		{"a long collapse id", `{"token":"a","collapse_id":"` + strings.Repeat("x", 65) + `"}`, []string{"/collapse_id value"}},
	}, func(line []byte) error {
		_, err := DecodeRecipient(line)
		return err
	})
}

func FuzzDecodeRecipient(f *testing.F) {
	for _, seed := range []string{
		`{"token":"abc:APA91b-_"}`, `{"token":"a\"b"}`, `{"token":"a\\"}`, `{"token":"a","token":"b"}`, `{"token":""}`,
		`{"token":"` + "\x7f" + `"}`,
		`{"fid":"f","data":{"k":"v"},"locale":"de"}`, `{"user_id": "\u00fc", "data": {"a": "b", "a": "c"}}`,
		`{"token":"a","data":{},"data":{"k":"v"}}`, `{"user_id":"ü"}`, `{"device_id":"d"}`, `{"token":"x"} `, `{"token":"x"}}`, ``, `null`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		r, err := DecodeRecipient(line)
		if err != nil {
			if _, ok := errors.AsType[push.Faults](err); !ok {
				t.Fatalf("error is %T: %v", err, err)
			}
			return
		}
		named := 0
		for _, is := range []bool{!r.Address.IsZero(), r.UserID != "", r.DeviceID != ""} {
			if is {
				named++
			}
		}
		if named != 1 {
			t.Fatalf("%q names %d recipients", line, named)
		}
		if !r.Address.IsZero() && push.CheckAddress(r.Address.Kind, r.Address.Value.Reveal()) != "" {
			t.Fatalf("%q has a bad address", line)
		}
		if len(strict.TrimBOM(line)) < len(line) {
			return
		}
		// The fast path and the walker agree.
		slow, err := DecodeRecipient(append([]byte(" "), line...))
		if err != nil || !cmp.Equal(slow, r) {
			t.Fatalf("%q is read as %+v and, carefully, as %+v, %v", line, r, slow, err)
		}
	})
}

func BenchmarkDecodeRecipient(b *testing.B) {
	token := strings.Repeat("x", 163)
	for name, line := range map[string]string{
		"token":     `{"token":"` + token + `"}`,
		"overrides": `{"token":"` + token + `","data":{"name":"Ada","points":"17"},"locale":"de-DE","collapse_id":"c"}`,
		"walker":    ` {"token":"` + token + `","data":{"name":"Ada","points":"17"},"locale":"de-DE","collapse_id":"c"}`,
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := DecodeRecipient([]byte(line)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkColumns(b *testing.B) {
	columns, err := ParseColumns(cells("token;data.name;data.points;locale;collapse_id"))
	if err != nil {
		b.Fatal(err)
	}
	row := cells(strings.Repeat("x", 163) + ";Ada;17;de-DE;c")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := columns.Recipient(row); err != nil {
			b.Fatal(err)
		}
	}
}
