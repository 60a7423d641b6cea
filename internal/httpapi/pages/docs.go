package pages

import (
	"bytes"
	"compress/gzip"
	"context"
	_ "embed"
	"io"
	"net/http"

	"github.com/belfry-push/belfry/internal/httpapi/door"
)

// swaggerVersion is of the Swagger UI in swagger-ui/; it is in the names of its
// files, so that a browser may keep them for ever.
const swaggerVersion = "5.35.0"

// docsPolicy lets the page load its own files and call this server. Swagger UI
// draws its arrows from data: URLs.
const docsPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " + framed

//go:embed docs.html
var docsPage []byte

//go:embed docs.js
var docsScript []byte

//go:embed docs.css
var docsStyle []byte

//go:embed swagger-ui/swagger-ui-bundle.js.gz
var swaggerScript []byte

//go:embed swagger-ui/swagger-ui.css.gz
var swaggerStyle []byte

// asset is a file of the page.
type asset struct {
	kind    string
	body    []byte
	gzipped bool
}

// assets are the page's files by name. Ours have no version in their names, and
// are asked for anew each time.
func assets() map[string]asset {
	const script, sheet = "text/javascript; charset=utf-8", "text/css; charset=utf-8"
	return map[string]asset{
		"docs.js":                               {script, docsScript, false},
		"docs.css":                              {sheet, docsStyle, false},
		"swagger-ui-" + swaggerVersion + ".js":  {script, swaggerScript, true},
		"swagger-ui-" + swaggerVersion + ".css": {sheet, swaggerStyle, true},
	}
}

// documentation are the routes of the page.
func documentation(group string) []*door.Route {
	files := assets()
	file := func(_ context.Context, x *door.Exchange) (door.Reply, error) {
		f, ok := files[x.Request.PathValue("file")]
		if !ok {
			return door.Reply{}, door.Refuse(door.CodeNotFound, "the documentation has no such file: GET /docs shows it")
		}
		return f.reply(x)
	}
	return []*door.Route{
		{
			Method: http.MethodGet, Path: "/docs", Name: "getDocumentation", Group: group, Open: true, Quiet: true,
			About:  "Show this document as a page on which every operation can be tried.",
			Detail: "Swagger UI, served from the program itself: it loads nothing from elsewhere.",
			Gives:  []door.Given{{Status: http.StatusOK, About: "The page.", Types: []string{typeHTML}}},
			Run: door.Replying(func(_ context.Context, x *door.Exchange) (door.Reply, error) {
				return html(x, bytes.ReplaceAll(docsPage, []byte("VERSION"), []byte(swaggerVersion)), docsPolicy), nil
			}),
		},
		{
			Method: http.MethodGet, Path: "/docs/{file}", Name: "getDocumentationFile", Group: group, Open: true, Quiet: true,
			About: "A file of the documentation's page.",
			Gives: []door.Given{
				{Status: http.StatusOK, About: "The file.", Types: []string{"text/javascript"}},
				{Status: http.StatusOK, Types: []string{"text/css"}},
			},
			Codes: []door.Code{door.CodeNotFound},
			Run:   door.Replying(file),
		},
	}
}

// reply gives the file as it is kept to whoever takes gzip, and unpacked to others.
func (f asset) reply(x *door.Exchange) (door.Reply, error) {
	body := f.body
	if f.gzipped {
		x.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		x.Header().Set("Vary", "Accept-Encoding")
		if door.WantsGzip(x.Request.Header) {
			x.Header().Set("Content-Encoding", "gzip")
		} else {
			var err error
			if body, err = unpacked(body); err != nil {
				return door.Reply{}, err
			}
		}
	}
	return door.Reply{Status: http.StatusOK, Raw: body, Kind: f.kind}, nil
}

// unpacked is what was compressed.
func unpacked(body []byte) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}
