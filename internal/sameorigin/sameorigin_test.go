package sameorigin

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func guard(t *testing.T, cfg Config) *Guard {
	t.Helper()
	g, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// request is one for the host with these headers, each name followed by its
// value.
func request(method, host string, headers ...string) *http.Request {
	r := httptest.NewRequest(method, "/v1/devices", nil)
	r.Host = host
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

func TestHosts(t *testing.T) {
	t.Parallel()
	loopback := Config{Listen: "127.0.0.1:8080", Allowed: []string{"push.internal", "*.svc.cluster.local", "10.1.2.3", "::2"}}
	open := Config{Listen: ":9090", Allowed: []string{"push.example.com"}}
	named := Config{Listen: "metrics.example.com:9090"}
	for _, c := range []struct {
		cfg  Config
		host string
		want bool
	}{
		{loopback, "127.0.0.1:8080", true},
		{loopback, "127.0.0.1", true},
		{loopback, "127.0.0.1:9999", true}, // a forwarded port
		{loopback, "127.8.8.8:80", true},
		{loopback, "[::1]:8080", true},
		{loopback, "[::ffff:127.0.0.1]:8080", true},
		{loopback, "localhost:8080", true},
		{loopback, "LocalHost", true},
		{loopback, "localhost.", true},
		{loopback, "belfry.localhost:1", true},
		{loopback, "push.internal", true},
		{loopback, "PUSH.INTERNAL.:8080", true},
		{loopback, "a.b.svc.cluster.local:80", true},
		{loopback, "10.1.2.3:80", true},
		{loopback, "[::2]:80", true},
		{loopback, "", true}, // HTTP/1.0
		{loopback, "evil.example", false},
		{loopback, "evil.example:8080", false},
		{loopback, "localhost.evil.example", false},
		{loopback, "127.0.0.1.evil.example", false},
		{loopback, "evil-localhost", false},
		{loopback, "svc.cluster.local", false},
		{loopback, "evilsvc.cluster.local", false},
		{loopback, "push.internal.evil.example", false},
		{loopback, "192.168.1.7", false},
		{loopback, "0.0.0.0:8080", false},
		{loopback, "user@127.0.0.1", false},
		{loopback, "127.0.0.1:80:80", false},
		{loopback, "127.0.0.1 ", true},
		{loopback, "2130706433", false}, // 127.0.0.1 as one number: no name that we have

		// Beyond loopback: addresses and short names cannot be a page's own.
		{open, "10.0.0.7:9090", true},
		{open, "[fd00::7]:9090", true},
		{open, "sim:9090", true},
		{open, "localhost", true},
		{open, "push.example.com", true},
		{open, "evil.example", false},
		{open, "belfry.evil.example:9090", false},
		{named, "metrics.example.com:9090", true},
		{named, "evil.example", false},

		{Config{Listen: "127.0.0.1:80", AnyHost: true}, "evil.example", true},
		{Config{Listen: "127.0.0.1:80", Allowed: []string{"*"}}, "evil.example", true},
		{Config{}, "10.0.0.7", true},
	} {
		refused := guard(t, c.cfg).Check(request(http.MethodGet, c.host))
		if (refused == nil) != c.want {
			t.Errorf("listening on %q, allowing %q: Host %q is welcome: %v, want %v", c.cfg.Listen, c.cfg.Allowed, c.host, refused == nil, c.want)
		}
		if refused != nil && (refused.Kind != WrongHost || !strings.Contains(refused.Detail, Setting) ||
			strings.Contains(refused.Detail, "evil")) {
			t.Errorf("Host %q is refused with %+v", c.host, refused)
		}
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	const host = "127.0.0.1:8080"
	for _, c := range []struct {
		name    string
		method  string
		headers []string
		want    bool
	}{
		{"a program", "POST", nil, true},
		{"our own page", "POST", []string{"Sec-Fetch-Site", "same-origin", "Origin", "http://127.0.0.1:8080"}, true},
		{"our own page, an older browser", "POST", []string{"Origin", "http://127.0.0.1:8080"}, true},
		{"typed by a person", "GET", []string{"Sec-Fetch-Site", "none", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}, true},
		{
			"a link on another page", "GET",
			[]string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"},
			true,
		},
		{"another site's page", "POST", []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"}, false},
		{"another port's page", "POST", []string{"Sec-Fetch-Site", "same-site", "Origin", "http://127.0.0.1:9999"}, false},
		{"an older browser", "POST", []string{"Origin", "https://evil.example"}, false},
		{"an older browser, another port", "POST", []string{"Origin", "http://127.0.0.1:9999"}, false},
		{"another scheme of our name", "POST", []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://127.0.0.1:8080"}, false},
		{"no origin to tell", "POST", []string{"Origin", "null"}, false},
		{"no origin to tell, by a sandboxed frame", "POST", []string{"Sec-Fetch-Site", "cross-site", "Origin", "null"}, false},
		{"not an origin", "POST", []string{"Origin", "::"}, false},
		{
			"a form of another page", "POST",
			[]string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"},
			false,
		},
		{"put", "PUT", []string{"Origin", "https://evil.example"}, false},
		{"delete", "DELETE", []string{"Origin", "https://evil.example"}, false},
		{"patch", "PATCH", []string{"Sec-Fetch-Site", "same-site"}, false},
		{"a method of one's own", "BREW", []string{"Sec-Fetch-Site", "cross-site"}, false},
		{"a page of a name that is allowed", "POST", []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://push.internal"}, true},
		{"another port of a name that is allowed", "POST", []string{"Origin", "https://push.internal:9"}, false},

		{"fetch to read", "GET", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "empty"}, false},
		{
			"fetch to read, another port", "GET",
			[]string{"Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "cors", "Origin", "http://127.0.0.1:9999"},
			false,
		},
		{
			"an event source", "GET",
			[]string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty", "Origin", "https://evil.example"},
			false,
		},
		{"a script", "GET", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "script"}, false},
		{"a frame", "GET", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"}, false},
		{"a preflight", "OPTIONS", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "cors", "Origin", "https://evil.example"}, false},
		{"a preflight of an older browser", "OPTIONS", []string{"Origin", "https://evil.example"}, true}, // gets no leave either
		{
			"a page of a name that is allowed reads", "GET",
			[]string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "cors", "Origin", "https://push.internal"},
			true,
		},
	} {
		for _, anyHost := range []bool{false, true} { // with or without a key
			g := guard(t, Config{Listen: host, Allowed: []string{"push.internal"}, AnyHost: anyHost})
			refused := g.Check(request(c.method, host, c.headers...))
			if (refused == nil) != c.want {
				t.Errorf("%s: welcome: %v, want %v", c.name, refused == nil, c.want)
			}
			if refused != nil && (refused.Kind != CrossOrigin || strings.Contains(refused.Detail, "evil")) {
				t.Errorf("%s is refused with %+v", c.name, refused)
			}
		}
	}
}

func TestAllowedHostsAreChecked(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{
		"", " ", "http://push.internal", "push.internal:80", "a b", "push..internal", "*push.internal", "**", "a*.b", "[::1]:80", "push/internal",
		strings.Repeat("a", 254),
	} {
		if _, err := New(Config{Allowed: []string{"fine.example", bad}}); err == nil || strings.Contains(err.Error(), "fine.example") {
			t.Errorf("%q: error is %v", bad, err)
		}
	}
}
