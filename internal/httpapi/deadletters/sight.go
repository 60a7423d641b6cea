package deadletters

import (
	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/push"
)

// A caller sees its own tenant's letters, and the platform's operator every tenant's.

// all reports whether the caller works on every tenant's letters.
func all(x *door.Exchange) bool { return x.Who.Can(access.PermPlatform) }

// scope bounds a filter to what the caller may see.
func scope(x *door.Exchange, f *push.LetterFilter) error {
	switch {
	case all(x):
	case f.Tenant != "" && f.Tenant != x.Tenant:
		return door.Refuse(door.CodeForbidden, "this key works on its own tenant's letters only: leave tenant out")
	default:
		f.Tenant = x.Tenant
	}
	return nil
}

// sees reports whether the caller may see what belongs to a tenant, "" for several.
func sees(x *door.Exchange, tenant string) bool { return all(x) || tenant == x.Tenant }
