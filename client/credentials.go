package client

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"time"
)

// CredentialState says what is known of a credential.
type CredentialState string

// The states of a credential.
const (
	CredentialUnchecked CredentialState = "unchecked" // Google could not be asked when it was uploaded
	CredentialValid     CredentialState = "valid"     // Google takes it
	CredentialInvalid   CredentialState = "invalid"   // Google refuses it
)

// CredentialStates lists every state.
func CredentialStates() []CredentialState {
	return []CredentialState{CredentialUnchecked, CredentialValid, CredentialInvalid}
}

// Credential is what is shown of the FCM credential of an app: never the key.
type Credential struct {
	Tenant      string          `json:"tenant" doc:"whose app it is"`
	App         string          `json:"app" doc:"whose notifications are sent with it"`
	Project     string          `json:"project" doc:"Firebase project"`
	ClientEmail string          `json:"client_email" doc:"service account"`
	KeyID       string          `json:"key_id,omitempty" doc:"private_key_id, by which Google's console lists the key"`
	Fingerprint string          `json:"fingerprint" doc:"of the key: the first 16 hexadecimal digits of the SHA-256 of its public half"`
	State       CredentialState `json:"state" doc:"whether Google takes it"`
	Reason      string          `json:"reason,omitempty" doc:"why it is not valid, in words"`
	SealKey     string          `json:"seal_key" doc:"id of the key that it is sealed with"`
	Since       time.Time       `json:"since" doc:"when it was uploaded"`
	By          string          `json:"by,omitempty" doc:"who uploaded it"`
	CheckedAt   *time.Time      `json:"checked_at,omitempty" doc:"when its state was found out"`
	Warnings    []string        `json:"warnings,omitempty" doc:"what should be looked at: in the answer to an upload, and if the key that it is sealed with is not there"`
}

// CredentialList is a page of credentials.
type CredentialList struct {
	Items      []Credential `json:"items" doc:"by tenant and app"`
	NextCursor string       `json:"next_cursor,omitempty" doc:"for the next page; absent on the last"`
}

// ServiceAccount is a service-account key file, as Google's console makes it.
type ServiceAccount struct {
	Type         string   `json:"type" doc:"service_account"`
	ProjectID    string   `json:"project_id" doc:"Firebase project"`
	PrivateKeyID string   `json:"private_key_id,omitempty" doc:"id of the key"`
	PrivateKey   string   `json:"private_key" doc:"RSA key, as PEM"`
	ClientEmail  string   `json:"client_email" doc:"service account"`
	TokenURI     string   `json:"token_uri,omitempty" doc:"Google's token endpoint; no other is called"`
	_            struct{} `additionalProperties:"true"` // what else Google writes
}

// CredentialOptions says whose credential it is, and how it may change.
type CredentialOptions struct {
	// Tenant is another one than the caller's own; for a platform operator.
	Tenant string
	// ChangeProject lets a credential replace one of another Firebase project.
	ChangeProject bool
}

func credentialPath(app string, o CredentialOptions) string {
	path := "/v1/apps/" + url.PathEscape(app) + "/credential"
	if o.Tenant != "" {
		path = "/v1/tenants/" + url.PathEscape(o.Tenant) + path[len("/v1"):]
	}
	return path
}

// PutCredential gives an app its FCM credential: the bytes of a service-account key file. It is
// checked with Google, and used within five seconds without a restart. One that Google refuses is a
// [*Problem] and changes nothing.
func (c *Client) PutCredential(ctx context.Context, app string, keyFile []byte, o CredentialOptions) (Credential, error) {
	const patience = time.Minute // Google is asked meanwhile
	cl := call{method: http.MethodPut, path: credentialPath(app, o), body: keyFile, timeout: patience}
	if o.ChangeProject {
		cl.query = url.Values{"change_project": {"true"}}
	}
	var out Credential
	err := c.do(ctx, cl, &out)
	return out, err
}

// Credential returns what is shown of the credential of an app.
func (c *Client) Credential(ctx context.Context, app string, o CredentialOptions) (Credential, error) {
	var out Credential
	err := c.do(ctx, get(credentialPath(app, o), nil), &out)
	return out, err
}

// DeleteCredential removes the credential of an app. What the app has to send waits then.
func (c *Client) DeleteCredential(ctx context.Context, app string, o CredentialOptions) error {
	return c.do(ctx, del(credentialPath(app, o)), nil)
}

// Credentials returns what is shown of the tenant's credentials, page by page; all is those of
// every tenant, for a platform operator. An error is the last pair.
func (c *Client) Credentials(ctx context.Context, all bool) iter.Seq2[Credential, error] {
	return pages(ctx, func(ctx context.Context, cursor string) ([]Credential, string, error) {
		q := url.Values{}
		if all {
			q.Set("all", "true")
		}
		return list[Credential](ctx, c, "/v1/credentials", limited(q, largestPage), cursor)
	})
}
