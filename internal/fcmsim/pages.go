package fcmsim

import (
	"mime"
	"net/http"
)

// welcome answers what a web page of another origin sends or reads, and what calls the simulator by a name that is not
// its own, with 403: it asks for no key, so that any page could drive it. It reports whether the request may go on.
func (s *Sim) welcome(w http.ResponseWriter, r *http.Request) bool {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cross-Origin-Resource-Policy", "same-origin")
	refused := s.pages.Check(r)
	if refused != nil {
		writeJSON(w, http.StatusForbidden, map[string]status{"error": {
			Code: http.StatusForbidden, Status: "PERMISSION_DENIED", Message: refused.Detail,
		}})
	}
	return refused == nil
}

// isJSON reports whether a Content-Type is that of JSON. A page can send anything else without asking for leave.
func isJSON(contentType string) bool {
	if contentType == "application/json" {
		return true
	}
	kind, _, err := mime.ParseMediaType(contentType)
	return err == nil && kind == "application/json"
}
