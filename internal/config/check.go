package config

import (
	"cmp"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/belfry-push/belfry/internal/sameorigin"
)

// The bounds that help texts name.
const (
	maxConnections = 100
	maxPerSecond   = 1_000_000
	maxAttempts    = 100
	maxBrakeAfter  = 1000
	maxChunks      = 1000             // in hand: each is a claim on the ledger, and some 100 KB
	maxWindow      = 500              // recipients of a chunk
	maxDrain       = 15 * time.Minute // an SQS delay, and longer than any orchestrator waits
	maxLatency     = 10 * time.Minute
	maxVisibility  = 12 * time.Hour // SQS's
	maxListening   = 1_000_000
	maxSimulated   = 100_000_000
)

func (s Store) check(f *Faults) {
	oneOf(f, "backend", s.Backend, BackendEmbedded, BackendAWS)
	if s.Backend == BackendEmbedded && strings.TrimSpace(s.Data) == "" {
		f.add("data", s.Data, "must name a directory for the embedded backend")
	}
	between(f, "visibility", s.Visibility, time.Second, maxVisibility)
	if s.Backend == BackendAWS {
		s.AWS.check(f)
	}
}

// Names of buckets allow the fewest characters, 63 of them
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html);
// "-pages-", an account and the longest name of a region (us-isob-east-1) take
// 7 + 12 + 1 + 14, and the separators of the others less.
const maxPrefix = 28

func (a AWS) check(f *Faults) {
	if len(a.Prefix) > maxPrefix || !nameLike(a.Prefix) {
		f.add("aws-prefix", a.Prefix, "must be 1 to %d lower-case letters, digits and hyphens, and begin and end with a letter or digit",
			maxPrefix)
	}
	if a.Bucket != "" && (len(a.Bucket) < 3 || len(a.Bucket) > 63 || !nameLike(strings.ReplaceAll(a.Bucket, ".", "-"))) {
		f.add("aws-bucket", a.Bucket, "must be the name of an S3 bucket: 3 to 63 lower-case letters, digits, hyphens and dots")
	}
}

func nameLike(s string) bool {
	odd := func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' }
	return s != "" && !strings.ContainsFunc(s, odd) && !strings.HasPrefix(s, "-") && !strings.HasSuffix(s, "-")
}

func (a API) check(f *Faults) {
	host, ok := address(f, "listen", a.Listen)
	if strings.ContainsFunc(a.Key.Reveal(), func(r rune) bool { return r <= ' ' || r > '~' }) {
		f.add("api-key", "", "must be printable ASCII without spaces")
	}
	if ok && a.Key.IsZero() && !loopback(host) && a.RequireKey != nil && !*a.RequireKey {
		f.add("listen", a.Listen, "beyond the loopback interface every request needs an API key: leave %s out, or listen on 127.0.0.1",
			envOf("require-key"))
	}
}

func (c FCM) checkPace(f *Faults) {
	if c.HTTP != "" { // who builds one in code need not name it
		oneOf(f, "fcm-http", c.HTTP, HTTPOwn, HTTPNet)
	}
	if c.SharedQuota != "" { // likewise
		oneOf(f, "fcm-shared-quota", c.SharedQuota, SharedAuto, SharedOn, SharedOff)
	}
	between(f, "fcm-connections", c.Connections, 1, maxConnections)
	between(f, "fcm-per-second", c.PerSecond, 1, maxPerSecond)
}

// sealed is how FCM is reached where apps may have credentials of their own: then there need
// not be one for all.
type sealed struct {
	FCM

	seal Seal
}

func (c sealed) check(f *Faults) { c.checkUnless(f, c.seal.Given()) }

func (c FCM) check(f *Faults) { c.checkUnless(f, false) }

// checkUnless checks the settings; credentials may be missing if others are given.
func (c FCM) checkUnless(f *Faults, others bool) {
	c.checkPace(f)
	if strings.HasPrefix(strings.TrimSpace(c.Credentials), "{") || strings.Contains(c.Credentials, "PRIVATE KEY") {
		// The value is a secret by mistake: it is not repeated.
		f.add("fcm-credentials", "", "must be the name of the key file, not what is in it: write that into a file (mode 0600)")
	} else if c.Credentials != "" && c.Credentials != ApplicationDefault {
		if info, err := os.Stat(c.Credentials); err != nil {
			f.add("fcm-credentials", c.Credentials, "cannot be read: %v", reason(err))
		} else if !info.Mode().IsRegular() {
			f.add("fcm-credentials", c.Credentials, "must be a file")
		}
	}
	if strings.ContainsAny(c.Project, "/ ?#%") {
		f.add("fcm-project", c.Project, "must be a project id, such as my-app-1a2b3")
	}
	u, ok := webURL(f, "fcm-endpoint", c.Endpoint)
	switch {
	case !ok:
	case c.Credentials == "" && !c.Private() && !others:
		f.add("fcm-credentials", "",
			"is required to send through Google: give a service-account key file, or BELFRY_SEAL_KEY for credentials of apps, "+
				"or try without FCM: belfry up --sandbox")
	case c.Credentials != "" && u.Scheme == "http" && !loopback(u.Hostname()):
		f.add("fcm-endpoint", c.Endpoint, "must be https, or on the loopback interface: access tokens would travel readable")
	}
}

// Private reports whether the endpoint is not Google's: a simulator or a proxy,
// for which credentials and project may be left out.
func (c FCM) Private() bool {
	u, err := url.Parse(c.Endpoint)
	return err == nil && !strings.HasSuffix("."+u.Hostname(), ".googleapis.com")
}

func (d Delivery) check(f *Faults) {
	between(f, "max-attempts", d.MaxAttempts, 1, maxAttempts)
	between(f, "brake-after", d.BrakeAfter, 0, maxBrakeAfter)
	d.Lanes.check(f)
}

func (l Lanes) check(f *Faults) {
	between(f, "high-chunks", l.HighChunks, 1, maxChunks)
	between(f, "high-window", l.HighWindow, 1, maxWindow)
	between(f, "high-retries", l.HighRetries, 1, maxChunks)
	between(f, "bulk-chunks", l.BulkChunks, 1, maxChunks)
	between(f, "bulk-window", l.BulkWindow, 1, maxWindow)
	between(f, "replay-chunks", l.ReplayChunks, 1, maxChunks)
	between(f, "replay-window", l.ReplayWindow, 1, maxWindow)
}

func (l Log) check(f *Faults) {
	oneOf(f, "log-level", l.Level, "debug", "info", "warn", "error")
	oneOf(f, "log-format", l.Format, "auto", "json", "console")
}

const (
	minLate = time.Second
	maxLate = 24 * time.Hour // what most notifications live
)

func (j Janitor) check(f *Faults) { between(f, "late-after", j.Late, minLate, maxLate) }

const (
	// leastKept is the promise of idempotency keys: a notification is its key's record.
	leastKept = 72 * time.Hour
	// leastPages is what may be looked at once more right after the end, and leastReplays how
	// long a replay may quote a simulation.
	leastPages   = time.Hour
	leastReplays = time.Hour
	// leastAudit is long enough for somebody to notice that something has to be looked into.
	leastAudit = 30 * 24 * time.Hour
	mostKept   = 10 * 365 * 24 * time.Hour
)

func (k Keep) check(f *Faults) {
	for _, s := range []struct {
		flag     string
		v, least time.Duration
	}{
		{"keep-notifications", k.Notifications, leastKept},
		{"keep-pages", k.Pages, leastPages},
		{"keep-done", k.Done, 0},
		{"keep-replays", k.Replays, leastReplays},
		{"keep-audit", k.Audit, leastAudit},
	} {
		if s.v != 0 && (s.v < s.least || s.v > mostKept) {
			f.add(s.flag, s.v.String(), "must be %v to %v, or 0s for ever", s.least, mostKept)
		}
	}
}

func (s Stop) check(f *Faults) { between(f, "drain", s.Drain, 0, maxDrain) }

func (m Metrics) check(f *Faults) {
	if m.Listen != "" {
		address(f, "metrics-listen", m.Listen)
	}
}

func (l Listeners) check(f *Faults) {
	if _, err := sameorigin.New(sameorigin.Config{Allowed: l.AllowedHosts}); err != nil {
		f.add("allowed-hosts", strings.Join(l.AllowedHosts, ","),
			"must be host names or IP addresses without a port, *.example.com or *, separated by commas")
	}
	between(f, "max-connections", l.MaxConnections, 1, maxListening)
}

func (s Simulator) check(f *Faults) {
	address(f, "sim-listen", s.Listen)
	between(f, "sim-latency", s.Latency, 0, maxLatency)
	if s.Keep != 0 { // who builds one in code need not name it
		between(f, "sim-keep", s.Keep, 1, maxSimulated)
	}
	if s.Quota < 0 {
		f.add("sim-quota", strconv.Itoa(s.Quota), "must not be negative")
	}
}

// Validate reports what is wrong with the server's URL and key.
func (r Remote) Validate() error {
	var f Faults
	webURL(&f, "api", r.API)
	return f.Err()
}

func between[T cmp.Ordered](f *Faults, flag string, v, low, high T) {
	if v < low || v > high {
		f.add(flag, fmt.Sprint(v), "must be %v to %v", low, high)
	}
}

func oneOf(f *Faults, flag, v string, allowed ...string) {
	if !slices.Contains(allowed, v) {
		last := len(allowed) - 1
		f.add(flag, v, "must be %s or %s", strings.Join(allowed[:last], ", "), allowed[last])
	}
}

// address checks host:port. An empty host, as in :8080, means every interface.
func address(f *Faults, flag, v string) (host string, ok bool) {
	host, port, err := net.SplitHostPort(v)
	if n, bad := strconv.ParseUint(port, 10, 16); err != nil || bad != nil || n > 65535 {
		f.add(flag, v, "must be host:port with a port of 0 to 65535, such as 127.0.0.1:8080")
		return "", false
	}
	return host, true
}

// loopback reports whether only this machine can reach the host. A name other
// than localhost may resolve to anything, so it does not count.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func webURL(f *Faults, flag, v string) (*url.URL, bool) {
	u, err := url.Parse(v)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		f.add(flag, v, "must be http://host or https://host, with a path if need be and nothing else")
		return nil, false
	}
	return u, true
}

// reason drops the path, which the fault names anyway.
func reason(err error) error {
	if e, ok := err.(*os.PathError); ok { //nolint:errorlint // os.Stat returns it bare
		return e.Err
	}
	return err
}
