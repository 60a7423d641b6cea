package credential

import (
	"context"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/strict"
)

// Reader reads a service-account key file. Its errors say what the file is and what to do,
// and repeat nothing of a key.
type Reader func(data []byte) (Account, error)

// Checker asks Google about a credential. Safe for concurrent use.
type Checker interface {
	// Check fetches an access token and has FCM check a message without sending it. refusal
	// says in Google's words why the credential is not taken, "" if it is. The error says why
	// Google could not be asked. Neither has anything of the key.
	Check(ctx context.Context, keyFile []byte, project string) (refusal string, err error)
}

// Config is what the room is built from.
type Config struct {
	Documents document.Store
	Ring      *Ring
	Read      Reader
	Checker   Checker // nil: uploads stay unchecked
	// TokenURL says why a key file's token_uri must not be used, "" if it may: whatever it
	// names, this machine calls. nil: [GoogleTokenURL].
	TokenURL func(url string) (why string)
	// Refused is told, once, that Google does not take a credential any more. nil: nobody is.
	Refused func(ctx context.Context, c Credential)
	Log     *zap.Logger
	Now     func() time.Time
}

// Room keeps credentials. Safe for concurrent use.
type Room struct{ cfg Config }

// New returns the room.
func New(cfg Config) *Room {
	if cfg.TokenURL == nil {
		cfg.TokenURL = GoogleTokenURL
	}
	return &Room{cfg: cfg}
}

// GoogleTokenURL takes the token endpoints of Google.
func GoogleTokenURL(url string) (why string) {
	switch url {
	case "", "https://oauth2.googleapis.com/token", "https://accounts.google.com/o/oauth2/token", "https://www.googleapis.com/oauth2/v4/token":
		return ""
	}
	return "token_uri must be Google's, https://oauth2.googleapis.com/token: copy the key file again, unchanged"
}

// InvalidError is a credential that is not taken. Its text is for people.
type InvalidError struct{ Why string }

// Error implements error.
func (e *InvalidError) Error() string { return e.Why }

// OtherProjectError says that a credential is of another project than the one that it replaces.
type OtherProjectError struct{ Have, Given string }

// Error implements error.
func (e *OtherProjectError) Error() string {
	return fmt.Sprintf("the credential is of the project %s, and the app's is of %s: FCM would refuse every token that the app has; "+
		"give the key file of %s, or say that the project changes", e.Given, e.Have, e.Have)
}

// Upload is a credential that comes.
type Upload struct {
	Ref
	File []byte // the key file
	By   string // who gives it
	// ChangeProject lets it be of another project than the one that it replaces.
	ChangeProject bool
}

// checkPatience bounds the check of an upload.
const checkPatience = 20 * time.Second

// maxFile is far above any key file.
const maxFile = 64 << 10

// Put checks, seals and stores a credential; whoever sends uses it within five seconds. It is
// not stored if Google refuses it, and stored unchecked, with a warning, if Google cannot be
// asked. Errors are [*InvalidError], [*OtherProjectError], [ErrNoKey], push.ErrConflict if
// somebody else uploads one in the same moment, or those of the store and the key service.
func (r *Room) Put(ctx context.Context, u Upload) (Credential, error) {
	if !u.valid() {
		return Credential{}, &InvalidError{"tenant and app must be names"}
	}
	if !r.cfg.Ring.Seals() {
		return Credential{}, ErrNoKey
	}
	account, next, err := r.read(&u)
	if err != nil {
		return Credential{}, err
	}
	version, old, err := r.load(ctx, u.Ref)
	switch {
	case err == nil && old.Project != next.Project && !u.ChangeProject:
		return Credential{}, &OtherProjectError{Have: old.Project, Given: next.Project}
	case err != nil && !errors.Is(err, push.ErrNotFound) && version == 0:
		return Credential{}, err
	}
	secret, err := json.Marshal(file{ //nolint:gosec // to be sealed
		Type: "service_account", Project: account.Project, KeyID: account.KeyID, PrivateKey: account.PrivateKey, Email: account.Email,
		TokenURL: account.TokenURL,
	})
	if err != nil {
		return Credential{}, errors.New("the key file cannot be written down")
	}
	defer clear(secret)
	warnings, err := r.check(ctx, secret, &next)
	if err != nil {
		return Credential{}, err
	}
	if account.Repaired {
		warnings = append(warnings, `private_key has literal \n or spaces for its line breaks; it was read all the same`)
	}
	if next.Sealed, err = r.cfg.Ring.Seal(ctx, secret, next.purpose(u.Ref)); err != nil {
		return Credential{}, err
	}
	if err := document.Save(ctx, r.cfg.Documents, Kind, u.String(), version+1, next, next.Since); err != nil {
		return Credential{}, fmt.Errorf("store the credential: %w", err)
	}
	c := next.show(u.Ref)
	c.Warnings = warnings
	r.cfg.Log.Info("FCM credential stored", zap.String("tenant", c.Tenant), zap.String("app", c.App), zap.String("project", c.Project),
		zap.String("fingerprint", c.Fingerprint), zap.String("state", string(c.State)), zap.String("by", c.By))
	return c, nil
}

// read reads the key file.
func (r *Room) read(u *Upload) (Account, record, error) {
	if len(u.File) > maxFile {
		return Account{}, record{}, &InvalidError{fmt.Sprintf("the file has more than %d KiB: it is no service-account key file", maxFile>>10)}
	}
	a, err := r.cfg.Read(u.File)
	if err != nil {
		return Account{}, record{}, &InvalidError{err.Error()}
	}
	if why := checkProject(a.Project); why != "" {
		return Account{}, record{}, &InvalidError{why}
	}
	if why := r.cfg.TokenURL(a.TokenURL); why != "" {
		return Account{}, record{}, &InvalidError{why}
	}
	mark, err := fingerprint(a.PrivateKey)
	if err != nil {
		return Account{}, record{}, &InvalidError{err.Error()}
	}
	return a, record{
		Serial: string(push.NewID(push.PrefixCredential)), Project: a.Project, Email: clip(a.Email), KeyID: clip(a.KeyID), Fingerprint: mark,
		State: Unchecked, Since: r.cfg.Now().UTC().Truncate(time.Millisecond), By: u.By,
	}, nil
}

// check asks Google, and writes down what it says.
func (r *Room) check(ctx context.Context, secret []byte, next *record) (warnings []string, err error) {
	if r.cfg.Checker == nil {
		next.Reason = "nobody was there to ask Google"
		return nil, nil
	}
	asking, cancel := context.WithTimeout(ctx, checkPatience)
	defer cancel()
	refusal, err := r.cfg.Checker.Check(asking, secret, next.Project)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		next.Reason = clip(err.Error())
		return []string{"Google could not be asked, so the credential is stored unchecked: " + next.Reason}, nil
	case refusal != "":
		return nil, &InvalidError{"Google does not take the credential, so it was not stored: " + refusal}
	}
	next.State, next.CheckedAt = Valid, next.Since
	return nil, nil
}

// Get returns what may be shown of a credential, or push.ErrNotFound.
func (r *Room) Get(ctx context.Context, ref Ref) (Credential, error) {
	_, rec, err := r.load(ctx, ref)
	if err != nil {
		return Credential{}, err
	}
	return r.show(&rec, ref), nil
}

// show shows a record, and says if the key that it is sealed with is not there.
func (r *Room) show(rec *record, ref Ref) Credential {
	c := rec.show(ref)
	if err := r.cfg.Ring.lacks(&rec.Sealed); err != nil {
		c.Sealed = err.Error()
	}
	return c
}

// Exists reports whether an app of a tenant has a credential.
func (r *Room) Exists(ctx context.Context, tenant, app string) (bool, error) {
	_, err := r.Get(ctx, RefOf(tenant, app))
	if errors.Is(err, push.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// Delete removes a credential. What the app has to send waits then.
func (r *Room) Delete(ctx context.Context, ref Ref) error {
	version, _, err := r.load(ctx, ref)
	if version == 0 {
		return err
	}
	return r.cfg.Documents.DeleteDocument(ctx, Kind, ref.String(), version)
}

// Forget deletes the credential of an app, or with the app "" all of a tenant's, and returns how
// many there were.
func (r *Room) Forget(ctx context.Context, tenant, app string) (gone int, err error) {
	if app != "" {
		had, err := r.Exists(ctx, tenant, app)
		if err != nil || !had {
			return 0, err
		}
		return 1, r.Delete(ctx, RefOf(tenant, app))
	}
	const page = 100
	for cursor := ""; ; {
		some, next, err := r.List(ctx, tenant, cursor, page)
		if err != nil {
			return gone, err
		}
		for i := range some {
			if err := r.Delete(ctx, some[i].Ref); err != nil && !errors.Is(err, push.ErrNotFound) {
				return gone, fmt.Errorf("delete the credential of %s: %w", some[i].Ref, err)
			}
			gone++
		}
		if cursor = next; cursor == "" {
			return gone, nil
		}
	}
}

// List returns credentials of a tenant, or of all if tenant is "", by name: limit (1..1000) at
// most. The cursor is "" or what the last call returned; "" comes back at the end. A page may
// be short, or empty, and still be followed by others. A cursor that it did not return is
// push.ErrCursor.
func (r *Room) List(ctx context.Context, tenant, cursor string, limit int) ([]Credential, string, error) {
	docs, next, err := r.cfg.Documents.Documents(ctx, Kind, cursor, limit)
	if err != nil {
		return nil, "", fmt.Errorf("list credentials: %w", err)
	}
	var out []Credential
	for i := range docs {
		ref, ok := parseRef(docs[i].Name)
		own := tenant == "" || ref.Tenant == tenant
		switch {
		case !own && docs[i].Name > tenant+"/": // all of its names are before this one
			return out, "", nil
		case !ok || !own:
			continue
		}
		rec, err := decode(&docs[i])
		if err != nil {
			rec.State, rec.Reason = Invalid, err.Error()
		}
		out = append(out, r.show(&rec, ref))
	}
	return out, next, nil
}

// Opened is a credential with its key file, for whoever sends.
type Opened struct {
	Credential

	File []byte // secret
}

// String keeps the file out of whatever prints it.
func (o *Opened) String() string { return "credential of " + o.Ref.String() }

// GoString is String, for %#v.
func (o *Opened) GoString() string { return o.String() }

// Open returns a credential with its key file. know is the serial of the one that the caller
// has already: if it still is that, the file is left out. Errors are push.ErrNotFound, those
// of [Ring.Open], and those of the store.
func (r *Room) Open(ctx context.Context, ref Ref, know string) (*Opened, error) {
	_, rec, err := r.load(ctx, ref)
	if err != nil {
		return nil, err
	}
	out := &Opened{Credential: rec.show(ref)}
	if rec.Serial == know {
		return out, nil
	}
	if out.File, err = r.cfg.Ring.Open(ctx, &rec.Sealed, rec.purpose(ref)); err != nil {
		return out, fmt.Errorf("credential of %s: %w", ref, err)
	}
	return out, nil
}

// Judge notes what Google says of a credential that is in use. It tells Refused if this call
// is the one that found out. A credential that was replaced meanwhile is left alone.
func (r *Room) Judge(ctx context.Context, ref Ref, serial string, state State, reason string) error {
	const tries = 5
	err := push.ErrConflict
	for range tries {
		var version int64
		var rec record
		version, rec, err = r.load(ctx, ref)
		if errors.Is(err, push.ErrNotFound) || err == nil && (rec.Serial != serial || rec.State == state) {
			return nil
		}
		if err != nil {
			return err
		}
		rec.State, rec.Reason, rec.CheckedAt = state, clip(reason), r.cfg.Now().UTC().Truncate(time.Millisecond)
		err = document.Save(ctx, r.cfg.Documents, Kind, ref.String(), version+1, rec, rec.CheckedAt)
		if errors.Is(err, push.ErrConflict) {
			continue
		}
		if err == nil && state == Invalid && r.cfg.Refused != nil {
			r.cfg.Refused(ctx, rec.show(ref))
		}
		return err
	}
	return err
}

// load reads a credential. The version is not 0 if there is a document, be it unreadable.
func (r *Room) load(ctx context.Context, ref Ref) (int64, record, error) {
	if !ref.valid() {
		return 0, record{}, push.ErrNotFound
	}
	d, err := r.cfg.Documents.Document(ctx, Kind, ref.String())
	if err != nil {
		return 0, record{}, fmt.Errorf("credential of %s: %w", ref, err)
	}
	rec, err := decode(&d)
	return d.Version, rec, err
}

// clip bounds what others wrote.
func clip(text string) string {
	const most = 300
	return strict.Clip(text, most)
}

// checkProject says why a text is no project id, "" if it is one
// (https://cloud.google.com/resource-manager/docs/creating-managing-projects). Old ones have
// a domain and a colon before it.
func checkProject(id string) (why string) {
	const least, most = 3, 100
	ok := len(id) >= least && len(id) <= most && id[0] >= 'a' && id[0] <= 'z'
	for i := range len(id) {
		c := id[i]
		ok = ok && (c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '.' || c == ':' || c == '-')
	}
	if !ok {
		return "project_id must be a Firebase project id such as my-app-12345: copy the key file again, unchanged"
	}
	return ""
}

// fingerprint names a private key by its public half.
func fingerprint(key string) (string, error) {
	bad := errors.New("private_key is no RSA key: copy the key file again, unchanged")
	block, _ := pem.Decode([]byte(key))
	if block == nil {
		return "", bad
	}
	var private *rsa.PrivateKey
	if parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
		private, _ = parsed.(*rsa.PrivateKey)
	} else if parsed, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		private = parsed
	}
	if private == nil {
		return "", bad
	}
	public, err := x509.MarshalPKIXPublicKey(&private.PublicKey)
	if err != nil {
		return "", bad
	}
	const shown = 8 // bytes
	sum := sha256.Sum256(public)
	return hex.EncodeToString(sum[:shown]), nil
}
