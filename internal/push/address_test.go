package push

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"pgregory.net/rapid"
)

const secret = "c2VjcmV0LXBhcnQ:APA91bH-7KqXvWzJmYtRfLpGdNsQ_uEaHiCoBk4x"

func TestTokenIsNeverPrinted(t *testing.T) {
	t.Parallel()
	token := Token(secret)
	address := Address{KindToken, token}
	recipient := Recipient{Address: address}
	values := map[string]any{
		"token": token, "pointer": &token, "slice": []Token{token}, "array": [1]Token{token}, "map": map[Token]Token{token: token},
		"address": address, "recipient": recipient, "recipient pointer": &recipient, "device": Device{Address: address},
		"target": Target{Tokens: []Token{token}, FIDs: []Token{token}}, "chunk": Chunk{Recipients: []Recipient{recipient}},
		"notification": Notification{Target: Target{Tokens: []Token{token}}}, "note": DeviceNote{Address: address},
		"in an error": fmt.Errorf("send to %v: %w", token, errors.New("refused")),
	}
	for name, v := range values {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// %p is left out: fmt takes it before a type has its say, and vet refuses
			// it for anything but pointers.
			for verb := range strings.FieldsSeq("%v %+v %#v %s %q %+q %#q %x %X %#x %d %t %c %U %b %o %e %g %10v %-10.5s %!") {
				if got := fmt.Sprintf(verb, v); leaks(got) {
					t.Errorf("%s prints %s", verb, got)
				}
			}
			if got := fmt.Sprint(v) + fmt.Sprintln(v); leaks(got) {
				t.Errorf("Sprint prints %s", got)
			}
		})
	}
}

// leaks reports whether any five characters of the secret but its last are in s,
// plainly or in hexadecimal.
func leaks(s string) bool {
	for i := range len(secret) - 8 {
		part := secret[i : i+5]
		if strings.Contains(s, part) || strings.Contains(strings.ToLower(s), fmt.Sprintf("%x", part)) {
			return true
		}
	}
	return false
}

func TestTokenIsNeverLogged(t *testing.T) {
	t.Parallel()
	token := Token(secret)
	address := Address{KindToken, token}
	for name, encoder := range map[string]zapcore.Encoder{
		"json":    zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()),
		"console": zapcore.NewConsoleEncoder(zap.NewDevelopmentEncoderConfig()),
	} {
		var out bytes.Buffer
		log := zap.New(zapcore.NewCore(encoder, zapcore.AddSync(&out), zap.DebugLevel))
		log.Info("send", zap.Stringer("token", token), zap.Stringer("address", address), zap.Stringers("tokens", []Token{token}),
			zap.Error(fmt.Errorf("to %s: %w", address, &Error{Code: CodeNetReset, Err: fmt.Errorf("to %v", token)})))
		if !strings.Contains(out.String(), "Bk4x(") {
			t.Errorf("%s: nothing tells the tokens apart in %s", name, out.String())
		}
		if leaks(out.String()) {
			t.Errorf("%s: logged %s", name, out.String())
		}
	}
}

func TestTokenForm(t *testing.T) {
	t.Parallel()
	for token, want := range map[Token]string{
		"": "…(0)", "abc": "…(3)", "12345678": "…(8)", "123456789": "…6789(9)", Token(secret): "…Bk4x(56)",
	} {
		if got := token.String(); got != want {
			t.Errorf("a token of %d characters prints %q, want %q", len(token), got, want)
		}
	}
	b, err := json.Marshal(Token(secret))
	if err != nil || string(b) != `"`+secret+`"` {
		t.Errorf("JSON, for storage, is %s, %v", b, err)
	}
	if got := Token(secret).Reveal(); got != secret {
		t.Error("Reveal does not")
	}
	if got := (Address{KindTopic, "news-of-the-day"}).String(); got != "topic:…-day(15)" {
		t.Errorf("an address prints %q", got)
	}
}

// Hashes are in every ledger line.
func TestAddressHashIsStable(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		address Address
		want    uint64
	}{
		{Address{KindToken, "abc"}, 0xfdf0a89c4b86c3e6},
		{Address{KindFID, "abc"}, 0x16f52b081e25bf60},
		{Address{}, 0xe7ac0786668e0ff0},
	} {
		if got := c.address.Hash(); got != c.want {
			t.Errorf("hash of %s:%s is %#x, want %#x", c.address.Kind, c.address.Value.Reveal(), got, c.want)
		}
	}
	long := Address{KindToken, Token(strings.Repeat("x", MaxAddressBytes))}
	if long.Hash() == (Address{KindToken, Token(strings.Repeat("x", MaxAddressBytes-1))}).Hash() {
		t.Error("the end of a long address does not count")
	}
}

func TestCheckAddress(t *testing.T) {
	t.Parallel()
	topics := func(n int) string { return strings.TrimSuffix(strings.Repeat("'t' in topics && ", n), " && ") }
	for _, c := range []struct {
		name  string
		kind  Kind
		value string
		want  string // part of the complaint, "" for none
	}{
		{"a token", KindToken, secret, ""},
		{"empty", KindToken, "", "must not be empty"},
		{"the longest", KindToken, strings.Repeat("x", MaxAddressBytes), ""},
		{"too long", KindFID, strings.Repeat("x", MaxAddressBytes+1), "at most 1024 bytes (got 1025)"},
		{"a space", KindToken, "a b", "byte 1 is 0x20"},
		{"a line feed", KindFID, "ab\n", "byte 2 is 0x0a"},
		{"not ASCII", KindToken, "aü", "byte 1 is 0xc3"},
		{"delete", KindToken, "\x7f", "byte 0 is 0x7f"},
		{"a topic", KindTopic, "News-2026_a.b~c%20", ""},
		{"a topic's path", KindTopic, "/topics/news", `without "/topics/"`},
		{"a topic with a space", KindTopic, "a b", "must match"},
		{"a topic with a slash", KindTopic, "a/b", "byte 1 is 0x2f"},
		{"a condition", KindCondition, "('a' in topics || 'b' in topics) && !('c' in topics)", ""},
		{"no topic", KindCondition, "true", "not understood from byte 0 on"},
		{"five topics", KindCondition, topics(5), ""},
		{"six topics", KindCondition, topics(6), "at most 5 topics (got 6)"},
		{"parentheses", KindCondition, "('a' in topics", "ends too early"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := CheckAddress(c.kind, c.value)
			if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
				t.Errorf("CheckAddress(%s, %q) = %q, want %q", c.kind, c.value, got, c.want)
			}
			if len(c.value) > 8 && strings.Contains(got, c.value) {
				t.Errorf("the complaint %q repeats the value", got)
			}
		})
	}
}

func TestKinds(t *testing.T) {
	t.Parallel()
	for k, device := range map[Kind]bool{KindToken: true, KindFID: true, KindTopic: false, KindCondition: false} {
		if !k.Valid() || k.IsDevice() != device {
			t.Errorf("%s: valid %v, device %v", k, k.Valid(), k.IsDevice())
		}
	}
	for _, k := range []Kind{"", "Token", "tokens"} {
		if k.Valid() || k.IsDevice() {
			t.Errorf("%q is a kind", k)
		}
	}
	if !(Address{Kind: KindToken}).IsZero() || (Address{Value: "x"}).IsZero() {
		t.Error("IsZero is about the value")
	}
}

func TestRedactionTellsTokensApart(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.StringMatching(`[ -~]{0,200}`).Draw(t, "token")
		got := Token(s).String()
		if want := fmt.Sprintf("(%d)", len(s)); !strings.HasSuffix(got, want) {
			t.Fatalf("%q prints %q, without %q", s, got, want)
		}
		if len(s) > 12 && strings.Contains(got, s[:len(s)-4]) {
			t.Fatalf("%q prints %q", s, got)
		}
	})
}
