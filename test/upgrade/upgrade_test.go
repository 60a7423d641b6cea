package upgrade

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/app/allinone"
	"github.com/belfry-push/belfry/internal/config"
	"github.com/belfry-push/belfry/internal/fcmsim"
	"github.com/belfry-push/belfry/test/programs"
	"github.com/belfry-push/belfry/test/standins"
)

// commands are our programs; servers are the stand-ins for AWS.
var (
	commands programs.Programs
	servers  standins.Servers
)

func TestMain(m *testing.M) { os.Exit(commands.Main(func() int { return servers.Main(m) })) }

// contents returns the files of an archive in testdata, by path.
func contents(t *testing.T, name string) map[string][]byte {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	zipped, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]byte{}
	for files := tar.NewReader(zipped); ; {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err == nil && h.Typeflag == tar.TypeReg {
			out[filepath.Clean("/"+h.Name)], err = io.ReadAll(files)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// unpack lays out the data directory that testdata/make.sh made, and returns where.
func unpack(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, b := range contents(t, "single-tenant.tar.gz") {
		to := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(to), 0o700), os.WriteFile(to, b, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "data")
}

// start opens the directory with this version, with the key that the last one had, and returns a
// client with that key and one without.
func start(t *testing.T, data string, key config.Secret, change ...func(*config.Up)) (api string, with, without *client.Client) {
	t.Helper()
	cfg := config.Up{
		Sandbox: true, Store: config.Store{Backend: config.BackendEmbedded, Data: data, Visibility: 30 * time.Second},
		API: config.API{Listen: "127.0.0.1:0", Key: key}, FCM: config.FCM{Connections: 1, PerSecond: 1000},
		Delivery: config.Delivery{MaxAttempts: 1, RecordUnknownDevices: true}, Simulator: config.Simulator{Listen: "127.0.0.1:0"},
		Stop: config.Stop{Drain: 5 * time.Second},
	}
	for _, f := range change {
		f(&cfg)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ready, ended := make(chan allinone.Addresses, 1), make(chan error, 1)
	go func() {
		ended <- allinone.Up(ctx, cfg, zap.NewNop(), allinone.Hooks{Ready: func(a allinone.Addresses) { ready <- a }})
	}()
	select {
	case at := <-ready:
		t.Cleanup(func() {
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
		return at.API, connect(t, at.API, string(key)), connect(t, at.API, "")
	case err := <-ended:
		cancel()
		t.Fatalf("this version does not start on it: %v", err)
	}
	return "", nil, nil
}

func connect(t *testing.T, url, key string) *client.Client {
	t.Helper()
	c, err := client.New(url, key)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// titled returns the notifications by title.
func titled(t *testing.T, c *client.Client) map[string]client.Notification {
	t.Helper()
	out := map[string]client.Notification{}
	for n, err := range c.Notifications(t.Context(), client.NotificationFilter{}) {
		if err == nil {
			out[n.Title], err = c.Notification(t.Context(), n.ID)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// letters returns the tenants of the dead letters that a client sees.
func letters(t *testing.T, c *client.Client) (tenants []string) {
	t.Helper()
	for l, err := range c.DeadLetters(t.Context(), client.DeadLetterFilter{}) {
		if err != nil {
			t.Fatal(err)
		}
		tenants = append(tenants, l.Tenant)
	}
	return tenants
}

// TestSingleTenant: a data directory of the last version opens in place. All that is in it belongs to
// the tenant default, to which the old key still belongs; what was open is sent.
func TestSingleTenant(t *testing.T) {
	t.Parallel()
	api, c, nobody := start(t, unpack(t), "the-old-key")
	whole(t, api, c, nobody)
}

// whole holds that everything is there that the last version left, and the tenant default's; what was open is sent. c has the old
// key, nobody none.
func whole(t *testing.T, api string, c, nobody *client.Client) {
	t.Helper()
	ctx := t.Context()
	if _, err := nobody.Device(ctx, "phone-1"); err == nil {
		t.Error("a request without the key is let in")
	}
	programs.WaitFor(t, "the outcome of what was open", func() bool {
		n := titled(t, c)["open"]
		return n.Counts.Accepted == 1 && n.Counts.Open == 0
	})
	all := titled(t, c)
	if n := all["finished"]; n.Counts.Sent != 1 || n.Counts.Accepted != 2 || n.State != client.StateCompleted {
		t.Errorf("finished: %s, %+v", n.State, n.Counts)
	}
	if n := all["batch"]; n.Counts.Sent != 10 || n.State != client.StateCompleted {
		t.Errorf("batch: %s, %+v", n.State, n.Counts)
	}
	if n := all["open"]; n.Counts.Sent+n.Counts.Expired != 1 { // its ttl is four weeks, from when the directory was made
		t.Errorf("open: %s, %+v", n.State, n.Counts)
	}
	if n := all["uploading"]; n.State != client.StateUploading {
		t.Errorf("uploading: %s", n.State)
	}
	d, err := c.Device(ctx, "phone-1")
	if err != nil || d.UserID != "alice" {
		t.Errorf("the device: %+v, %v", d, err)
	}
	if got := letters(t, c); !slices.Equal(got, []string{"default", "default"}) {
		t.Errorf("the dead letters are of %v", got)
	}
	// The old key is the operator's: a second tenant is made, and sees nothing of the first.
	if _, err := c.CreateTenant(ctx, client.TenantRequest{Name: "acme"}); err != nil {
		t.Fatal(err)
	}
	own, err := c.CreateAPIKey(ctx, client.APIKeyRequest{Role: "owner"}, client.OfTenant("acme"))
	if err != nil {
		t.Fatal(err)
	}
	if other := connect(t, api, own.Key); len(titled(t, other)) != 0 || len(letters(t, other)) != 0 {
		t.Error("a second tenant sees what the first has")
	}
}

// TestOwnCredential: BELFRY_FCM_CREDENTIALS is the credential of the tenant default's default app, as it was of the only
// tenant: what was open is sent with it.
func TestOwnCredential(t *testing.T) {
	t.Parallel()
	sim, err := fcmsim.New(fcmsim.Config{Project: "nobody", RequireAuth: true})
	if err == nil {
		err = sim.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // after the programs
		if err := sim.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	file := filepath.Join(t.TempDir(), "key.json")
	if err := os.WriteFile(file, sim.ServiceAccountOf("the-old-project"), 0o600); err != nil {
		t.Fatal(err)
	}
	api, c, nobody := start(t, unpack(t), "the-old-key", func(cfg *config.Up) {
		cfg.Sandbox, cfg.FCM.Endpoint, cfg.FCM.Credentials = false, sim.URL(), file
	})
	n, err := c.Send(t.Context(), client.Request{
		To: &client.Target{Tokens: []string{"new-phone"}}, Message: json.RawMessage(`{"notification":{"title":"new"}}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	programs.WaitFor(t, "what is sent after the upgrade", func() bool {
		got, err := c.Notification(t.Context(), n.ID)
		return err == nil && got.Counts.Sent == 1
	})
	whole(t, api, c, nobody)
	// Its tokens alone let anybody in to that project: what is accepted, here the new one and the open one, was sent with it.
	want := 1 + titled(t, c)["open"].Counts.Sent
	if n := sim.Stats().Accepted; int64(n) != want {
		t.Errorf("%d messages were accepted, want %d", n, want)
	}
}

// TestWithoutKey: who had no key on the loopback interface needs none after the upgrade.
func TestWithoutKey(t *testing.T) {
	t.Parallel()
	_, c, _ := start(t, unpack(t), "")
	if len(titled(t, c)) != 5 {
		t.Errorf("notifications: %v", titled(t, c))
	}
}
