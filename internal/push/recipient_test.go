package push

import (
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-push/belfry/internal/strict"
)

func TestDecodeRecipient(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, in string
		want     Recipient
	}{
		{"a plain token", `{"token":"abc"}`, Recipient{Address: Address{KindToken, "abc"}}},
		{"a token with space around", ` { "token" : "abc" } `, Recipient{Address: Address{KindToken, "abc"}}},
		{"a token with an escape", `{"token":"a\u0062c"}`, Recipient{Address: Address{KindToken, "abc"}}},
		{"a fid", `{"fid":"abc"}`, Recipient{Address: Address{KindFID, "abc"}}},
		{"a user", `{"user_id":"Jürgen 🐝"}`, Recipient{UserID: "Jürgen 🐝"}},
		{"a device", `{"device_id":"dev-1"}`, Recipient{DeviceID: "dev-1"}},
		{
			"overrides", `{"token":"abc","data":{"k":"v"},"locale":"de-CH","collapse_id":"c"}`,
			Recipient{Address: Address{KindToken, "abc"}, Data: map[string]string{"k": "v"}, Locale: "de-CH", CollapseID: "c"},
		},
		{"spaces, as Python writes them", `{"token": "abc", "data": {"k": "v", "e": ""}}`, Recipient{Address: Address{KindToken, "abc"}, Data: map[string]string{"k": "v", "e": ""}}},
		{"escapes", `{"user_id":"J\u00fcrgen\n","data":{"\u006b":"\ud83d\udc1d"}}`, Recipient{UserID: "Jürgen\n", Data: map[string]string{"k": "🐝"}}},
		{"no data", `{"token":"abc","data":{}}`, Recipient{Address: Address{KindToken, "abc"}, Data: map[string]string{}}},
		{
			"null is not set", `{"token":"abc","fid":null,"user_id": null ,"device_id":null,"locale":null,"collapse_id":null,"data":null}`,
			Recipient{Address: Address{KindToken, "abc"}},
		},
		{"a byte order mark", "\xef\xbb\xbf" + `{"token":"abc"}`, Recipient{Address: Address{KindToken, "abc"}}},
		{"the longest token", `{"token":"` + strings.Repeat("x", MaxAddressBytes) + `"}`, Recipient{Address: Address{KindToken, Token(strings.Repeat("x", MaxAddressBytes))}}},
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
		{"a token too long", `{"token":"` + strings.Repeat("x", MaxAddressBytes+1) + `"}`, []string{"/token value"}},
		{"a null token", `{"token":null}`, []string{" missing"}},
		{"null in data", `{"token":"a","data":{"k":null}}`, []string{"/data/k type"}},
		{"null twice", `{"token":"a","locale":null,"locale":null}`, []string{"/locale conflict"}},
		{"null and a value", `{"token":"a","locale":null,"locale":"de"}`, []string{"/locale conflict"}},
		{"a value and null", `{"token":"a","token":null}`, []string{"/token conflict"}},
		{"data and null", `{"token":"a","data":{},"data":null}`, []string{"/data conflict"}},
		{"a topic", `{"topic":"a"}`, []string{"/topic unknown", " missing"}},
		{"reserved data", `{"token":"a","data":{"google.a":"b"}}`, []string{"/data/google.a reserved"}},
		{"data that is not text", `{"token":"a","data":{"n":1}}`, []string{"/data/n type"}},
		{"a long locale", `{"token":"a","locale":"` + strings.Repeat("x", 36) + `"}`, []string{"/locale value"}},
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
		{"an empty value", `{"token":"a","locale":""}`, []string{"/locale value"}},
		{"binary data", "\x00\x01\x02", []string{" syntax"}},
		{"a wrong type", `{"token":["a"]}`, []string{"/token type"}},
		{"a long collapse id", `{"token":"a","collapse_id":"` + strings.Repeat("x", 65) + `"}`, []string{"/collapse_id value"}},
	}, func(line []byte) error {
		_, err := DecodeRecipient(line)
		return err
	})
}

func TestMergeData(t *testing.T) {
	t.Parallel()
	base, over := map[string]string{"a": "1", "b": "1"}, map[string]string{"b": "2", "c": "2"}
	want := map[string]string{"a": "1", "b": "2", "c": "2"}
	if got := MergeData(base, over); !maps.Equal(got, want) {
		t.Errorf("merged to %v, want %v", got, want)
	}
	if len(base) != 2 || base["b"] != "1" || len(over) != 2 {
		t.Error("the arguments were changed")
	}
	if got := MergeData(nil, nil); got == nil || len(got) != 0 {
		t.Errorf("nothing merged is %v", got)
	}
}

func FuzzDecodeRecipient(f *testing.F) {
	for _, seed := range []string{
		`{"token":"abc:APA91b-_"}`, `{"token":"a\"b"}`, `{"token":"a\\"}`, `{"token":"a","token":"b"}`, `{"token":""}`, `{"token":"` + "\x7f" + `"}`,
		`{"fid":"f","data":{"k":"v"},"locale":"de"}`, `{"user_id": "\u00fc", "data": {"a": "b", "a": "c"}}`, `{"token":"a","data":{},"data":{"k":"v"}}`, `{"user_id":"ü"}`, `{"device_id":"d"}`, `{"token":"x"} `, `{"token":"x"}}`, ``, `null`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		r, err := DecodeRecipient(line)
		if err != nil {
			if _, ok := errors.AsType[Faults](err); !ok {
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
		if !r.Address.IsZero() && CheckAddress(r.Address.Kind, r.Address.Value.Reveal()) != "" {
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
