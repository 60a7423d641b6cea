package privacy

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

// Receipt says what was done for a request. Its signature is Ed25519 over the receipt without
// signature, in the canonical form of RFC 8785: so it may be stored and printed in any form.
type Receipt struct {
	Version   int       `json:"version"` // 1
	Request   push.ID   `json:"request"`
	Tenant    string    `json:"tenant"`
	Action    Action    `json:"action"`
	By        string    `json:"by"`
	Reference string    `json:"reference"`
	CreatedAt time.Time `json:"created_at"` // whole seconds
	EndedAt   time.Time `json:"ended_at"`   // whole seconds
	Counts    Counts    `json:"counts"`
	Hashes    []Hash    `json:"hashes"`     // of user and addresses, under the installation's key
	PublicKey string    `json:"public_key"` // base64
	Signature string    `json:"signature,omitempty"`
}

// sign makes the receipt of a request that has ended.
func (k *Keys) sign(r *Request, at time.Time) (*Receipt, error) {
	hs := r.Hashes
	if hs == nil {
		hs = []Hash{}
	}
	out := &Receipt{
		Version: 1, Request: r.ID, Tenant: r.Tenant, Action: r.Action, By: r.By, Reference: r.Reference,
		CreatedAt: r.CreatedAt.UTC().Truncate(time.Second), EndedAt: at.UTC().Truncate(time.Second), Counts: r.Counts, Hashes: hs,
		PublicKey: base64.StdEncoding.EncodeToString(k.signer.Public().(ed25519.PublicKey)), //nolint:errcheck,forcetypeassert // it is one
	}
	statement, err := canonical(out)
	if err != nil {
		return nil, err
	}
	out.Signature = base64.StdEncoding.EncodeToString(ed25519.Sign(k.signer, statement))
	return out, nil
}

// signed reports whether a receipt is one of this installation, with nothing changed.
func (k *Keys) signed(r *Receipt) bool {
	statement := *r
	statement.Signature = ""
	text, err := canonical(&statement)
	signature, bad := base64.StdEncoding.DecodeString(r.Signature)
	key := k.signer.Public().(ed25519.PublicKey) //nolint:errcheck,forcetypeassert // it is one
	return err == nil && bad == nil && ed25519.Verify(key, text, signature)
}

// canonical returns a value as RFC 8785 writes it. It holds for what a receipt has: objects,
// arrays, ASCII names, texts and whole numbers.
func canonical(v any) ([]byte, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("receipt: %w", err)
	}
	var tree any
	in := json.NewDecoder(bytes.NewReader(raw))
	in.UseNumber()
	if err := in.Decode(&tree); err != nil {
		return nil, fmt.Errorf("receipt: %w", err)
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out) // sorts names
	enc.SetEscapeHTML(false)
	if err := enc.Encode(tree); err != nil {
		return nil, fmt.Errorf("receipt: %w", err)
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}
