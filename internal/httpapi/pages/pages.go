package pages

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"

	"github.com/belfry-push/belfry/internal/httpapi/door"
)

// typeHTML is the media type of a page.
const typeHTML = "text/html"

//go:embed style.css
var style string

//go:embed pages.html
var source string

//nolint:gochecknoglobals // parsed once; read-only
var templates = template.Must(template.New("").Parse(source))

// styled is the policy of a page that has the style above in it, and nothing else.
func styled() string {
	sum := sha256.Sum256([]byte(style))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; " + framed
}

// framed is the part of every policy that is about what others do with a page.
const framed = "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// page is what the templates get.
type page struct {
	Title string
	Style template.CSS
	Data  any
}

// negotiated answers with data as JSON, or as a page where the caller likes that better.
func negotiated(x *door.Exchange, name, title string, data any) (door.Reply, error) {
	x.Header().Set("Vary", "Accept")
	if door.Negotiate(x.Request.Header, door.TypeJSON, typeHTML) == door.TypeJSON {
		return door.Reply{Status: http.StatusOK, Body: data}, nil
	}
	var b bytes.Buffer
	err := templates.ExecuteTemplate(&b, name, page{Title: title, Style: template.CSS(style), Data: data}) //nolint:gosec // our own style
	if err != nil {
		return door.Reply{}, fmt.Errorf("write the page %s: %w", name, err)
	}
	return html(x, b.Bytes(), styled()), nil
}

func html(x *door.Exchange, text []byte, policy string) door.Reply {
	x.Header().Set("Content-Security-Policy", policy)
	x.Header().Set("Referrer-Policy", "no-referrer")
	return door.Reply{Status: http.StatusOK, Raw: text, Kind: typeHTML + "; charset=utf-8"}
}

// shown is the answers of a route that is negotiated.
func shown(json door.Given) []door.Given {
	json.Status, json.Types = http.StatusOK, []string{door.TypeJSON}
	return []door.Given{json, {Status: http.StatusOK, Types: []string{typeHTML}}}
}
