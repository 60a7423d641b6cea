package console

import (
	"context"
	"io/fs"
	"net/http"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/httpapi/door/doortest"
)

const key = "a key of people; with anything in it"

// keys lets in whoever has the key and, of a server without keys, whoever brings none.
type keys struct{ keyless bool }

func (k keys) Authenticate(_ context.Context, p access.Presented) (access.Caller, error) {
	switch {
	case p.Key == key:
		return access.Caller{Tenant: "acme", Name: "ada", May: access.SetOf(access.PermRead, access.PermManage)}, nil
	case p.Key == "" && k.keyless:
		return access.Everybody(), nil
	}
	return access.Caller{}, &access.DeniedError{Reason: "the key is not one of this server"}
}

// open is a door with the console, and two routes of an API.
func open(t *testing.T, dist fs.FS, auth keys) *doortest.Caller {
	t.Helper()
	done := door.Replying(func(_ context.Context, x *door.Exchange) (door.Reply, error) {
		return door.Reply{Status: http.StatusOK, Raw: []byte(x.Who.Name), Kind: "text/plain"}, nil
	})
	gives := []door.Given{{Status: http.StatusOK, About: "Done.", Types: []string{"text/plain"}}}
	rts := append(sessions{"v1"}.routes("operators"), routes("operators", func() (*ui, error) { return read(dist) })...)
	rts = append(rts,
		&door.Route{
			Method: "GET", Path: "/v1/thing", Name: "getThing", About: "Get.", Group: "g",
			Needs: access.PermRead, Gives: gives, Run: done,
		},
		&door.Route{
			Method: "POST", Path: "/v1/thing", Name: "postThing", About: "Do.", Group: "g",
			Needs: access.PermManage, Gives: gives, Run: done,
		},
	)
	return doortest.New(t, door.Config{
		Auth: auth, Pages: doortest.OwnPages(t), Registry: prometheus.NewRegistry(), Log: zap.NewNop(),
	}, rts)
}

func builtUI() fs.FS {
	return fstest.MapFS{
		"index.html":         {Data: []byte("<!doctype html><div id=root></div>" + strings.Repeat(" ", 2000))},
		"assets/index-1.js":  {Data: []byte("void 0")},
		"assets/index-1.css": {Data: []byte("p{}")},
		".gitignore":         {Data: []byte("*")},
	}
}

// Every screen is the same page, under a policy that allows no script within it; its files may be kept for ever.
func TestFiles(t *testing.T) {
	t.Parallel()
	c := open(t, builtUI(), keys{})
	for _, at := range []string{
		"/console", "/console/batches", "/console/notifications/ntf_1/deliveries/line:7", "/console/no/such/screen",
		// A link with a filter, which the page reads; one that it does not know is not the server's business.
		"/console?x=1", "/console/batches?state=cancelled&title=a%20b", "/console/batches?state=%zz;&&=",
		"/console/dead-letters/letters?state=parked",
	} {
		got := c.Do(t, "GET", at, "", "Accept-Encoding", "gzip").Want(t, http.StatusOK, "")
		policy := got.Header().Get("Content-Security-Policy")
		if !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") ||
			!strings.Contains(policy, "frame-ancestors 'none'") {
			t.Errorf("%s: the policy is %q", at, policy)
		}
		if got.Header().Get("Content-Encoding") != "gzip" || got.Body.Len() > 200 || got.Header().Get("Cache-Control") != "no-cache" {
			t.Errorf("%s: %d bytes, %v", at, got.Body.Len(), got.Header())
		}
	}
	if got := c.Do(t, "GET", "/console", ""); !strings.HasPrefix(got.Body.String(), "<!doctype html>") {
		t.Errorf("without gzip it is %q", got.Body)
	}
	got := c.Do(t, "GET", "/console/assets/index-1.js", "").Want(t, http.StatusOK, "")
	if kind := got.Header().Get("Content-Type"); got.Body.String() != "void 0" || !strings.HasPrefix(kind, "text/javascript") {
		t.Errorf("the script is %q, %s", got.Body, kind)
	}
	if cache := got.Header().Get("Cache-Control"); !strings.Contains(cache, "immutable") {
		t.Errorf("the script is kept for %q", cache)
	}
	for _, at := range []string{"/console/assets/other.js", "/console/assets/.gitignore", "/console/assets/index.html"} {
		c.Do(t, "GET", at, "").Want(t, http.StatusNotFound, door.CodeNotFound)
	}
}

// A program without the console says how to build it.
func TestUnbuilt(t *testing.T) {
	t.Parallel()
	got := open(t, fstest.MapFS{".gitignore": {Data: []byte("*")}}, keys{}).Do(t, "GET", "/console/batches", "").Want(t, http.StatusOK, "")
	if !strings.Contains(got.Body.String(), "make ui") || got.Header().Get("Content-Security-Policy") == "" {
		t.Errorf("it says %s", got.Body)
	}
}

// What is embedded can be read, whether the console was built or not.
func TestEmbedded(t *testing.T) {
	t.Parallel()
	c := doortest.New(t, door.Config{
		Auth: keys{}, Pages: doortest.OwnPages(t), Registry: prometheus.NewRegistry(), Log: zap.NewNop(),
	}, Routes("operators", "v1"))
	got := c.Do(t, "GET", "/console", "").Want(t, http.StatusOK, "")
	if !strings.Contains(strings.ToLower(got.Body.String()), "<!doctype html>") {
		t.Errorf("the page is %s", got.Body)
	}
}

// cookies are those that an answer sets.
func cookies(t *testing.T, answer http.Header) []*http.Cookie {
	t.Helper()
	var all []*http.Cookie
	for _, line := range answer.Values("Set-Cookie") {
		one, err := http.ParseSetCookie(line)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, one)
	}
	return all
}

// cookie is what a browser would send back; token is what the page learns.
func signIn(t *testing.T, c *doortest.Caller, headers ...string) (cookie *http.Cookie, token string) {
	t.Helper()
	got := c.Do(t, "POST", "/console/session", `{"key":"`+key+`"}`, headers...).Want(t, http.StatusOK, "")
	var s Session
	doortest.Decode(t, got.Body.Bytes(), &s)
	if !s.SignedIn || s.Keyless || s.Name != "ada" || s.CSRF == "" || len(s.Permissions) != 2 || strings.Contains(got.Body.String(), key) {
		t.Errorf("signed in as %+v", s)
	}
	all := cookies(t, got.Header())
	if len(all) != 1 {
		t.Fatalf("%d cookies", len(all))
	}
	return all[0], s.CSRF
}

// A key that is signed in with opens the API by its cookie, which no script can read and no other site has sent; to change
// something takes the token as well.
func TestSignIn(t *testing.T) {
	t.Parallel()
	c := open(t, builtUI(), keys{})
	cookie, token := signIn(t, c)
	if !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode || cookie.Secure || cookie.Path != "/" || cookie.MaxAge != 0 {
		t.Errorf("the cookie is %v", cookie)
	}
	sent := cookie.Name + "=" + cookie.Value
	if got := c.Do(t, "GET", "/v1/thing", "", "Cookie", sent).Want(t, http.StatusOK, ""); got.Body.String() != "ada" {
		t.Errorf("it is %s", got.Body)
	}
	c.Do(t, "POST", "/v1/thing", "", "Cookie", sent, door.HeaderCSRF, token).Want(t, http.StatusOK, "")
	c.Do(t, "POST", "/v1/thing", "", "Cookie", sent).Want(t, http.StatusForbidden, door.CodeOrigin)
	c.Do(t, "POST", "/v1/thing", "", "Cookie", sent, door.HeaderCSRF, token+"x").Want(t, http.StatusForbidden, door.CodeOrigin)
	c.Do(t, "POST", "/v1/thing", "", "Authorization", "Bearer "+key, "Cookie", sent).Want(t, http.StatusOK, "") // a program's own
	c.Do(t, "GET", "/v1/thing", "", "Cookie", sent, "Authorization", "Bearer wrong").Want(t, http.StatusUnauthorized, door.CodeUnauthenticated)
	c.Do(t, "GET", "/v1/thing", "", "Cookie", cookie.Name+"=no").Want(t, http.StatusUnauthorized, door.CodeUnauthenticated)
	for _, secure := range [][]string{{"X-Forwarded-Proto", "https"}} {
		if cookie, _ := signIn(t, c, secure...); !cookie.Secure {
			t.Errorf("over HTTPS, by %v, the cookie may go without", secure)
		}
	}
	out := cookies(t, c.Do(t, "DELETE", "/console/session", "", "Cookie", sent).Want(t, http.StatusNoContent, "").Header())
	if len(out) != 1 || out[0].MaxAge >= 0 || out[0].Value != "" {
		t.Errorf("signed out with %v", out)
	}
}

// Nobody gets in with a wrong key, and a page of another site cannot sign anybody in.
func TestNoSignIn(t *testing.T) {
	t.Parallel()
	c := open(t, builtUI(), keys{})
	for _, body := range []string{`{"key":"wrong"}`, `{"key":""}`} {
		got := c.Do(t, "POST", "/console/session", body).Want(t, http.StatusUnauthorized, door.CodeUnauthenticated)
		if set := cookies(t, got.Header()); len(set) > 0 {
			t.Errorf("%s sets %v", body, set)
		}
	}
	c.Do(t, "POST", "/console/session", `{"key":"`+key+`"}`, "Origin", "https://evil.test", "Sec-Fetch-Site", "cross-site").
		Want(t, http.StatusForbidden, door.CodeOrigin)
}

// What the page learns at its start: nobody, and the cookie of a key that is none any more goes.
func TestSession(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		name    string
		auth    keys
		cookie  string
		in      bool
		keyless bool
		dropped bool
	}{
		{"nobody", keys{}, "", false, false, false},
		{"a revoked key", keys{}, "belfry_console=d3Jvbmc", false, false, true},
		{"a server without keys", keys{keyless: true}, "", true, true, false},
		{"a server without keys, and the cookie of another", keys{keyless: true}, "belfry_console=d3Jvbmc", true, true, true},
	} {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			got := open(t, builtUI(), x.auth).Do(t, "GET", "/console/session", "", "Cookie", x.cookie).Want(t, http.StatusOK, "")
			var s Session
			doortest.Decode(t, got.Body.Bytes(), &s)
			set := cookies(t, got.Header())
			if s.SignedIn != x.in || s.Keyless != x.keyless || s.CSRF != "" || (len(set) > 0) != x.dropped {
				t.Errorf("it is %+v, with the cookies %v", s, set)
			}
		})
	}
}
