package client

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// signedReceipt returns a receipt with a good signature.
func signedReceipt(t *testing.T) PrivacyReceipt {
	t.Helper()
	public, secret, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	r := PrivacyReceipt{
		Version: 1, Request: "prv_1", Tenant: "acme", Action: PrivacyErase, By: "support", Reference: "<ticket> & 4711",
		CreatedAt: time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC), EndedAt: time.Date(2026, 11, 21, 9, 0, 12, 0, time.UTC),
		Counts: PrivacyCounts{Deliveries: 7}, Hashes: []string{"a", "b"}, PublicKey: base64.StdEncoding.EncodeToString(public),
	}
	statement, err := r.statement()
	if err != nil {
		t.Fatal(err)
	}
	r.Signature = base64.StdEncoding.EncodeToString(ed25519.Sign(secret, statement))
	return r
}

// TestReceipts: a receipt is good in whatever form it was stored, and with no word changed.
func TestReceipts(t *testing.T) {
	t.Parallel()
	good := signedReceipt(t)
	raw, err := json.MarshalIndent(good, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	var again PrivacyReceipt
	if err := json.Unmarshal(raw, &again); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"", good.PublicKey} {
		if err := again.Verify(key); err != nil {
			t.Error(err)
		}
	}
	for name, change := range map[string]func(r *PrivacyReceipt){
		"counts":    func(r *PrivacyReceipt) { r.Counts.Deliveries-- },
		"reference": func(r *PrivacyReceipt) { r.Reference += "." },
		"time":      func(r *PrivacyReceipt) { r.EndedAt = r.EndedAt.Add(time.Second) },
		"hashes":    func(r *PrivacyReceipt) { r.Hashes = r.Hashes[:1] },
		"key":       func(r *PrivacyReceipt) { r.PublicKey = "AAAA" },
		"signature": func(r *PrivacyReceipt) { r.Signature = "?" },
		"another's": func(r *PrivacyReceipt) { r.PublicKey = signedReceipt(t).PublicKey },
	} {
		r := good
		change(&r)
		if r.Verify("") == nil {
			t.Errorf("a change of %s is not seen", name)
		}
	}
	if err := good.Verify(signedReceipt(t).PublicKey); err == nil || !strings.Contains(err.Error(), "another key") {
		t.Errorf("with another installation's key: %v", err)
	}
}
