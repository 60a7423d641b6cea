package audit_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/belfry-push/belfry/internal/audit"
	"github.com/belfry-push/belfry/internal/audit/audittest"
)

// An entry has a bound, whatever is put into it, and stays text.
func TestEntriesAreBounded(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ä", 100_000)
	doc, err := audit.Redacted(map[string]any{"name": long})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := audit.Entry{
		Tenant: long, Who: audit.Who{Name: long, Key: long}, Action: long, Target: audit.Target{Kind: long, ID: long}, From: long, Call: long,
		Trace: long, Code: long, Body: long, Before: doc, After: doc, Reason: long,
	}.Canonical()
	const most = 20 << 10
	if err != nil || len(raw) > most || bytes.ContainsRune(raw, '�') || !json.Valid(raw) {
		t.Errorf("%d bytes, %v", len(raw), err)
	}
}

// Neither secrets nor addresses nor texts get into the log.
func TestRedacted(t *testing.T) {
	t.Parallel()
	got, err := audit.Redacted(map[string]any{
		"name": "acme", "ttl": 60, "api_key_hash": "h", "Credentials": map[string]any{"private_key": "p"}, "enabled": true,
		"apps": []any{map[string]any{"token": "tok", "id": "shop", "message": map[string]any{"title": "Hi"}, "user_id": ""}},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf(`{"Credentials":%q,"api_key_hash":%q,"apps":[{"id":"shop","message":%q,"token":%q,"user_id":""}],"enabled":true,`+
		`"name":"acme","ttl":60}`, audit.Digest([]byte(fmt.Sprintf(`{"private_key":%q}`, audit.Digest([]byte(`"p"`))))),
		audit.Digest([]byte(`"h"`)),
		audit.Digest([]byte(fmt.Sprintf(`{"title":%q}`, audit.Digest([]byte(`"Hi"`))))), audit.Digest([]byte(`"tok"`)))
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got, err := audit.Redacted(nil); got != nil || err != nil {
		t.Errorf("%s %v", got, err)
	}
}

// A keyring shows its public half, whichever way it is printed.
func TestKeysDoNotPrint(t *testing.T) {
	t.Parallel()
	k := audittest.Keys(t)
	public := audit.FormatPublic(k.Public()[0])
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		if got := fmt.Sprintf(format, k); got != public {
			t.Errorf("%s: %s", format, got)
		}
	}
	back, err := audit.ParsePublic(public)
	if err != nil || !back.Equal(k.Public()[0]) {
		t.Error(err)
	}
	const secret = "belfry-audit-secret:abc"
	if _, err := audit.ParseSecret(secret); err == nil || strings.Contains(err.Error(), "abc") {
		t.Errorf("%v", err)
	}
}

func FuzzUnpack(f *testing.F) {
	packed, err := audit.Pack([]audit.Line{{Entry: []byte(`{"seq":1}`)}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(packed)
	f.Fuzz(func(_ *testing.T, b []byte) { audit.Unpack(b) })
}
