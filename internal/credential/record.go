package credential

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/push"
)

// Kind is the kind of the documents.
const Kind = "credential"

// record is a credential as it is stored.
type record struct {
	Serial      string    `json:"serial"`
	Project     string    `json:"project"`
	Email       string    `json:"client_email"`
	KeyID       string    `json:"private_key_id,omitempty"`
	Fingerprint string    `json:"fingerprint"`
	State       State     `json:"state"`
	Reason      string    `json:"reason,omitempty"`
	Since       time.Time `json:"since"`
	By          string    `json:"by,omitempty"`
	CheckedAt   time.Time `json:"checked_at,omitzero"`
	Sealed      Sealed    `json:"sealed"`
}

// file is what is sealed: the fields of the key file that sending needs.
type file struct {
	Type       string `json:"type"`
	Project    string `json:"project_id"`
	KeyID      string `json:"private_key_id,omitempty"`
	PrivateKey string `json:"private_key"`
	Email      string `json:"client_email"`
	TokenURL   string `json:"token_uri,omitempty"`
}

// purpose binds a sealed credential to its app and to what is shown of it: neither can be
// exchanged for another's.
func (r *record) purpose(ref Ref) string {
	return "belfry fcm credential\x00" + ref.String() + "\x00" + r.Serial + "\x00" + r.Project + "\x00" + r.Fingerprint
}

func (r *record) show(ref Ref) Credential {
	return Credential{
		Ref: ref, Serial: r.Serial, Project: r.Project, Email: r.Email, KeyID: r.KeyID, Fingerprint: r.Fingerprint, SealKey: r.Sealed.KeyID,
		State: r.State, Reason: r.Reason, Since: r.Since, By: r.By, CheckedAt: r.CheckedAt,
	}
}

// ErrUnreadable says that what is stored is no credential.
var ErrUnreadable = errors.New("the stored credential cannot be read: upload it again")

func decode(d *document.Document) (record, error) {
	var r record
	if err := json.Unmarshal(d.Body, &r); err != nil { // its text could repeat the body
		return record{}, ErrUnreadable
	}
	return r, nil
}

func isGone(err error) bool { return errors.Is(err, push.ErrNotFound) }
