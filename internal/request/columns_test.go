package request

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-push/belfry/internal/message"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/strict"
)

// cells cuts a row at its semicolons.
func cells(row string) [][]byte { return bytes.Split([]byte(row), []byte(";")) }

func TestColumns(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, header, row string
		want              push.Recipient
	}{
		{"a token", "token", "abc", push.Recipient{Address: push.Address{Kind: push.KindToken, Value: "abc"}}},
		{"a fid", "token;fid", ";abc", push.Recipient{Address: push.Address{Kind: push.KindFID, Value: "abc"}}},
		{"a user", "user_id;device_id", "Jürgen 🐝;", push.Recipient{UserID: "Jürgen 🐝"}},
		{"a device", "user_id;device_id", ";dev-1", push.Recipient{DeviceID: "dev-1"}},
		{
			"overrides", " data.a ;token; data.b.c;locale;collapse_id;data.none", "1;abc; 2 ;de-CH;c;",
			push.Recipient{
				Address: push.Address{Kind: push.KindToken, Value: "abc"}, Data: map[string]string{"a": "1", "b.c": " 2 "}, Locale: "de-CH",
				CollapseID: "c",
			},
		},
		{
			"what is shown", "token;notification.title;notification.body;notification.image;badge;live_activity_token;data.a",
			"abc;Hi;B;https://i;3;l;1",
			push.Recipient{
				Address: push.Address{Kind: push.KindToken, Value: "abc"}, Data: map[string]string{"a": "1"},
				Override: message.Override{Title: "Hi", Body: "B", Image: "https://i", Badge: new(int32(3)), LiveActivityToken: "l"},
			},
		},
		{
			"a few of them empty", "token;notification.title;badge", "abc;;0",
			push.Recipient{Address: push.Address{Kind: push.KindToken, Value: "abc"}, Override: message.Override{Badge: new(int32(0))}},
		},
		{"empty cells", "token;data.a;locale;collapse_id", "abc;;;", push.Recipient{Address: push.Address{Kind: push.KindToken, Value: "abc"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			columns, err := ParseColumns(cells(c.header))
			if err != nil {
				t.Fatal(err)
			}
			got, err := columns.Recipient(cells(c.row))
			if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
				t.Errorf("recipient (-want +got):\n%s%v", diff, err)
			}
		})
	}
}

func TestColumnsFaults(t *testing.T) {
	t.Parallel()
	columns, err := ParseColumns(cells("token;user_id;data.n/a;locale;collapse_id"))
	if err != nil {
		t.Fatal(err)
	}
	checkFaults(t, []faultCase{
		{"too few cells", `a;b`, []string{" syntax"}},
		{"too many", `a;;;;;`, []string{" syntax"}},
		{"nothing", `;;;;`, []string{" missing"}},
		{"two addresses", `a;b;;;`, []string{" conflict"}},
		{"a token with a space", `a b;;;;`, []string{"/token value"}},
		{"not UTF-8", "a;;\xff;;", []string{"/data/n~1a syntax"}},
		{"a user with U+0000", ";b\x00;;;", []string{"/user_id value"}},
		{"a collapse id with a line break", "a;;;;c\r\nb: c", []string{"/collapse_id value"}},
		{"a collapse id beyond ASCII", "a;;;;größe", []string{"/collapse_id value"}},
		{"all at once", ` ;;;;` + strings.Repeat("x", 65), []string{"/collapse_id value", "/token value"}},
	}, func(row []byte) error {
		_, err := columns.Recipient(cells(string(row)))
		return err
	})
}

func TestParseColumnsFaults(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, header, want string }{
		{"no address", "locale", " missing: the header must name a column token, fid, user_id, device_id"},
		{
			"nothing", "",
			` unknown: column 1: must be token, fid, user_id, device_id, locale, collapse_id, notification.title, notification.body, ` +
				`notification.image, badge, live_activity_token or data.<key>, separated by commas (got "")`,
		},
		{
			"unknown", "token;name",
			` unknown: column 2: must be token, fid, user_id, device_id, locale, collapse_id, notification.title, notification.body, ` +
				`notification.image, badge, live_activity_token or data.<key>, separated by commas (got "name")`,
		},
		{"data without a key", "token;data.", ` unknown: column 2: must be`},
		{"twice", "token;locale; token", ` conflict: column 3: there is a "token" already`},
		{"reserved", "token;data.google.x", ` reserved: column 2: "google.x" is a data key`},
		{"several", "x;token;y", " unknown: column 3"},
		{
			"misspelt", "Token;userId",
			` unknown: column 2: must be token, fid, user_id, device_id, locale, collapse_id, notification.title, notification.body, ` +
				`notification.image, badge, live_activity_token or data.<key>, separated by commas (got "userId"); ` +
				`did you mean "user_id"?`,
		},
		{"not UTF-8", "token;data.gr\xfc\xdfe", ` syntax: column 2: must be UTF-8 (byte 7 of the name is 0xfc)`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := ParseColumns(cells(c.header))
			faults, ok := err.(push.Faults) //nolint:errorlint // it is documented to be that
			var all []string
			for _, f := range faults {
				all = append(all, f.Pointer+" "+f.Code+": "+f.Detail)
			}
			if !ok || !strings.Contains(strings.Join(all, "\n"), c.want) {
				t.Errorf("faults are %q, want %q", all, c.want)
			}
		})
	}
	//nolint:errorlint // it is documented to be that
	if _, err := ParseColumns(cells(strings.Repeat("x;", 1000))); len(err.(push.Faults)) != maxFaults {
		t.Errorf("%d faults of a thousand columns", len(err.(push.Faults))) //nolint:errorlint // as above
	}
}

// A row and the line of NDJSON that it stands for are one recipient, or have
// the same faults.
func FuzzColumns(f *testing.F) {
	f.Add("token;data.a;locale", "abc;1;de")
	f.Add("user_id;collapse_id;data.from", "ü;x;y")
	f.Add("device_id;token", ";")
	f.Fuzz(func(t *testing.T, header, row string) {
		columns, err := ParseColumns(cells(header))
		if err != nil {
			return
		}
		got, err := columns.Recipient(cells(row))
		if len(cells(row)) != len(columns) || strict.InvalidUTF8(row) >= 0 {
			if err == nil {
				t.Fatalf("%q was taken", row)
			}
			return
		}
		line, encodeErr := encodeTree(columns.tree(cells(row)))
		if encodeErr != nil {
			t.Fatal(encodeErr)
		}
		want, wantErr := DecodeRecipient(line)
		if diff := cmp.Diff(want, got); diff != "" || cmp.Diff(wantErr, err) != "" {
			t.Fatalf("%q: %v, %s: %v, %s", row, err, line, wantErr, diff)
		}
	})
}
