package push

import "fmt"

// collapseID is the rule of a collapse_id. It becomes the apns-collapse-id
// header, a line of HTTP.
func collapseID(w *walker, v any) {
	s, ok := v.(string)
	switch {
	case !ok:
		w.wantType("a string", v)
	case s == "":
		w.fault(FaultValue, "must have 1..%d bytes (got 0)", MaxCollapseID)
	default:
		if why := checkCollapseID(s); why != "" {
			w.fault(FaultValue, "%s", why)
		}
	}
}

// checkCollapseID returns what is wrong with a collapse id, or "", as it is for
// none at all.
func checkCollapseID(id string) string {
	if len(id) > MaxCollapseID {
		return fmt.Sprintf("must have 1..%d bytes (got %d)", MaxCollapseID, len(id))
	}
	return checkHeaderValue(id)
}

// checkHeaderValue returns what is wrong with the value of a header that APNs or
// a web push service gets, or "": spaces and visible ASCII alone pass every
// server (RFC 9110 §5.5). A line break would begin another header.
func checkHeaderValue(value string) string {
	for i := range len(value) {
		if c := value[i]; c < ' ' || c > '~' {
			return fmt.Sprintf("must be visible ASCII, without line breaks (byte %d is 0x%02x)", i, c)
		}
	}
	return ""
}
