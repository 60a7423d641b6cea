package request

import (
	"regexp"
	"strconv"

	"github.com/belfry-push/belfry/internal/push"
)

// placeholder is what template languages put in the place of a value: {{name}},
// {{{name}}} and {{user.name | upper}} (Mustache, Handlebars, Liquid, Jinja, Go),
// ${name} (JavaScript, Kotlin, shells). A name is asked for, so that prices
// (${5}) and smileys are none; {name}, %s and [name] occur in plain texts.
var placeholder = regexp.MustCompile(`\{\{\{?[#/^&~-]?\s*\.?[\pL_][^{}]*\}\}|\$\{[\pL_][\pL\pN_.]*\}`)

// shown lists where a message has texts that phones and browsers show, as steps
// into it.
//
//nolint:gochecknoglobals // read-only
var shown = [][]string{
	{"notification", "title"},
	{"notification", "body"},
	{"android", "notification", "title"},
	{"android", "notification", "body"},
	{"android", "notification", "ticker"},
	{"apns", "payload", "aps", "alert"},
	{"apns", "payload", "aps", "alert", "title"},
	{"apns", "payload", "aps", "alert", "subtitle"},
	{"apns", "payload", "aps", "alert", "body"},
	{"webpush", "notification", "title"},
	{"webpush", "notification", "body"},
}

// literalPlaceholders warns of texts in a message that look like a template's:
// Belfry fills nothing in, so that phones would show them as they are. Data is
// the app's own, which may well fill it in.
func literalPlaceholders(msg any) push.Faults {
	var warnings push.Faults
	for _, steps := range shown {
		v, pointer := msg, "/message"
		for _, step := range steps {
			m, _ := v.(map[string]any)
			v, pointer = m[step], pointer+"/"+step
		}
		text, _ := v.(string)
		if found := placeholder.FindString(text); found != "" {
			warnings = append(warnings, push.Fault{
				Pointer: pointer, Code: push.WarnPlaceholder,
				Detail: "has " + strconv.Quote(push.Clip(found)) +
					", which nobody fills in: phones show it as it is. Put the text itself here, one notification for each text",
			})
		}
	}
	return warnings
}
