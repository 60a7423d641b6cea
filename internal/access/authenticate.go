package access

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/push"
)

// How long what was read of a key is believed, and how often its use is noted.
const (
	// CacheFor bounds how long a revoked key, a deleted tenant or a changed role goes
	// unnoticed. It is below the five seconds that are promised, by what a read may take.
	CacheFor = 4 * time.Second
	// UsedEvery is how exact [Key.UsedAt] is: one write a key in that time at most.
	UsedEvery = 10 * time.Minute

	maxCached = 20_000 // keys, also ones that do not exist; about 400 bytes each
)

// DeniedError says why a request is nobody's. Reason is for people and says nothing that
// helps to guess a key: what was wrong with a key is told only to whoever has it.
type DeniedError struct{ Reason string }

// Error implements error.
func (e *DeniedError) Error() string { return e.Reason }

// The reasons that do not depend on a key.
const (
	reasonNone      = "give an API key, as in Authorization: Bearer <key>"
	reasonUnknown   = "the API key is not known"
	reasonSignature = "the request is not signed with the secret of the key that it names"
	reasonMalformed = "the API key is incomplete or mistyped: its checksum does not match"
)

// Authenticator finds out who makes a request. It is safe for concurrent use. Make it with
// [NewAuthenticator].
type Authenticator struct {
	cfg    AuthConfig
	keys   *recent[*known] // by id
	others *recent[bool]   // under [others]: whether there are other tenants than [DefaultName]
	notes  sync.WaitGroup  // uses that are being written
	used   chan struct{}   // bounds them
}

// AuthConfig is what an Authenticator stands on.
type AuthConfig struct {
	Directory *Directory
	Fixed     Keys // from the settings
	// Open lets requests without a key in, as [Everybody], as long as there is no other
	// tenant than [DefaultName]. The server must then listen on the loopback interface
	// only.
	Open bool
	Log  *zap.Logger
}

// known is what was read of a key id.
type known struct {
	key     Key
	may     Set
	sign    Demand
	secret  []byte // that requests are signed with; nil: there is none
	closed  error  // why the secret did not open
	missing bool   // there is no such key
	deleted bool   // its tenant is no more

	noted atomic.Bool // its use is being written, or was
}

// NewAuthenticator returns an Authenticator.
func NewAuthenticator(cfg AuthConfig) (*Authenticator, error) {
	keys, err := newRecent[*known](maxCached, CacheFor, cfg.Directory.now)
	if err != nil {
		return nil, err
	}
	tenants, err := newRecent[bool](1, CacheFor, cfg.Directory.now)
	if err != nil {
		return nil, err
	}
	const noting = 4
	return &Authenticator{cfg: cfg, keys: keys, others: tenants, used: make(chan struct{}, noting)}, nil
}

// Close waits for notes of use that are being written.
func (a *Authenticator) Close() {
	a.notes.Wait()
	a.keys.close()
	a.others.close()
}

// Open reports whether requests may come without a key.
func (a *Authenticator) Open() bool { return a.cfg.Open && a.cfg.Fixed.Open() }

// LetsAnyone reports whether requests without a key are let in now, as [Everybody].
func (a *Authenticator) LetsAnyone(ctx context.Context) (bool, error) {
	if !a.Open() {
		return false, nil
	}
	return a.alone(ctx)
}

// Recheck has the next request without a key looked at anew, after a tenant was made: here it
// is refused at once, by other processes within [CacheFor].
func (a *Authenticator) Recheck() { a.others.forget(others) }

// Authenticate returns who makes a request. The error is a [*DeniedError] if it is nobody
// that may, or of the store. It takes no look-up for a key that was seen within [CacheFor],
// and none for a text that is no key.
func (a *Authenticator) Authenticate(ctx context.Context, p Presented) (Caller, error) {
	if p.Proof == nil && (p.Key == "" || a.Open() && !LooksLikeKey(p.Key)) { // a server that asks for no key takes any
		return a.withoutKey(ctx)
	}
	if c, ok := a.cfg.Fixed.find(p.Key); ok {
		return c, nil
	}
	id, err := ParseKey(p.Key)
	switch {
	case p.Key == "" && ofAlphabet(p.KeyID, idAlphabet, keyIDLen, keyIDLen):
		id = p.KeyID
	case err != nil && LooksLikeKey(p.Key):
		return Caller{}, &DeniedError{reasonMalformed}
	case err != nil:
		return Caller{}, &DeniedError{reasonUnknown}
	}
	k, err := a.keys.get(ctx, id, func(ctx context.Context) (*known, error) { return a.read(ctx, id) })
	if err != nil {
		return Caller{}, err
	}
	switch {
	case p.Proof != nil:
		if err := k.proven(&p); err != nil {
			return Caller{}, err
		}
	case k.missing || !k.key.matches(hashOf(p.Key)):
		return Caller{}, &DeniedError{reasonUnknown}
	}
	now := a.cfg.Directory.now()
	switch {
	case !k.key.RevokedAt.IsZero():
		return Caller{}, &DeniedError{"the API key " + id + " was revoked"}
	case !k.key.Live(now):
		return Caller{}, &DeniedError{fmt.Sprintf("the API key %s expired at %s", id, k.key.ExpiresAt.UTC().Format(time.RFC3339))}
	case k.deleted:
		return Caller{}, &DeniedError{"the tenant of the API key " + id + " was deleted"}
	case !k.key.opensFrom(p.From):
		return Caller{}, &DeniedError{fmt.Sprintf("the API key %s must not be used from %s", id, p.From)}
	}
	a.noteUse(ctx, k, now)
	return Caller{Tenant: k.key.Tenant, App: k.key.App, Name: k.key.Label(), Key: id, May: k.may, Sign: k.sign}, nil
}

// withoutKey lets requests without a key in where nobody else's are.
func (a *Authenticator) withoutKey(ctx context.Context) (Caller, error) {
	if !a.Open() {
		return Caller{}, &DeniedError{reasonNone}
	}
	alone, err := a.alone(ctx)
	if err != nil {
		return Caller{}, err
	}
	if !alone {
		return Caller{}, &DeniedError{reasonNone + ": there is more than one tenant"}
	}
	return Everybody(), nil
}

// others is the name under which it is remembered whether there are other tenants.
const others = "others"

// alone reports whether there is no tenant but the default one.
func (a *Authenticator) alone(ctx context.Context) (bool, error) {
	more, err := a.others.get(ctx, others, func(ctx context.Context) (bool, error) {
		some, err := every(ctx, a.cfg.Directory, KindTenant, func(t *Tenant) bool { return t.Name != DefaultName && !t.Deleted() })
		return len(some) > 0, err
	})
	return err == nil && !more, err
}

// read reads a key with its role and tenant.
func (a *Authenticator) read(ctx context.Context, id string) (*known, error) {
	d := a.cfg.Directory
	stored, err := load[Key](ctx, d, KindKey, id)
	if errors.Is(err, push.ErrNotFound) {
		return &known{missing: true}, nil
	}
	if err != nil {
		return nil, err
	}
	k := &known{key: stored.Value}
	k.secret, k.closed = d.openSecret(ctx, &k.key)
	t, err := d.Tenant(ctx, k.key.Tenant)
	if err != nil && !errors.Is(err, push.ErrNotFound) {
		return nil, err
	}
	k.deleted = err != nil || t.Deleted()
	if k.sign, err = d.demand(ctx, &k.key, &t); err != nil {
		return nil, err
	}
	role, err := d.Role(ctx, k.key.Tenant, k.key.Role)
	switch {
	case err == nil:
		k.may = granted(k.key.Tenant, k.key.App, &role, k.key.Scopes)
	case !errors.Is(err, push.ErrNotFound): // a deleted role allows nothing
		return nil, err
	}
	return k, nil
}

// noteUse writes that a key was used, beside the request and now and then only. What is lost
// of it is noted with the next use.
func (a *Authenticator) noteUse(ctx context.Context, k *known, now time.Time) {
	if now.Sub(k.key.UsedAt) < UsedEvery || !k.noted.CompareAndSwap(false, true) {
		return
	}
	select {
	case a.used <- struct{}{}:
	default:
		k.noted.Store(false)
		return
	}
	a.notes.Go(func() {
		defer func() { <-a.used }()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), CacheFor)
		defer cancel()
		if err := a.cfg.Directory.touch(ctx, k.key.ID); err != nil {
			a.cfg.Log.Debug("the use of an API key was not noted", zap.String("key", k.key.ID), zap.String("tenant", k.key.Tenant), zap.Error(err))
		}
	})
}
