package console

import (
	"bytes"
	"compress/gzip"
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"sync"

	"github.com/belfry-push/belfry/internal/httpapi/door"
)

// policy lets the page load its own files and call this server, and nothing else: no script or style within the page,
// nothing of other servers. React and the chart set single properties by script, which a policy of styles does not concern.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// unbuilt is the page of a program without the console: built by go build alone. It loads nothing.
const unbuilt = `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Belfry console</title>
<h1>This program was built without the console</h1>
<p>The console is built with Node 20 and npm: run <code>make ui</code> in the source, then <code>make build</code>.</p>
<p>The API works without it: see the <a href="/docs">documentation</a>, or run <code>belfry top</code> in a terminal.</p>
</html>
`

const typeHTML = "text/html"

//go:embed all:dist
var built embed.FS

// file is one of the page's, as it is sent.
type file struct {
	kind          string
	plain, zipped []byte
}

// ui are the files of a built console. It is safe for concurrent use.
type ui struct {
	shell *file // the page; nil if it was not built
	files map[string]*file
}

// Routes are those of the console.
func Routes(group, version string) []*door.Route {
	dist, err := fs.Sub(built, "dist")
	load := sync.OnceValues(func() (*ui, error) {
		if err != nil {
			return nil, err
		}
		return read(dist)
	})
	return append(sessions{version}.routes(group), routes(group, load)...)
}

func routes(group string, load func() (*ui, error)) []*door.Route {
	shell := []door.Given{{Status: http.StatusOK, About: "The page.", Types: []string{typeHTML}}}
	page := door.Replying(func(_ context.Context, x *door.Exchange) (door.Reply, error) {
		u, err := load()
		if err != nil {
			return door.Reply{}, err
		}
		return u.page(x), nil
	})
	out := []*door.Route{
		{
			Method: http.MethodGet, Path: "/console", Name: "getConsole", Group: group, Open: true, Quiet: true, AnyQuery: true,
			About:  "Show the operator console, a live web page.",
			Detail: "It calls this API only, and loads nothing from elsewhere. A program that was built without it says how to build it.",
			Gives:  shell, Run: page,
		},
		{
			Method: http.MethodGet, Path: "/console/assets/{file}", Name: "getConsoleFile", Group: group, Open: true, Quiet: true,
			About: "A file of the console.",
			Gives: []door.Given{
				{Status: http.StatusOK, About: "The file.", Types: []string{"text/javascript"}},
				{Status: http.StatusOK, Types: []string{"text/css"}},
				{Status: http.StatusOK, Types: []string{"image/svg+xml"}},
			},
			Codes: []door.Code{door.CodeNotFound},
			Run: door.Replying(func(_ context.Context, x *door.Exchange) (door.Reply, error) {
				u, err := load()
				if err != nil {
					return door.Reply{}, err
				}
				return u.asset(x)
			}),
		},
	}
	// A screen is the same page, which looks at its own address: /console/notifications/{id}/deliveries/{recipient} is the longest.
	for _, at := range []string{
		"/console/{screen}", "/console/{screen}/{a}", "/console/{screen}/{a}/{b}", "/console/{screen}/{a}/{b}/{c}",
	} {
		out = append(out, &door.Route{
			Method: http.MethodGet, Path: at, Name: "getConsoleScreen", Group: group, Open: true, Quiet: true, Unlisted: true, AnyQuery: true,
			About: "A screen of the console.", Gives: shell, Run: page,
		})
	}
	return out
}

// page gives the shell, which is asked for anew each time: the files that it names have their hashes in their names.
func (u *ui) page(x *door.Exchange) door.Reply {
	x.Header().Set("Content-Security-Policy", policy)
	x.Header().Set("Referrer-Policy", "no-referrer")
	if u.shell == nil {
		return door.Reply{Status: http.StatusOK, Raw: []byte(unbuilt), Kind: typeHTML + "; charset=utf-8"}
	}
	x.Header().Set("Cache-Control", "no-cache")
	return u.shell.reply(x)
}

func (u *ui) asset(x *door.Exchange) (door.Reply, error) {
	f, ok := u.files[x.Request.PathValue("file")]
	if !ok {
		return door.Reply{}, door.Refuse(door.CodeNotFound, "the console has no such file: a newer one was installed, load the page again")
	}
	x.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	return f.reply(x), nil
}

func (f *file) reply(x *door.Exchange) door.Reply {
	x.Header().Set("Vary", "Accept-Encoding")
	if door.WantsGzip(x.Request.Header) {
		x.Header().Set("Content-Encoding", "gzip")
		return door.Reply{Status: http.StatusOK, Raw: f.zipped, Kind: f.kind}
	}
	return door.Reply{Status: http.StatusOK, Raw: f.plain, Kind: f.kind}
}

// read takes what was built, and compresses it once.
func read(dist fs.FS) (*ui, error) {
	u := &ui{files: map[string]*file{}}
	index, err := one(dist, "index.html")
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return u, nil
	case err != nil:
		return nil, err
	}
	u.shell = index
	names, err := fs.Glob(dist, "assets/*")
	if err != nil {
		return nil, fmt.Errorf("the console's files: %w", err)
	}
	for _, name := range names {
		if u.files[path.Base(name)], err = one(dist, name); err != nil {
			return nil, err
		}
	}
	return u, nil
}

func one(dist fs.FS, name string) (*file, error) {
	text, err := fs.ReadFile(dist, name)
	if err != nil {
		return nil, fmt.Errorf("the console's file %s: %w", name, err)
	}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(text); err != nil {
		return nil, fmt.Errorf("compress %s: %w", name, err)
	}
	if err := z.Close(); err != nil {
		return nil, fmt.Errorf("compress %s: %w", name, err)
	}
	return &file{kind: kindOf(name), plain: text, zipped: b.Bytes()}, nil
}

// kindOf is the media type of a file. The system's own table of types is not asked: it may say anything.
func kindOf(name string) string {
	switch strings.ToLower(path.Ext(name)) {
	case ".html":
		return typeHTML + "; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	}
	return "application/octet-stream"
}
