package regional

import (
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/text/language"
)

const (
	// MaxLocale bounds a tag, in bytes; extensions that make it longer are left out. RFC 5646 §4.4.1: a buffer that fits every tag in use.
	MaxLocale = 35

	// maxReported bounds the texts that are read: no meaningful one is longer.
	maxReported = 256
)

// Locale returns the BCP 47 language tag that a client means, in its canonical
// form: "en-US" for en_US, en-us and en_US.UTF-8, "he" for iw. It reads the forms
// of BCP 47, POSIX, ICU (iOS: zh-Hant_TW@calendar=roc), java.util.Locale
// (zh_TW_#Hant) and Android's resources (zh-rTW, b+sr+Latn), and of a list as in
// Accept-Language the first. What follows the part that is understood, and
// keywords of ICU and POSIX that no tag has, are left out. ok is false, and the
// tag empty, for what names no language.
func Locale(reported string) (tag string, ok bool) {
	if len(reported) > maxReported {
		return "", false
	}
	if known, found := remembered.Load(reported); found {
		tag, ok = known.(string)
		return tag, ok
	}
	if tag, ok = locale(reported); ok && len(reported) <= MaxLocale && remembering.Add(1) <= maxRemembered {
		remembered.Store(reported, tag)
	}
	return tag, ok
}

// Clients report some hundred forms, in uploads of millions of lines: reading one
// takes microseconds, remembering it some ten nanoseconds.
//
//nolint:gochecknoglobals // what a text means never changes
var (
	remembered  sync.Map // reported → tag
	remembering atomic.Int32
)

const maxRemembered = 4096

func locale(reported string) (tag string, ok bool) {
	s, _, _ := strings.Cut(reported, ",")
	s, _, _ = strings.Cut(s, ";") // a weight, or ICU's further keywords
	s = strings.TrimSpace(s)
	base, modifier, _ := strings.Cut(s, "@")
	base, _, _ = strings.Cut(base, ".") // POSIX: the character set
	if base == "" {
		return "", false
	}
	t, err := language.Parse(underModifier(subtags(base), strings.ToLower(modifier)))
	if err != nil { // then it is the part before the fault, as it stands there
		t, _ = language.Parse(t.String())
	}
	if t == language.Und {
		return "", false
	}
	if tag = t.String(); len(tag) > MaxLocale {
		lang, script, region := t.Raw()
		t, err := language.Raw.Compose(lang, script, region)
		if tag = t.String(); err != nil || len(tag) > MaxLocale {
			return "", false
		}
	}
	return tag, true
}

// subtags returns the part of s that may be a language tag, with hyphens.
func subtags(s string) string {
	if android, ok := strings.CutPrefix(s, "b+"); ok { // https://developer.android.com/guide/topics/resources/providing-resources
		return strings.ReplaceAll(android, "+", "-")
	}
	if lang, region, ok := strings.Cut(s, "-r"); ok && len(region) == 2 && region == strings.ToUpper(region) {
		return lang + "-" + region
	}
	before, rest, java := strings.Cut(s, "#")
	parts := strings.FieldsFunc(before, func(r rune) bool { return r == '_' || r == '-' })
	if strings.HasPrefix(s, "_") { // java.util.Locale of a region without a language
		parts = append([]string{"und"}, parts...)
	}
	if java && len(parts) > 0 {
		parts = withScript(parts, rest)
	}
	s = strings.Join(parts, "-")
	if strings.EqualFold(s, "no-NO-NY") { // Java's Nynorsk from before there was a code for it
		return "nn-NO"
	}
	return s
}

// withScript moves the script and the extensions to their place in a tag; java.util.Locale's
// toString has them behind a number sign.
func withScript(parts []string, rest string) []string {
	const scriptLen = 4
	more := strings.FieldsFunc(rest, func(r rune) bool { return r == '_' || r == '-' })
	if len(more) > 0 && len(more[0]) == scriptLen {
		parts = append([]string{parts[0], more[0]}, parts[1:]...)
		more = more[1:]
	}
	return append(parts, more...)
}

// underModifier applies the modifiers of POSIX that belong to a language and not to a
// format.
func underModifier(tag, modifier string) string {
	switch modifier {
	case "latin", "cyrillic", "devanagari":
		script := map[string]string{"latin": "Latn", "cyrillic": "Cyrl", "devanagari": "Deva"}[modifier]
		lang, rest, _ := strings.Cut(tag, "-")
		return strings.TrimSuffix(lang+"-"+script+"-"+rest, "-")
	case "valencia":
		return tag + "-valencia"
	}
	return tag
}
