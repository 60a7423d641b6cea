package httpapi

import "github.com/belfry-push/belfry/internal/sameorigin"

// checkPage refuses what a web page of another origin sends or reads, on every
// path and with or without a key. It comes first: a page must not learn which
// paths there are.
func (a *api) checkPage(x *exchange) error {
	refused := a.cfg.Pages.Check(x.r)
	switch {
	case refused == nil:
		return nil
	case refused.Kind == sameorigin.WrongHost:
		return refuse(codeHost, "%s", refused.Detail)
	}
	return refuse(codeOrigin, "%s", refused.Detail)
}
