package display

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"

	"github.com/belfry-push/belfry/client"
)

// remedy says what to do about an error of the server that the command asks, or
// about not reaching it.
func (c *Console) remedy(err error) string {
	if problem, ok := errors.AsType[*client.Problem](err); ok {
		return c.afterProblem(problem)
	}
	if _, ok := errors.AsType[*client.ForeignError](err); ok {
		return "Check the URL, its port and path: BELFRY_API or --api names the server's own, such as http://127.0.0.1:8080."
	}
	if failure, ok := errors.AsType[*url.Error](err); ok {
		return c.afterSilence(failure)
	}
	return ""
}

// afterProblem is about what the server answered.
func (c *Console) afterProblem(p *client.Problem) string {
	switch {
	case p.Status == http.StatusUnauthorized && strings.Contains(p.Detail, "must be signed"):
		return "This program signs no requests: use a key that need not sign, or send with a client that does."
	case p.Status == http.StatusUnauthorized && c.server != nil && c.server.Key == "":
		return "The server asks for a key, and none was given: set BELFRY_API_KEY, or BELFRY_API_KEY_FILE to a file that holds it."
	case p.Status == http.StatusUnauthorized:
		return "The server does not know this key: it is another server's, or was replaced. It came from --api-key, BELFRY_API_KEY or " +
			"BELFRY_API_KEY_FILE, in that order; compare it with the one that the server was started with."
	case p.Code == "http" && speaksTLS(p.Detail):
		return "The server speaks TLS: begin its URL with https:// in BELFRY_API or --api."
	case p.Code == "http":
		return fmt.Sprintf("It was not Belfry that answered%s, but another program there or one in front of it. Check the URL, its port and "+
			"path (BELFRY_API, --api).", c.at())
	case p.Code == "route_not_found":
		return "The server does not know this request: it is older than this program, or the URL has a path that it should not have " +
			"(BELFRY_API, --api)."
	case p.Code == "wrong_host":
		return "Ask it by a name that it goes by, or start it with that name in BELFRY_ALLOWED_HOSTS."
	case p.Code == "not_found":
		return "Another key may be another tenant's, and other servers have other ids: check BELFRY_API_KEY and BELFRY_API."
	}
	return ""
}

// speaksTLS knows the words of Go's server and nginx for plain HTTP on a port of TLS.
func speaksTLS(detail string) bool {
	text := strings.ToLower(detail)
	return strings.Contains(text, "https server") || strings.Contains(text, "https port") || strings.Contains(text, "tls")
}

// afterSilence is about a server that gave no answer.
func (c *Console) afterSilence(err error) string {
	_, untrusted := errors.AsType[x509.UnknownAuthorityError](err)
	_, wrongName := errors.AsType[x509.HostnameError](err)
	_, isInvalid := errors.AsType[x509.CertificateInvalidError](err)
	_, noTLS := errors.AsType[tls.RecordHeaderError](err)
	noHost, isDNS := errors.AsType[*net.DNSError](err)
	text := err.Error()
	switch {
	case strings.Contains(text, "server gave HTTP response to HTTPS client"), noTLS:
		return "The server speaks plain HTTP: begin its URL with http:// in BELFRY_API or --api."
	case strings.Contains(text, "malformed HTTP response"):
		return "What answers there speaks another protocol, such as TLS: begin the URL with https://, or check the port (BELFRY_API, --api)."
	case untrusted:
		return "The server's certificate is signed by nobody whom this machine trusts: name the authority's certificate with " +
			"SSL_CERT_FILE, or check the URL."
	case wrongName:
		return "The server's certificate is for another name: use the name that it is for in BELFRY_API or --api."
	case isInvalid:
		return "The server's certificate is not valid now: check its dates and this machine's clock."
	case isDNS && noHost.IsNotFound:
		return fmt.Sprintf("There is no host %s: check the name in BELFRY_API or --api.", noHost.Name)
	case errors.Is(err, syscall.ECONNREFUSED):
		return "Nothing listens" + c.at() + ". Is the server running? Start one on this machine with belfry up --sandbox, or name another with " +
			"BELFRY_API or --api."
	case errors.Is(err, context.DeadlineExceeded):
		return "No answer came" + c.at() + " in time: check that the address is right and that no firewall stands between, or try again."
	}
	return "Is the server running? Start one on this machine with belfry up --sandbox, or name another with BELFRY_API or --api."
}

// at names the server's place.
func (c *Console) at() string {
	if c.server == nil {
		return ""
	}
	return " at " + c.server.URL
}
