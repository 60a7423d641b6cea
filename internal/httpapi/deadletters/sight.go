package deadletters

import (
	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/push"
)

// sight is what a caller may see: its own tenant's letters, and every tenant's
// with the operator's key.
type sight struct {
	operator string // the operator's tenant; "": there is none
}

// all reports whether the caller works on every tenant's letters.
func (s sight) all(x *door.Exchange) bool { return s.operator != "" && x.Tenant == s.operator }

// scope bounds a filter to what the caller may see.
func (s sight) scope(x *door.Exchange, f *push.LetterFilter) error {
	switch {
	case s.all(x):
	case f.Tenant != "" && f.Tenant != x.Tenant:
		return door.Refuse(door.CodeForbidden, "this key works on its own tenant's letters only: leave tenant out")
	default:
		f.Tenant = x.Tenant
	}
	return nil
}

// sees reports whether the caller may see what belongs to a tenant, "" for several.
func (s sight) sees(x *door.Exchange, tenant string) bool { return s.all(x) || tenant == x.Tenant }
