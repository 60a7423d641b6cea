package letters

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"

	"github.com/belfry-push/belfry/internal/push"
)

// templateLabel is the label with which a caller names a notification's template.
const templateLabel = "template"

// maxPattern bounds a pattern, in bytes.
const maxPattern = 200

// folds are applied in this order. A fold is skipped if the text lacks what it needs, which
// saves half of the time for evidence like "HTTP 503".
//
//nolint:gochecknoglobals // compiled patterns; read-only
var folds = []struct {
	needs string // every match has it; "" for one that has to be tried
	what  *regexp.Regexp
	by    string
}{
	{`"`, regexp.MustCompile(`"[^"]*"`), `"…"`},
	{`'`, regexp.MustCompile(`(^|[\s(=:\[])'[^']*'`), `$1'…'`}, // not the apostrophe of "can't"
	{`_`, regexp.MustCompile(`\b[a-z]{3}_[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}`), `<id>`},
	{`-`, regexp.MustCompile(`\b[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\b`), `<id>`},
	{``, regexp.MustCompile(`\b\d+(?:[.,:]\d+)*\b`), `#`},
	{``, regexp.MustCompile(`\b(?:0x)?[0-9a-fA-F]{8,}\b`), `<hex>`},
	{``, regexp.MustCompile(`\d+`), `#`},
}

// patternOf replaces what differs between letters of one cause: quoted values, ids,
// hexadecimal and numbers.
func patternOf(detail string) string {
	for _, f := range folds {
		if strings.Contains(detail, f.needs) {
			detail = f.what.ReplaceAllString(detail, f.by)
		}
	}
	detail = strings.Join(strings.Fields(detail), " ")
	if len(detail) > maxPattern {
		detail = strings.ToValidUTF8(detail[:maxPattern], "")
	}
	return detail
}

// classify fills in what the letter is grouped by: template, pattern and fingerprint, from
// its codes, app, labels and evidence.
func classify(l *push.Letter) {
	l.Template = l.Labels[templateLabel]
	l.Pattern = patternOf(l.Detail)
	h := sha256.New()
	_, _ = fmt.Fprintf(h, "%s %s %q %q %q", l.Code, l.LastCode, l.App, l.Template, l.Pattern)
	const size = 8 // bytes: of a million causes two collide with a chance of 1 in 37 million
	l.Fingerprint = hex.EncodeToString(h.Sum(nil)[:size])
}
