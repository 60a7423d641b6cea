package push

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"
)

// golden is the taxonomy as it was released. Numbers are in every ledger line
// and names in every API answer: this table only ever grows.
func golden() []Facts {
	const none, ten, sixty = 0, 10 * time.Second, 60 * time.Second
	f := func(n Code, name string, c Class, terminal, sick, maybe bool, wait time.Duration) Facts {
		return Facts{Code: n, Name: name, Class: c, Terminal: terminal, Sick: sick, MaybeDelivered: maybe, FirstWait: wait}
	}
	unreached := func(n Code, name string, wait time.Duration) Facts {
		facts := f(n, name, ClassRetryable, false, true, false, wait)
		facts.Unreached = true
		return facts
	}
	planned := func(facts Facts) Facts {
		facts.Planned = true
		return facts
	}
	refusal := func(n Code, name string, b Blame) Facts {
		return Facts{Code: n, Name: name, Class: ClassPermanent, Terminal: true, Blame: b}
	}
	return []Facts{
		f(1, "sent", ClassSent, true, false, false, none),
		f(10, "fcm.unavailable", ClassRetryable, false, true, true, ten),
		f(11, "fcm.internal", ClassRetryable, false, true, true, ten),
		f(12, "fcm.quota_exceeded", ClassRetryable, false, false, false, sixty),
		unreached(13, "fcm.unauthorized", sixty),
		unreached(14, "fcm.forbidden", sixty),
		unreached(15, "net.refused", time.Second),
		unreached(16, "net.dns", time.Second),
		unreached(17, "net.tls", time.Second),
		unreached(18, "credential", ten),
		f(19, "unclassified", ClassRetryable, false, false, true, ten),
		f(30, "net.timeout", ClassAmbiguous, false, true, true, ten),
		f(31, "net.reset", ClassAmbiguous, false, true, true, ten),
		f(32, "unknown", ClassAmbiguous, true, false, false, none),
		f(33, "fcm.no_name", ClassAmbiguous, false, true, true, ten),
		f(34, "apns.unavailable", ClassRetryable, false, false, true, ten),
		f(35, "fcm.device_quota", ClassRetryable, false, false, false, sixty),
		f(36, "fcm.topic_quota", ClassRetryable, false, false, false, sixty),
		refusal(40, "fcm.unregistered", BlameDevice),
		refusal(41, "fcm.invalid_argument", BlameToken),
		refusal(42, "fcm.sender_id_mismatch", BlameProject),
		refusal(43, "fcm.third_party_auth", BlamePlatform),
		refusal(44, "payload.invalid", BlameMessage),
		refusal(45, "payload.too_large", BlameMessage),
		refusal(46, "fcm.invalid_unspecified", BlameUnclear),
		refusal(47, "apns.bad_device_token", BlameDevice),
		refusal(48, "apns.topic", BlamePlatform),
		refusal(49, "apns.live_activity", BlameMessage),
		f(60, "device.quarantined", ClassSuppressed, true, false, false, none),
		f(61, "no_device", ClassSuppressed, true, false, false, none),
		f(62, "duplicate", ClassSuppressed, true, false, false, none),
		planned(f(63, "user.opted_out", ClassSuppressed, true, false, false, none)),
		planned(f(64, "cap.frequency", ClassSuppressed, true, false, false, none)),
		f(65, "user.erased", ClassSuppressed, true, false, false, none),
		f(80, "expired", ClassExpired, true, false, false, none),
		f(90, "cancelled", ClassCancelled, true, false, false, none),
		f(100, "attempts_exhausted", ClassDeadLettered, true, false, false, none),
		f(101, "unexpandable", ClassDeadLettered, true, false, false, none),
		f(102, "undecodable", ClassDeadLettered, true, false, false, none),
		f(103, "poison", ClassDeadLettered, true, false, false, none),
		f(104, "undelivered", ClassDeadLettered, true, false, false, none),
	}
}

func TestTaxonomyIsWhatWasReleased(t *testing.T) {
	t.Parallel()
	want := golden()
	for _, w := range want {
		t.Run(w.Name, func(t *testing.T) {
			t.Parallel()
			got := w.Code.Facts()
			if got.Meaning == "" || !strings.HasSuffix(got.Meaning, ".") {
				t.Errorf("meaning %q is not a sentence", got.Meaning)
			}
			got.Meaning = ""
			if got != w {
				t.Errorf("facts of %d\n got %+v\nwant %+v", w.Code, got, w)
			}
			if w.Code.String() != w.Name || w.Code.Class() != w.Class || w.Code.Terminal() != w.Terminal ||
				w.Code.Sick() != w.Sick || w.Code.Unreached() != w.Unreached || w.Code.Blame() != w.Blame ||
				w.Code.MaybeDelivered() != w.MaybeDelivered || !w.Code.Known() {
				t.Errorf("the methods of %d disagree with its facts", w.Code)
			}
			if named, ok := CodeNamed(w.Name); !ok || named != w.Code {
				t.Errorf("CodeNamed(%q) = %d, %v", w.Name, named, ok)
			}
		})
	}
	if got := len(Codes()); got != len(want) {
		t.Errorf("the taxonomy has %d codes, this table %d: a new code belongs into both", got, len(want))
	}
}

// TestTaxonomyRules are the promises of the design that hold for every code.
func TestTaxonomyRules(t *testing.T) {
	t.Parallel()
	names, numbers := map[string]bool{}, map[Code]bool{}
	for _, f := range Codes() {
		switch {
		case f.Code == CodeOpen || f.Code > 127:
			t.Errorf("%s: number %d does not fit a cell", f.Name, f.Code)
		case names[f.Name] || numbers[f.Code]:
			t.Errorf("%s: name or number %d is taken", f.Name, f.Code)
		case f.Class == ClassRetryable && f.Terminal:
			t.Errorf("%s is retryable and terminal", f.Name)
		case f.Class != ClassRetryable && f.Class != ClassAmbiguous && !f.Terminal:
			t.Errorf("%s of class %s is not terminal", f.Name, f.Class)
		case f.Terminal && f.Sick:
			t.Errorf("%s ends a delivery and counts as a breaker failure", f.Name)
		case f.Terminal != (f.FirstWait == 0):
			t.Errorf("%s: terminal is %v, the first wait %v", f.Name, f.Terminal, f.FirstWait)
		case f.Unreached && (f.Terminal || f.MaybeDelivered || !f.Sick):
			t.Errorf("%s never got into FCM, and yet ended or may have been delivered, or FCM's health does not hear of it", f.Name)
		case (f.Class == ClassPermanent) != (f.Blame != BlameNobody):
			t.Errorf("%s of class %s blames %d: just the permanent ones are refusals", f.Name, f.Class, f.Blame)
		case f.Class == ClassAmbiguous && !f.Terminal && !f.MaybeDelivered:
			t.Errorf("%s is ambiguous but never delivered", f.Name)
		}
		names[f.Name], numbers[f.Code] = true, true
	}
	if !slices.IsSortedFunc(Codes(), func(a, b Facts) int { return int(a.Class) - int(b.Class) }) {
		t.Error("codes are not in the order of their classes")
	}
	Codes()[0].Name = "changed"
	if Codes()[0].Name == "changed" {
		t.Error("a caller can change the taxonomy")
	}
}

func TestCodesOutsideTheTaxonomy(t *testing.T) {
	t.Parallel()
	for _, c := range []Code{CodeOpen, 2, 99, 127, 128, 255} {
		if c.Class() != ClassOpen || c.Terminal() || c.Sick() || c.MaybeDelivered() || c.Blame() != BlameNobody || c.String() != "open" ||
			c.Facts().Code != c {
			t.Errorf("code %d: %+v", c, c.Facts())
		}
		if c.Known() != (c == CodeOpen) {
			t.Errorf("code %d: known is %v", c, c.Known())
		}
	}
}

func TestCodeAsText(t *testing.T) {
	t.Parallel()
	for _, f := range append(Codes(), Facts{Code: CodeOpen, Name: "open"}) {
		b, err := json.Marshal(f.Code)
		if err != nil || string(b) != `"`+f.Name+`"` {
			t.Errorf("code %d marshals to %s, %v", f.Code, b, err)
		}
		var back Code = 99
		if err := json.Unmarshal(b, &back); err != nil || back != f.Code {
			t.Errorf("%s unmarshals to %d, %v", b, back, err)
		}
	}
	back := CodeSent
	err := json.Unmarshal([]byte(`"`+strings.Repeat("x", 100)+`"`), &back)
	if err == nil || back != CodeSent || strings.Contains(err.Error(), strings.Repeat("x", 60)) {
		t.Errorf("an unknown name gave %v, %v", back, err)
	}
}

func TestClassNames(t *testing.T) {
	t.Parallel()
	var names []string
	for _, c := range Classes() {
		names = append(names, c.String())
	}
	const want = "open sent retryable ambiguous permanent suppressed expired cancelled dead_lettered"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("classes are %s, want %s", got, want)
	}
	if got := Class(99).String(); got != "Class(99)" {
		t.Errorf("an unknown class is %q", got)
	}
}
