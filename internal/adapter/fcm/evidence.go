package fcm

import (
	"encoding/json"
	"html"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxDetail bounds the provider's text that is kept as evidence, in bytes.
const maxDetail = 300

// evidence returns the cause of an answer in at most maxDetail bytes: FCM's message and, in
// brackets, the details. If there is not room for both, the message is cut, because it says least.
func (a *answer) evidence(status int, words string) string {
	head := "HTTP " + strconv.Itoa(status)
	details := a.details(words)
	if details != "" {
		const brackets = 3
		details = " [" + clipTo(details, maxDetail-len(head)-brackets) + "]"
	}
	words = strings.TrimSpace(words)
	if room := maxDetail - len(head) - len(details); words != "" && room > len(": …") {
		head += clipTo(": "+words, room)
	}
	return head + details
}

// details joins what is known beside the message and the outcome's code, the most specific first.
func (a *answer) details(words string) string {
	var parts []string
	if a.apns.given() {
		parts = append(parts, strings.TrimSpace("APNs "+strconv.Itoa(a.apns.status)+" "+a.apns.reason))
	}
	if _, known := byErrorCode[a.errorCode]; a.errorCode != "" && !known {
		parts = append(parts, "FCM "+a.errorCode)
	}
	if a.reason != "" && a.reason != a.errorCode {
		parts = append(parts, strings.TrimSuffix(a.reason+" of "+a.domain, " of "))
	}
	for _, q := range a.quotas {
		parts = append(parts, strings.TrimSuffix("quota of "+q.field+": "+q.description, ": "))
	}
	for _, v := range a.violations {
		if v.description != "" && !strings.Contains(words, v.description) { // the message often is all the descriptions
			v.field += ": " + v.description
		}
		parts = append(parts, v.field)
	}
	parts = append(parts, a.others...)
	return strings.Join(parts, "; ")
}

// markup matches the tags, scripts and styles of a web page.
var markup = regexp.MustCompile(`(?s)<(script|style)\b.*?</(script|style)>|<[^>]*>`)

// foreignText returns the first words of an answer that is not FCM's. Most often it is the page of
// a proxy, and they name the proxy.
func foreignText(body []byte) string {
	const read, most = 4 << 10, 120
	page := plain(body)
	text := html.UnescapeString(markup.ReplaceAllString(string(page[:min(len(page), read)]), " "))
	return clipTo(strings.Join(strings.Fields(text), " "), most)
}

// clip shortens s to maxDetail bytes of valid UTF-8.
func clip(s string) string { return clipTo(s, maxDetail) }

// clipTo shortens s to so many bytes of valid UTF-8. Control characters, which
// would move a terminal's cursor, become spaces.
func clipTo(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
	if len(s) <= most {
		return s
	}
	const dots = "…"
	cut := max(0, most-len(dots))
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + dots
}

var (
	// tokenLike is anything long enough to be a registration token or a part of
	// one that is worth stealing; words and resource names are shorter.
	tokenLike = regexp.MustCompile(`[A-Za-z0-9_:\-]{60,}`)
	// tokenPiece may be a part of the address that was sent to.
	tokenPiece = regexp.MustCompile(`[A-Za-z0-9_:\-]{` + strconv.Itoa(leastPiece) + `,}`)
)

// leastPiece is how many characters of an address must stand in a text to be removed: a shorter
// part may be an ordinary word.
const leastPiece = 16

// withoutSecrets removes the address of the request from FCM's text, whole or in parts, and
// everything else that looks like a token. It then clips the text.
func withoutSecrets(words string, request []byte) string {
	var sent struct {
		Message struct {
			Token string `json:"token"`
			FID   string `json:"fid"`
			APNs  struct {
				Activity string `json:"live_activity_token"`
			} `json:"apns"`
		} `json:"message"`
	}
	if json.Unmarshal(request, &sent) == nil {
		for _, secret := range []string{sent.Message.Token, sent.Message.FID, sent.Message.APNs.Activity} {
			if secret != "" {
				words = withoutPieces(strings.ReplaceAll(words, secret, "…"), secret)
			}
		}
	}
	return clip(tokenLike.ReplaceAllString(words, "…"))
}

// withoutPieces removes parts of a secret: FCM and proxies shorten what they echo.
func withoutPieces(words, secret string) string {
	return tokenPiece.ReplaceAllStringFunc(words, func(run string) string {
		for at := 0; at+leastPiece <= len(run); at++ {
			n := 0
			for end := at + leastPiece; end <= len(run) && strings.Contains(secret, run[at:end]); end++ {
				n = end - at
			}
			if n > 0 {
				run = run[:at] + "…" + run[at+n:]
				at += len("…") - 1
			}
		}
		return run
	})
}
