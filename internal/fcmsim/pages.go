package fcmsim

import "net/http"

// allowed reports whether the request may go on. It answers 403 to what a web page of another
// origin sends or reads, and to a request for a host name that is not the simulator's: the
// simulator asks for no key, so any page could control it.
func (s *Sim) allowed(w http.ResponseWriter, r *http.Request) bool {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cross-Origin-Resource-Policy", "same-origin")
	refused := s.pages.Check(r)
	if refused != nil {
		writeError(w, http.StatusForbidden, "PERMISSION_DENIED", refused.Detail)
	}
	return refused == nil
}
