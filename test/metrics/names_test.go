package metrics

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/app"
	"github.com/belfry-push/belfry/internal/telemetry"
	"github.com/belfry-push/belfry/test/raced"
	"github.com/belfry-push/belfry/test/sandbox"
)

// lines counts what a program logs.
type lines struct{ n, forged atomic.Int64 }

// Write implements [io.Writer].
func (l *lines) Write(p []byte) (int, error) {
	l.n.Add(int64(bytes.Count(p, []byte("\n"))))
	l.forged.Add(int64(bytes.Count(p, []byte("\nforged"))))
	return len(p), nil
}

// crowd is a whole Belfry in this process, with many tenants.
type crowd struct {
	t    *testing.T
	url  string
	root string
	keys []string // of a tenant each
	log  lines
}

// newCrowd starts it, with half of the tenants for each of two waves.
func newCrowd(t *testing.T, tenants int) *crowd {
	t.Helper()
	c := &crowd{t: t, keys: make([]string, tenants)}
	log, _, err := telemetry.NewLogger("info", telemetry.FormatJSON, &c.log)
	c.must(err)
	s := sandbox.Start(t, 1, log)
	c.url = s.API
	made, err := c.client("").CreateAPIKey(t.Context(), client.APIKeyRequest{Role: access.RoleOwner})
	c.must(err)
	c.root = made.Key
	b, err := app.Opener(s.Store, zap.NewNop())(t.Context(), prometheus.NewRegistry())
	c.must(err)
	defer func() { c.must(b.Close(context.WithoutCancel(t.Context()))) }()
	tenancies := access.New(b.Store, time.Now)
	c.each(tenants, func(i int) error {
		name := fmt.Sprintf("crowd-%d", i)
		if _, err := tenancies.CreateTenant(t.Context(), access.Tenant{Name: name}, "test"); err != nil {
			return err
		}
		text, _, err := tenancies.CreateKey(t.Context(), name, access.NewKey{Role: access.RoleOwner}, access.AllPermissions(), "test")
		c.keys[i] = text
		return err
	})
	return c
}

func (c *crowd) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c *crowd) client(key string) *client.Client {
	c.t.Helper()
	api, err := client.New(c.url, key)
	c.must(err)
	return api
}

// each does something so many times, some of them at once.
func (c *crowd) each(n int, do func(i int) error) {
	c.t.Helper()
	const atOnce = 32
	var all sync.WaitGroup
	var next atomic.Int64
	var failed atomic.Pointer[error]
	for range atOnce {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				if err := do(i); err != nil {
					failed.CompareAndSwap(nil, &err)
				}
			}
		})
	}
	all.Wait()
	if err := failed.Load(); err != nil {
		c.t.Fatal(*err)
	}
}

// evil is a name as nobody should have it, another for each i.
func evil(i int) string { return fmt.Sprintf(`x%d"}forged{a="`, i) }

// wave has some tenants name so many things that nobody has named before: labels of notifications, one in ten of which is stored,
// and the recipients of an upload.
func (c *crowd) wave(from, to, names int) {
	c.t.Helper()
	const labels = 20
	name := from * labels * 2
	c.each(to-from, func(i int) error {
		req := client.Request{Message: json.RawMessage(`{"notification":{"title":"Hi"}}`), Labels: map[string]string{}}
		for k := range labels {
			one := name + (i*labels+k)*2
			req.Labels[evil(one)] = evil(one + 1)
		}
		api, err := client.New(c.url, c.keys[from+i], client.WithUserAgent(fmt.Sprintf("evil-%d", from+i)))
		switch {
		case err != nil:
		case i%10 == 0:
			_, err = api.CreateBatch(c.t.Context(), req)
		default:
			req.To, req.ValidateOnly = &client.Target{Tokens: []string{evil(i)}}, true
			_, err = api.Send(c.t.Context(), req)
		}
		return err
	})
	ctx, api := c.t.Context(), c.client(c.keys[from])
	b, err := api.CreateBatch(ctx, client.Request{Message: json.RawMessage(`{"notification":{"title":"Hi"}}`)})
	c.must(err)
	var rows strings.Builder
	for i := range names - (to-from)*labels*2 {
		fmt.Fprintf(&rows, "{\"token\":%q}\n", fmt.Sprintf("%d-", from)+evil(i))
	}
	_, err = api.UploadRecipients(ctx, b.ID, strings.NewReader(rows.String()), client.UploadOptions{Offset: 1})
	c.must(err)
}

// heap is what is alive.
func heap() int64 {
	runtime.GC()
	runtime.GC() // what finalizers let go
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestAMillionNames has ten thousand tenants name a million things, each another, in two waves. What the first wave has made known
// the second does not add to: no series, no more lines in the log than for some tenants, and no memory but for some caches, each of
// which has a bound.
func TestAMillionNames(t *testing.T) { //nolint:paralleltest // it measures the memory of its process
	if raced.On {
		t.Skip("the race detector's memory is not a program's")
	}
	const tenants, names = 10_000, 1_000_000
	c := newCrowd(t, tenants)
	addr := strings.TrimPrefix(c.url, "http://")
	begun := time.Now()
	c.wave(0, tenants/2, names/2)
	shown, alive, said := series(t, addr), heap(), c.log.n.Load()
	t.Logf("after %v: %d series, %d KiB alive, %d lines", time.Since(begun).Round(time.Millisecond), shown.n, alive>>10, said)
	c.wave(tenants/2, tenants, names/2)
	later, grown, lines := series(t, addr), heap()-alive, c.log.n.Load()-said
	t.Logf("after %v: %d series, %d KiB more alive, %d more lines", time.Since(begun).Round(time.Millisecond), later.n, grown>>10, lines)
	if later.n > shown.n {
		t.Errorf("%d series became %d", shown.n, later.n)
	}
	if strings.Contains(later.text, "forged") || strings.Contains(later.text, "evil") || c.log.forged.Load() > 0 {
		t.Error("what somebody called something is in the metrics, or made a line of the log")
	}
	if later.counted < float64(tenants) {
		t.Errorf("%v requests were counted: they did not reach what counts", later.counted)
	}
	// A minute has a line of each kind for 4,096 tenants at most, and ten of each kind for all others together.
	const mostGrown, mostLines = 16 << 20, 5_000
	if grown > mostGrown {
		t.Errorf("%d KiB are kept of half a million names", grown>>10)
	}
	if lines > mostLines {
		t.Errorf("%d lines tell of half a million names", lines)
	}
}
