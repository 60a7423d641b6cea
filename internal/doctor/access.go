package doctor

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/audit"
	"github.com/belfry-push/belfry/internal/audit/journal"
	"github.com/belfry-push/belfry/internal/credential"
	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/push"
)

// Door says who is let in, by the settings of the service, and where the rest is stored.
type Door struct {
	Listen     string
	Beyond     bool  // Listen can be reached from other machines
	KeySet     bool  // BELFRY_API_KEY is
	RequireKey *bool // BELFRY_REQUIRE_KEY

	AuditKey string // BELFRY_AUDIT_KEY
	Now      func() time.Time
	// Open opens what is stored, for reading. The error is push.ErrNotFound if nothing is yet.
	Open func(ctx context.Context) (Stored, error)
	// Ring has the keys that seal.
	Ring func(ctx context.Context) (*credential.Ring, error)
}

// Stored is what a service has stored.
type Stored struct {
	Documents document.Store
	Audit     audit.Log
	Close     func() error
}

const (
	nameEntrance = "entrance"
	nameKeys     = "API keys"
	nameSealed   = "credentials of apps"
	nameAuditKey = "audit key"
)

// When something is said of a key.
const (
	soonExpires = 14 * 24 * time.Hour
	longUnused  = 90 * 24 * time.Hour
	neverUsed   = 7 * 24 * time.Hour // since it was made
)

// Access examines who is let in and with which keys: API keys, the credentials of apps and the keys that seal them, and the key
// of the audit log.
func Access(d Door) Check {
	return func(ctx context.Context) []Result {
		s, err := d.Open(ctx)
		if err != nil {
			detail := "what is stored cannot be read: " + err.Error()
			if errors.Is(err, push.ErrNotFound) {
				detail = "nothing is stored yet"
			}
			return append(d.entrance(0), skipped(nameKeys, detail))
		}
		defer func() { _ = s.Close() }()
		results, err := d.keys(ctx, access.New(s.Documents, d.Now))
		if err != nil {
			results = append(d.entrance(0), failure(nameKeys, err))
		}
		return slices.Concat(results, d.sealed(ctx, s.Documents), d.auditKey(ctx, &s))
	}
}

// entrance judges whether requests need a key, of which so many are live.
func (d *Door) entrance(live int) []Result {
	refuses := d.RequireKey != nil && *d.RequireKey
	lets := d.RequireKey != nil && !*d.RequireKey
	switch {
	case d.KeySet:
		return []Result{ok(nameEntrance, "every request needs a key; one of them is BELFRY_API_KEY")}
	case d.Beyond && lets:
		return []Result{failed(nameEntrance,
			"no key is required, though it listens on "+d.Listen+", beyond the loopback interface: it does not start",
			"leave BELFRY_REQUIRE_KEY out, or listen on 127.0.0.1 (BELFRY_LISTEN)")}
	case d.Beyond || refuses:
		return []Result{ok(nameEntrance, "every request needs a key")}
	case live > 0:
		return []Result{warning(nameEntrance,
			fmt.Sprintf("no key is required, though %s: whoever reaches %s is the owner", are(live, "live"), d.Listen),
			"set BELFRY_REQUIRE_KEY=true")}
	default:
		return []Result{ok(nameEntrance, "no key is required: it listens on the loopback interface only, "+d.Listen)}
	}
}

// keys judges the entrance, and the keys of all tenants.
func (d *Door) keys(ctx context.Context, dir *access.Directory) ([]Result, error) {
	all, err := dir.AllKeys(ctx)
	if err != nil {
		return nil, err
	}
	tenants, err := tenantNames(ctx, dir)
	if err != nil {
		return nil, err
	}
	operated, err := dir.HasOperatorKey(ctx)
	if err != nil {
		return nil, err
	}
	found := sortKeys(all, tenants, d.Now())
	results := d.entrance(found.live)
	if len(all) > 0 && !operated && !d.KeySet {
		results = append(results, failed(nameKeys, "no live key is the platform operator's: nobody can make tenants or change their quotas",
			"start it with BELFRY_API_KEY set, which is an owner's key, and run belfry key create --role owner"))
	}
	for _, f := range []struct {
		which        []string
		says, remedy string
	}{
		{found.lacking, "tenants without a live key", "belfry key create --tenant NAME, or belfry tenant delete NAME"},
		{
			found.expired, "expired and not replaced",
			"belfry key create --tenant NAME; or belfry key revoke ID --tenant NAME, and it is not mentioned again",
		},
		{
			found.expiring, fmt.Sprintf("expire within %d days", days(soonExpires)),
			"belfry key create --tenant NAME, and give the new key to its callers before",
		},
		{found.unused, fmt.Sprintf("not used for %d days", days(longUnused)), unneeded},
		{found.never, fmt.Sprintf("never used, and older than %d days", days(neverUsed)), unneeded},
	} {
		if len(f.which) > 0 {
			results = append(results, warning(nameKeys, f.says+": "+some(f.which), f.remedy))
		}
	}
	if len(results) == 1 {
		results = append(results, ok(nameKeys, are(found.live, "live")))
	}
	return results, nil
}

// sortedKeys are the keys that something is said of, as tenant/id, and the tenants without any.
type sortedKeys struct {
	live                             int
	expired, expiring, unused, never []string
	lacking                          []string
}

func sortKeys(all []access.Key, tenants []string, now time.Time) sortedKeys {
	has, replaced := map[string]bool{}, map[string]bool{}
	for i := range all {
		if k := &all[i]; k.Live(now) {
			has[k.Tenant] = true
			replaced[k.Replaces] = true
		}
	}
	var s sortedKeys
	for i := range all {
		k := &all[i]
		gone := !slices.Contains(tenants, k.Tenant) // its tenant is deleted
		name := k.Tenant + "/" + k.ID
		if k.Name != "" {
			name += " (" + k.Name + ")"
		}
		ends := !k.ExpiresAt.IsZero()
		switch {
		case gone || !k.RevokedAt.IsZero() || replaced[k.ID] && ends:
		case !k.Live(now):
			s.expired = append(s.expired, name)
		case ends && k.ExpiresAt.Sub(now) < soonExpires:
			s.expiring = append(s.expiring, name+" "+k.ExpiresAt.UTC().Format(time.DateOnly))
		case k.UsedAt.IsZero() && now.Sub(k.CreatedAt) > neverUsed:
			s.never = append(s.never, name)
		case !k.UsedAt.IsZero() && now.Sub(k.UsedAt) > longUnused:
			s.unused = append(s.unused, name)
		}
		if !gone && k.Live(now) {
			s.live++
		}
	}
	for _, t := range tenants {
		if t != access.DefaultName && !has[t] {
			s.lacking = append(s.lacking, t)
		}
	}
	return s
}

// tenantNames returns the tenants that are not deleted, the default one first.
func tenantNames(ctx context.Context, dir *access.Directory) ([]string, error) {
	const page = 1000
	names := []string{access.DefaultName}
	for cursor := ""; ; {
		some, next, err := dir.Tenants(ctx, cursor, page)
		if err != nil {
			return nil, err
		}
		for i := range some {
			if some[i].Name != access.DefaultName {
				names = append(names, some[i].Name)
			}
		}
		if cursor = next; cursor == "" {
			return names, nil
		}
	}
}

const unneeded = "belfry key revoke ID --tenant NAME, if nobody needs it"

// mostOpened is how many credentials are opened to see whether they can be: with AWS KMS each is a call.
const mostOpened = 200

// sealed opens the credentials of apps, as a dispatcher does.
func (d *Door) sealed(ctx context.Context, docs document.Store) []Result {
	const remedy = "give the doctor the BELFRY_SEAL_KEY (or BELFRY_SEAL_KMS_KEY) of the services; if that is gone, " +
		"upload the credentials again: belfry app credential set"
	ring, err := d.Ring(ctx)
	if err != nil {
		return []Result{failed(nameSealed, err.Error(), remedy)}
	}
	room := credential.New(credential.Config{Documents: docs, Ring: ring, Log: zap.NewNop(), Now: d.Now})
	all, next, err := room.List(ctx, "", "", mostOpened)
	if err != nil {
		return []Result{failure(nameSealed, err)}
	}
	opened := 0
	reasons := map[string][]string{}
	for i := range all {
		_, err := room.Open(ctx, all[i].Ref, "")
		switch {
		case errors.Is(err, push.ErrNotFound):
		case err != nil:
			why := strings.TrimPrefix(err.Error(), "credential of "+all[i].String()+": ")
			reasons[why] = append(reasons[why], all[i].String())
		default:
			opened++
		}
	}
	var results []Result
	for _, why := range sortedNames(reasons) {
		results = append(results, failed(nameSealed, some(reasons[why])+": "+why, remedy))
	}
	if opened > 0 {
		detail := fmt.Sprintf("%d can be opened", opened)
		if next != "" {
			detail += ", and others were not tried"
		}
		results = append(results, ok(nameSealed, detail))
	}
	return results
}

func sortedNames(m map[string][]string) []string {
	set := map[string]bool{}
	for k := range m {
		set[k] = true
	}
	return sorted(set)
}

// auditKey judges whether what signs here is what signed the log of the platform's operator.
func (d *Door) auditKey(ctx context.Context, s *Stored) []Result {
	if d.AuditKey == "" {
		switch err := journal.CheckStored(ctx, s.Audit, s.Documents, access.DefaultName); {
		case errors.Is(err, journal.ErrOtherKey):
			return []Result{failed(nameAuditKey, "BELFRY_AUDIT_KEY is not set, and the audit log is signed with a key that is not in the store: "+
				"commands on the data refuse to work, and a service would sign with a key that nobody trusts",
				"give every service and command the same BELFRY_AUDIT_KEY; if it is gone, make one with belfry audit key (docs/audit.md)")}
		case err != nil:
			return []Result{failure(nameAuditKey, err)}
		}
		return []Result{ok(nameAuditKey, "kept in the store: whoever writes that can rewrite the log (docs/audit.md)")}
	}
	ring, err := journal.ParseKeys(d.AuditKey)
	if err != nil {
		return []Result{failed(nameAuditKey, err.Error(), "set BELFRY_AUDIT_KEY to what belfry audit key prints")}
	}
	last, err := s.Audit.AuditBlocksBefore(ctx, access.DefaultName, math.MaxInt64, 1)
	if err != nil {
		return []Result{failure(nameAuditKey, err)}
	}
	for _, key := range ring.Public() {
		if len(last) == 0 || audit.KeyID(key) == last[0].Head.Key {
			return []Result{ok(nameAuditKey, "BELFRY_AUDIT_KEY is what signs the audit log")}
		}
	}
	return []Result{warning(nameAuditKey, "the audit log ends with a head of the key "+last[0].Head.Key+", which is not in BELFRY_AUDIT_KEY",
		"if that key signed before, put it behind the present one, with a comma; else give the services this key, too")}
}

func days(d time.Duration) int { const day = 24 * time.Hour; return int(d / day) }

func are(n int, what string) string {
	if n == 1 {
		return "1 key is " + what
	}
	return fmt.Sprintf("%d keys are %s", n, what)
}

// some names a few.
func some(names []string) string {
	const shown = 5
	if len(names) <= shown {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:shown], ", "), len(names)-shown)
}
