package message

import (
	"encoding/json"
	"fmt"
	"math"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/belfry-push/belfry/internal/strict"
)

// MaxTTL is the longest android.ttl in seconds, four weeks.
const MaxTTL = 2_419_200

var (
	colorForm = regexp.MustCompile(`^#[0-9a-fA-F]{6}$`)
	labelForm = regexp.MustCompile(`^[a-zA-Z0-9\-_.~%]{1,50}$`)
)

// checkColor: AndroidNotification.color is "expressed in #rrggbb format".
func checkColor(s string) string {
	if colorForm.MatchString(s) {
		return ""
	}
	return fmt.Sprintf("must be #rrggbb (got %q)", clip(s))
}

// checkLabel: analytics labels have up to 50 characters of [a-zA-Z0-9-_.~%]
// (https://firebase.google.com/docs/cloud-messaging/understand-delivery).
func checkLabel(s string) string {
	if labelForm.MatchString(s) {
		return ""
	}
	return fmt.Sprintf("must match ^[a-zA-Z0-9-_.~%%]{1,50}$ (got %q)", clip(s))
}

// checkURL takes what a phone or a browser would load: an absolute URL of one of
// the schemes, with a host. It is more lenient than [url.Parse] in one thing, as
// they are: a percent sign need not begin an escape (https://url.spec.whatwg.org).
func checkURL(schemes ...string) func(string) string {
	want := "must be an absolute " + strings.Join(schemes, " or ") + " URL"
	return func(s string) string {
		u, err := url.Parse(strings.ReplaceAll(s, "%", "%25"))
		if err != nil || !slices.Contains(schemes, u.Scheme) || u.Hostname() == "" || strings.ContainsAny(u.Host, "% ") {
			return fmt.Sprintf("%s (got %q)", want, clip(s))
		}
		return ""
	}
}

// ParseDuration reads a google.protobuf.Duration, as in "3.5s", and returns its
// whole seconds, rounded towards zero. complaint, if not empty, is what FCM says
// of the text.
func ParseDuration(s string) (seconds int64, negative bool, complaint string) {
	number, ok := strings.CutSuffix(s, "s")
	if !ok {
		return 0, false, "Illegal duration format; duration must end with 's'"
	}
	whole, fraction, hasFraction := strings.Cut(number, ".")
	const nanos = 9
	if hasFraction && (len(fraction) == 0 || len(fraction) > nanos || !digits(fraction)) {
		return 0, false, "Invalid duration format, failed to parse nano seconds"
	}
	whole, negative = strings.CutPrefix(whole, "-")
	seconds, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || !digits(whole) || seconds > maxDuration {
		return 0, false, "Invalid duration format, failed to parse seconds"
	}
	negative = negative && (seconds > 0 || strings.Trim(fraction, "0") != "")
	return seconds, negative, ""
}

// checkDuration takes none below zero and, with its fraction, none above upTo
// seconds.
func checkDuration(s string, upTo int64) string {
	seconds, negative, complaint := ParseDuration(s)
	switch {
	case complaint != "", strings.HasPrefix(s, "-"):
		return fmt.Sprintf(`must be seconds with up to nine decimals and an "s", as in "3.5s" (got %q)`, clip(s))
	case negative, seconds > upTo, seconds == upTo && strings.Trim(strings.TrimPrefix(s, strconv.FormatInt(seconds, 10)), ".0s") != "":
		return fmt.Sprintf("must be at most %ds (got %q)", upTo, clip(s))
	}
	return ""
}

// CheckTimestamp returns what is wrong with a google.protobuf.Timestamp, or "":
// RFC 3339 from year 1 to 9999, with up to nine decimals.
func CheckTimestamp(s string) string {
	t, err := time.Parse(time.RFC3339Nano, s)
	_, fraction, _ := strings.Cut(s, ".")
	decimals := strings.IndexFunc(fraction, func(r rune) bool { return r < '0' || r > '9' })
	const nanos = 9
	if err != nil || decimals > nanos || t.UTC().Year() < 1 || t.UTC().Year() > 9999 {
		return fmt.Sprintf("must be an RFC 3339 time (got %q)", clip(s))
	}
	return ""
}

// checkCount takes 0 to the largest of TYPE_INT32.
func checkCount(n json.Number) string {
	if i, err := strconv.ParseInt(n.String(), 10, 32); err != nil || i < 0 {
		return fmt.Sprintf("must be an integer in 0..%d (got %s)", math.MaxInt32, clip(n.String()))
	}
	return ""
}

// checkFraction: the parts of google.type.Color are "in the interval [0, 1]".
func checkFraction(n json.Number) string {
	if f, err := n.Float64(); err != nil || f < 0 || f > 1 {
		return fmt.Sprintf("must be a number in 0..1 (got %s)", clip(n.String()))
	}
	return ""
}

func (f *Field) checkEnum(s string) string {
	names := f.Values()
	if slices.Contains(names, s) {
		return ""
	}
	return fmt.Sprintf("must be one of %s (got %q)%s", strings.Join(names, ", "), clip(s), strict.DidYouMean(s, names))
}

// Values returns what an enum takes: its names, and those in lower case where FCM
// documents them too.
func (f *Field) Values() []string {
	names := slices.Clone(f.Names)
	if f.lower {
		for _, n := range f.Names {
			names = append(names, strings.ToLower(n))
		}
	}
	return names
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return len(s) > 0
}

// clip bounds what an answer repeats of a value.
func clip(s string) string {
	const most = 60
	return strict.Clip(s, most)
}
