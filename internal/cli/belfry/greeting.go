package belfry

import (
	"fmt"
	"io"
	"net"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/belfry-push/belfry/internal/app/allinone"
	"github.com/belfry-push/belfry/internal/config"
	"github.com/belfry-push/belfry/internal/telemetry"
)

// documentation is where a newcomer reads on.
const documentation = "https://github.com/belfry-push/belfry#readme"

// greet tells whoever has started everything in one process what runs where, and
// what to try next.
func greet(out io.Writer, c config.Up, at allinone.Addresses) {
	api := reachable(at.API)
	var b strings.Builder
	row := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "  %-6s "+format+"\n", append([]any{name}, args...)...)
	}
	fmt.Fprintf(&b, "\nBelfry %s is up.\n\n", telemetry.Version())
	row("API", "%s (described at %s/docs)", api, api)
	if c.Store.Backend == config.BackendAWS {
		row("data", "on AWS: queues, tables and topics named %s-…", c.Store.AWS.Prefix)
	} else {
		dir := c.Store.Data
		if abs, err := filepath.Abs(dir); err == nil {
			dir = abs
		}
		row("data", "%s", dir)
	}
	if at.Keyed {
		row("key", "callers must send an API key: Authorization: Bearer …")
	} else {
		row("key", "none is needed: only this machine can reach the API")
	}
	switch {
	case c.Sandbox:
		row("FCM", "the simulator at %s; nothing goes to Google", at.Sim)
	default:
		row("FCM", "%s", c.FCM.Endpoint)
	}
	b.WriteString("\nTry next, in another terminal:\n\n")
	header := ""
	if at.Keyed {
		b.WriteString("  export BELFRY_API_KEY=…   # the first start showed one\n")
		header = ` -H "Authorization: Bearer $BELFRY_API_KEY"`
	}
	flag := ""
	if api != config.DefaultAPI {
		flag = " --api " + api
	}
	token := "TOKEN"
	if c.Sandbox {
		token = "my-phone"
	}
	fmt.Fprintf(&b, "  belfry send --to-token %s --title Hello%s\n  curl%s %s/v1/notifications\n", token, flag, header, api)
	fmt.Fprintf(&b, "\nDocumentation: %s. Ctrl-C stops it.\n\n", documentation)
	_, _ = io.WriteString(out, b.String())
}

// reachable turns the address of every interface into one that can be called.
func reachable(base string) string {
	u, err := url.Parse(base)
	if err != nil {
		return base
	}
	if ip := net.ParseIP(u.Hostname()); ip != nil && ip.IsUnspecified() {
		u.Host = net.JoinHostPort("127.0.0.1", u.Port())
	}
	return u.String()
}
