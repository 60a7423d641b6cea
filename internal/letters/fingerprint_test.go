package letters

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/belfry-push/belfry/internal/push"
)

func TestPatternOf(t *testing.T) {
	t.Parallel()
	for detail, want := range map[string]string{
		"":                                      "",
		"The service is currently unavailable.": "The service is currently unavailable.",
		"HTTP 503: try again in 17.5 s":         "HTTP #: try again in # s",
		`dial tcp 127.0.0.1:43210: connect: connection refused`:        `dial tcp #: connect: connection refused`,
		`unknown field "titel"`:                                        `unknown field "…"`,
		"Invalid value at 'message.data[0].value'":                     "Invalid value at '…'",
		"it can't be read, isn't ours":                                 "it can't be read, isn't ours",
		"ntf_01890a5d-ac96-774b-bcce-b302099a8057 is gone":             "<id> is gone",
		"request 01890a5d-ac96-774b-bcce-b302099a8057 failed":          "request <id> failed",
		"trace 0af7651916cd43dd8448eb211c80319c":                       "trace <hex>",
		"two   spaces\nand a line":                                     "two spaces and a line",
		"deadbeef is hexadecimal, a feed is not":                       "<hex> is hexadecimal, a feed is not",
		strings.Repeat("é", 150):                                       strings.Repeat("é", 100),
		"page 12 of a notification of 9 pages":                         "page # of a notification of # pages",
		"12345678 and 1234567 fold the same way, v2beta3 folds within": "# and # fold the same way, v#beta# folds within",
	} {
		if got := patternOf(detail); got != want {
			t.Errorf("pattern of %q is %q, want %q", detail, got, want)
		}
	}
}

func TestPatternIsStable(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := patternOf(rapid.String().Draw(t, "detail"))
		if len(p) > maxPattern || !utf8.ValidString(p) && utf8.ValidString(p) {
			t.Fatalf("pattern %q has %d bytes", p, len(p))
		}
		if strings.ContainsAny(p, "0123456789") {
			t.Fatalf("pattern %q has digits", p)
		}
	})
}

// Letters of one cause share a fingerprint, whatever differs between letters;
// another code, app, template or text is another cause.
func TestClassify(t *testing.T) {
	t.Parallel()
	base := func() push.Letter {
		return push.Letter{
			Code: push.CodeAttemptsExhausted, LastCode: push.CodeNetReset, App: "a", Detail: "reset by 10.0.0.1",
			Labels: map[string]string{"template": "t"},
		}
	}
	printOf := func(tune func(l *push.Letter)) string {
		l := base()
		tune(&l)
		classify(&l)
		return l.Fingerprint
	}
	same := printOf(func(*push.Letter) {})
	if len(same) != 16 {
		t.Errorf("fingerprint is %q", same)
	}
	for name, c := range map[string]struct {
		tune func(l *push.Letter)
		same bool
	}{
		"another number":   {func(l *push.Letter) { l.Detail = "reset by 10.0.0.2" }, true},
		"another tenant":   {func(l *push.Letter) { l.Tenant = "x" }, true},
		"another queue":    {func(l *push.Letter) { l.Queue = "x" }, true},
		"another label":    {func(l *push.Letter) { l.Labels["team"] = "x" }, true},
		"another code":     {func(l *push.Letter) { l.Code = push.CodePoison }, false},
		"another last one": {func(l *push.Letter) { l.LastCode = push.CodeNetTLS }, false},
		"another app":      {func(l *push.Letter) { l.App = "b" }, false},
		"another template": {func(l *push.Letter) { l.Labels["template"] = "u" }, false},
		"no template":      {func(l *push.Letter) { l.Labels = nil }, false},
		"another text":     {func(l *push.Letter) { l.Detail = "closed by 10.0.0.1" }, false},
	} {
		if got := printOf(c.tune); (got == same) != c.same {
			t.Errorf("%s: same fingerprint is %v, want %v", name, got == same, c.same)
		}
	}
}
