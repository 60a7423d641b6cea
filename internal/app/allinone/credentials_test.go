package allinone

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/config"
	"github.com/belfry-push/belfry/internal/fcmsim"
	"github.com/belfry-push/belfry/internal/wire"
)

// installation is belfry up beside a simulator that asks for access tokens.
type installation struct {
	t      testing.TB
	dir    string
	sim    *fcmsim.Sim
	api    *client.Client
	base   string
	events <-chan wire.Event
	logs   *buffer
	stop   func()
}

// buffer is a log.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer.
func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

// Sync implements zapcore.WriteSyncer.
func (*buffer) Sync() error { return nil }

func (b *buffer) text() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

const sealKey = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

// install starts an installation without a credential of its own.
func install(tb testing.TB) *installation {
	tb.Helper()
	sim, err := fcmsim.New(fcmsim.Config{Project: "nobody", RequireAuth: true})
	if err != nil {
		tb.Fatal(err)
	}
	if err := sim.Start(); err != nil {
		tb.Fatal(err)
	}
	in := &installation{t: tb, dir: tb.TempDir(), sim: sim, logs: &buffer{}}
	in.start(sealKey)
	if _, err := in.api.CreateApp(tb.Context(), client.AppRequest{Name: "shop"}); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { // after the installation
		if err := sim.Stop(context.Background()); err != nil {
			tb.Error(err)
		}
	})
	return in
}

// start starts belfry up; stop ends it.
func (in *installation) start(seal config.Secret) {
	in.t.Helper()
	ctx, cancel := context.WithCancel(in.t.Context())
	ready, told, ended := make(chan Addresses, 1), make(chan wire.Event, 1000), make(chan error, 1)
	cfg := config.Up{
		Store: config.Store{Backend: config.BackendEmbedded, Data: in.dir, Visibility: 30 * time.Second},
		API:   config.API{Listen: "127.0.0.1:0", RequireKey: new(false)}, Seal: config.Seal{Key: seal},
		FCM: config.FCM{
			Endpoint: in.sim.URL(), Connections: 2, PerSecond: 1_000_000, Credentials: in.ownKey(),
		},
		Delivery: config.Delivery{MaxAttempts: 8, BrakeAfter: 20},
		Janitor:  config.Janitor{Late: time.Hour}, Stop: config.Stop{Drain: time.Second},
	}
	core := zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), in.logs, zap.DebugLevel)
	go func() {
		ended <- Up(ctx, cfg, zap.New(core), Hooks{Ready: func(a Addresses) { ready <- a }, Event: func(e wire.Event) {
			select {
			case told <- e:
			default: // nobody reads that many
			}
		}})
	}()
	in.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			in.t.Error(err)
		}
		http.DefaultClient.CloseIdleConnections()
	})
	in.t.Cleanup(in.stop)
	select {
	case a := <-ready:
		api, err := client.New(a.API, "")
		if err != nil {
			in.t.Fatal(err)
		}
		in.api, in.base, in.events = api, a.API, told
	case err := <-ended:
		ended <- nil
		in.t.Fatal(err)
	}
}

// ownKey is the installation's own credential.
func (in *installation) ownKey() string {
	in.t.Helper()
	name := filepath.Join(in.t.TempDir(), "own.json")
	if err := os.WriteFile(name, in.sim.ServiceAccountOf("own-project"), 0o600); err != nil {
		in.t.Fatal(err)
	}
	return name
}

func (in *installation) put(app, project string, o client.CredentialOptions) client.Credential {
	in.t.Helper()
	c, err := in.api.PutCredential(in.t.Context(), app, in.sim.ServiceAccountOf(project), o)
	if err != nil {
		in.t.Fatal(err)
	}
	return c
}

func (in *installation) send(app, token string) string {
	in.t.Helper()
	n, err := in.api.Send(in.t.Context(), client.Request{
		App: app, To: &client.Target{Tokens: []string{token}}, Message: json.RawMessage(`{"notification":{"title":"Hi"}}`),
	})
	if err != nil {
		in.t.Fatal(err)
	}
	return n.ID
}

// until reads a notification until it is as wanted.
func (in *installation) until(id string, what string, ok func(n *client.Notification) bool) (n client.Notification) {
	in.t.Helper()
	in.wait(func(ctx context.Context) (done bool, err error) {
		n, err = in.api.Notification(ctx, id)
		return err == nil && ok(&n), err
	}, func(err error) string { return fmt.Sprintf("%s is not %s: %+v, %v", id, what, n, err) })
	return n
}

// wait asks until it is done, for a minute; otherwise it fails with what the last error means.
func (in *installation) wait(ask func(ctx context.Context) (done bool, err error), otherwise func(err error) string) {
	in.t.Helper()
	const patience = time.Minute
	ctx, cancel := context.WithTimeout(in.t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		done, err := ask(ctx)
		if done {
			return
		}
		select {
		case <-ctx.Done():
			in.t.Fatal(otherwise(err))
		case <-tick.C:
		}
	}
}

func sent(n *client.Notification) bool { return n.Counts != nil && n.Counts.Sent == 1 }

// event waits for an event of a type.
func (in *installation) event(kind string) wire.Event {
	in.t.Helper()
	const patience = time.Minute
	ctx, cancel := context.WithTimeout(in.t.Context(), patience)
	defer cancel()
	for {
		select {
		case e := <-in.events:
			if e.Type == kind {
				return e
			}
		case <-ctx.Done():
			in.t.Fatalf("no event of %s", kind)
		}
	}
}

// ready waits until the process says that it is: the last look may be from before its own first access token.
func (in *installation) ready(otherwise string) {
	in.t.Helper()
	in.wait(func(ctx context.Context) (bool, error) {
		err := in.api.Ready(ctx)
		return err == nil, err
	}, func(err error) string { return fmt.Sprintf("%s: %v", otherwise, err) })
}

// TestCredentialOfAnApp is the life of the credential of an app, without a restart: it is
// uploaded, used, refused by Google, replaced, and removed, while the installation's own goes
// on; and the key is in nothing that can be seen.
func TestCredentialOfAnApp(t *testing.T) {
	t.Parallel()
	in := install(t)
	_, err := in.api.Send(t.Context(), client.Request{
		App: "shp", To: &client.Target{Tokens: []string{"a"}}, Message: json.RawMessage(`{"data":{"k":"v"}}`),
	})
	if !client.IsProblem(err, "invalid") || !strings.Contains(err.Error(), `"shp"`) {
		t.Errorf("an app that is not there: %v", err)
	}
	early := in.send("shop", "early")
	in.until(early, "seen to wait", func(n *client.Notification) bool {
		return n.Waiting != nil && n.Waiting.Text == "its app's credential: there is none; upload one"
	})
	if c := in.put("shop", "shop-project", client.CredentialOptions{}); c.State != client.CredentialValid || c.Project != "shop-project" {
		t.Errorf("%+v", c)
	}
	in.until(in.send("shop", "one"), "sent", sent)
	in.until(in.send("", "two"), "sent", sent)
	in.until(early, "sent when there is a credential", sent)

	in.sim.DisableAccount("shop-project", true) // as when the key is deleted in Google's console
	waiting := in.send("shop", "three")
	var e wire.CredentialInvalid
	if err := json.Unmarshal(in.event(wire.EventCredentialInvalid).Data,
		&e); err != nil || e.App != "shop" || e.Project != "shop-project" {
		t.Errorf("%+v, %v", e, err)
	}
	n := in.until(waiting, "seen to wait", func(n *client.Notification) bool {
		return n.Waiting != nil && n.Waiting.Reason == client.WaitCredential
	})
	if !strings.Contains(n.Waiting.Text, "credential") {
		t.Errorf("%+v", n.Waiting)
	}
	in.until(in.send("", "four"), "sent, beside one that waits", sent)
	c, err := in.api.Credential(t.Context(), "shop", client.CredentialOptions{})
	if err != nil || c.State != client.CredentialInvalid || c.Reason == "" {
		t.Errorf("%+v, %v", c, err)
	}
	_, err = in.api.PutCredential(t.Context(), "shop", in.sim.ServiceAccountOf("shop-project"), client.CredentialOptions{})
	if !client.IsProblem(err, "invalid") {
		t.Errorf("the same again: %v", err)
	}
	in.ready("one tenant's credential takes the process out of service")
	_, err = in.api.PutCredential(t.Context(), "shop", in.sim.ServiceAccountOf("new-project"), client.CredentialOptions{})
	if !client.IsProblem(err, "illegal_state") {
		t.Errorf("another project: %v", err)
	}
	in.put("shop", "new-project", client.CredentialOptions{ChangeProject: true})
	in.until(waiting, "sent with the new credential", sent)
	for {
		select {
		case e := <-in.events:
			if e.Type == wire.EventCredentialInvalid {
				t.Errorf("told again: %s", e.Data)
			}
			continue
		default:
		}
		break
	}
	in.clean()
}

// clean looks for the private key in what can be seen of the installation.
func (in *installation) clean() {
	in.t.Helper()
	var file struct {
		Key string `json:"private_key"`
	}
	if err := json.Unmarshal(in.sim.ServiceAccountOf("shop-project"), &file); err != nil {
		in.t.Fatal(err)
	}
	lines := strings.Split(file.Key, "\n")[1:20]
	look := func(where string, text []byte) {
		in.t.Helper()
		if slices.ContainsFunc(lines, func(line string) bool { return len(line) > 30 && bytes.Contains(text, []byte(line)) }) {
			in.t.Errorf("%s has a part of a private key", where)
		}
	}
	look("the log", []byte(in.logs.text()))
	for _, path := range []string{"/metrics", "/readyz", "/v1/credentials", "/v1/apps/shop/credential", "/v1/notifications"} {
		res, err := http.Get(in.base + path)
		if err != nil {
			in.t.Fatal(err)
		}
		var b bytes.Buffer
		_, _ = b.ReadFrom(res.Body)
		_ = res.Body.Close()
		look(path, b.Bytes())
	}
	found := 0
	err := filepath.WalkDir(in.dir, func(path string, d fs.DirEntry, err error) error { // what a backup copies
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if bytes.Contains(data, []byte("shop-project")) {
			found++
		}
		look(path, data)
		return err
	})
	if err != nil || found == 0 {
		in.t.Errorf("%v; %d files have the credential", err, found)
	}
}

// TestSealKeyIsGone: what is sealed with a key that is gone waits, it is said which key that is,
// and nothing else suffers; with the key back it is sent.
func TestSealKeyIsGone(t *testing.T) {
	t.Parallel()
	in := install(t)
	c := in.put("shop", "shop-project", client.CredentialOptions{})
	in.until(in.send("shop", "one"), "sent", sent)
	in.stop()
	const other = "ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA="
	in.start(other)
	waiting := in.send("shop", "two")
	n := in.until(waiting, "seen to wait", func(n *client.Notification) bool {
		return n.Waiting != nil && n.Waiting.Reason == client.WaitCredential
	})
	if !strings.Contains(n.Waiting.Text, c.SealKey) || strings.Contains(n.Waiting.Text, other) {
		t.Errorf("%+v does not say which key is gone", n.Waiting)
	}
	in.until(in.send("", "three"), "sent, beside one that waits", sent)
	in.stop()
	in.start(other + "," + sealKey)
	in.until(waiting, "sent", sent)
	in.clean()
}

// TestNoSealKey: without a key nothing is taken in, and it is said how to make one.
func TestNoSealKey(t *testing.T) {
	t.Parallel()
	in := install(t)
	in.stop()
	in.start("")
	_, err := in.api.PutCredential(t.Context(), "shop", in.sim.ServiceAccountOf("shop-project"), client.CredentialOptions{})
	if !client.IsProblem(err, "illegal_state") || !strings.Contains(err.Error(), "openssl rand -base64 32") {
		t.Errorf("%v", err)
	}
}
