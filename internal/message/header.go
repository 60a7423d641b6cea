package message

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// The headers that Belfry itself sets or looks at.
const (
	HeaderCollapseID = "apns-collapse-id"
	HeaderExpiration = "apns-expiration"
	HeaderPriority   = "apns-priority"
	HeaderPushType   = "apns-push-type"
	HeaderTTL        = "TTL"
	HeaderUrgency    = "Urgency"
)

// MaxCollapseID is how long apns-collapse-id may be, in bytes.
const MaxCollapseID = 64

var (
	tokenForm = regexp.MustCompile("^[!#$%&'*+\\-.^_`|~0-9A-Za-z]{1,100}$")
	uuidForm  = regexp.MustCompile(`^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$`)
	topicForm = regexp.MustCompile(`^[A-Za-z0-9_-]{1,32}$`)
)

// headers checks a map of HTTP headers, of which known ones, by their names in
// lower case, have values of their own. Names compare without case (RFC 9110
// §5.1), are tokens (§5.6.2), and values are visible ASCII with spaces and tabs
// between (§5.5).
func headers(known map[string]func(string) string) func(*checker, map[string]any) {
	return func(c *checker, entries map[string]any) {
		seen := map[string]string{}
		for _, name := range sortedKeys(entries) {
			value, ok := entries[name].(string)
			if !ok {
				continue // said already
			}
			lower := strings.ToLower(name)
			c.at(name, func() {
				switch other, twice := seen[lower]; {
				case !tokenForm.MatchString(name):
					c.fault(codeValue, "must be the name of an HTTP header: letters, digits and any of !#$%%&'*+-.^_`|~")
				case twice:
					c.fault(codeConflict, "is the same header as %q: names of headers compare without case", other)
				default:
					c.header(value, known[lower])
				}
			})
			seen[lower] = name
		}
	}
}

func (c *checker) header(value string, check func(string) string) {
	why := CheckHeaderValue(value)
	if why == "" && check != nil {
		why = check(value)
	}
	if why != "" {
		c.fault(codeValue, "%s", why)
	}
}

// CheckHeaderValue returns what is wrong with the value of an HTTP header, or "".
func CheckHeaderValue(value string) string {
	if i := strings.IndexFunc(value, func(r rune) bool { return (r < ' ' || r > '~') && r != '\t' }); i >= 0 {
		return fmt.Sprintf("must be visible ASCII, as HTTP headers are (byte %d is 0x%02x)", i, value[i])
	}
	if strings.Trim(value, " \t") != value {
		return "must not begin or end with a space or tab"
	}
	return ""
}

// apnsHeaders are those of "Sending notification requests to APNs"
// (https://developer.apple.com/documentation/usernotifications/sending-notification-requests-to-apns).
func apnsHeaders() map[string]func(string) string {
	return map[string]func(string) string{
		HeaderPriority: oneOf("10", "5", "1"),
		HeaderPushType: oneOf("alert", "background", "location", "voip", "complication", "fileprovider", "mdm",
			"liveactivity", "pushtotalk", "widgets", "controls"),
		HeaderExpiration: checkExpiration,
		HeaderCollapseID: func(s string) string {
			if s == "" || len(s) > MaxCollapseID {
				return fmt.Sprintf("must have 1..%d bytes (got %d)", MaxCollapseID, len(s))
			}
			return ""
		},
		"apns-id": func(s string) string {
			if !uuidForm.MatchString(s) {
				return fmt.Sprintf("must be a UUID such as 123e4567-e89b-12d3-a456-426614174000 (got %q)", clip(s))
			}
			return ""
		},
		"apns-topic": func(s string) string {
			if s == "" {
				return "must be the app's bundle id, or absent: FCM knows it"
			}
			return ""
		},
	}
}

// checkExpiration takes seconds since 1970; Apple's 0 is "now or never".
func checkExpiration(s string) string {
	const year9999 = 253_402_300_799
	n, err := strconv.ParseInt(s, 10, 64)
	switch {
	case err != nil || !digits(s):
		return fmt.Sprintf("must be whole seconds since 1970, or 0 for no second try (got %q)", clip(s))
	case n > year9999:
		return fmt.Sprintf("must be whole seconds since 1970, not milliseconds (got %q)", clip(s))
	}
	return ""
}

// webpushHeaders are those of RFC 8030 §5.2 to §5.4.
func webpushHeaders() map[string]func(string) string {
	return map[string]func(string) string{
		"ttl": func(s string) string {
			if _, err := strconv.ParseInt(s, 10, 32); err != nil || !digits(s) {
				return fmt.Sprintf("must be whole seconds, 0 or more (got %q)", clip(s))
			}
			return ""
		},
		"urgency": oneOf("very-low", "low", "normal", "high"),
		"topic": func(s string) string {
			if !topicForm.MatchString(s) {
				return fmt.Sprintf("must have 1..32 characters of the URL-safe base64 alphabet (got %q)", clip(s))
			}
			return ""
		},
	}
}

func oneOf(allowed ...string) func(string) string {
	return func(s string) string {
		if slices.Contains(allowed, s) {
			return ""
		}
		return fmt.Sprintf("must be one of %s (got %q)", strings.Join(allowed, ", "), clip(s))
	}
}

// header returns the value of a header, and whether it is there. Names compare
// without case.
func header(headers map[string]any, name string) (string, bool) {
	for k, v := range headers {
		if strings.EqualFold(k, name) {
			s, _ := v.(string)
			return s, true
		}
	}
	return "", false
}
