package ingester

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/app"
	"github.com/belfry-push/belfry/internal/config"
	"github.com/belfry-push/belfry/internal/push"
)

// starts is ingest on one data directory, once or several times.
type starts struct {
	*testing.T

	dir string
	log *zap.Logger

	mu   sync.Mutex
	keys []string // that were shown
}

func newStarts(t *testing.T) (*starts, *observer.ObservedLogs) {
	t.Helper()
	core, logs := observer.New(zapcore.DebugLevel)
	return &starts{T: t, dir: t.TempDir(), log: zap.New(core)}, logs
}

func (s *starts) show(text string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys = append(s.keys, text)
	return nil
}

// store is what a service stands on, until stop.
func (s *starts) store() (service *app.Service, stop func()) {
	s.Helper()
	store := config.Store{Backend: config.BackendEmbedded, Data: s.dir, Visibility: time.Minute}
	service, err := app.NewService(s.Context(), s.log, time.Second, app.Opener(store, s.log))
	if err != nil {
		s.Fatal(err)
	}
	return service, func() {
		if err := service.Stack.Unwind(context.WithoutCancel(s.Context())); err != nil {
			s.Error(err)
		}
	}
}

// up starts ingest as e says, and ends it with the test.
func (s *starts) up(e Entrance) (At, error) {
	s.Helper()
	service, stop := s.store()
	s.Cleanup(stop)
	if e.Listen == "" {
		e.Listen = "127.0.0.1:0"
	}
	if e.FirstKey == nil {
		e.FirstKey = s.show
	}
	return Start(s.Context(), service, "", e, Credentials{Endpoint: "http://127.0.0.1:1"}, config.Listeners{}, config.Janitor{Late: time.Hour},
		config.Keep{})
}

// answer returns the status of a request with a key, or none.
func (s *starts) answer(at At, key string) int {
	s.Helper()
	_, port, _ := strings.Cut(strings.TrimPrefix(at.Addr, "[::]"), ":")
	req, err := http.NewRequestWithContext(s.Context(), http.MethodGet, "http://127.0.0.1:"+port+"/v1/tenants", http.NoBody)
	if err != nil {
		s.Fatal(err)
	}
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		s.Fatal(err)
	}
	_ = res.Body.Close()
	return res.StatusCode
}

// expect starts ingest and says what must come of it: whether requests need a key, and how many
// keys were shown up to now.
func (s *starts) expect(what string, e Entrance, keyed bool, shown int) At {
	s.Helper()
	at, err := s.up(e)
	if err != nil {
		s.Fatalf("%s: %v", what, err)
	}
	want := http.StatusOK
	if keyed {
		want = http.StatusUnauthorized
	}
	if got := s.answer(at, ""); at.Keyed != keyed || got != want {
		s.Errorf("%s: without a key %d, keyed %v; want %d, %v", what, got, at.Keyed, want, keyed)
	}
	if len(s.keys) != shown {
		s.Errorf("%s: %d keys were shown, want %d", what, len(s.keys), shown)
	}
	return at
}

// TestFirstStart: on an empty data directory one key is shown, also to several starts at once; it
// opens the API, also from beyond the loopback interface, and is in no log.
func TestFirstStart(t *testing.T) {
	t.Parallel()
	s, logs := newStarts(t)
	const processes = 3
	services := make([]*app.Service, processes)
	for i := range services {
		service, stop := s.store()
		t.Cleanup(stop)
		services[i] = service
	}
	var all sync.WaitGroup
	for _, service := range services {
		all.Go(func() {
			e := Entrance{API: config.API{Listen: "127.0.0.1:0"}, FirstKey: s.show}
			required, err := e.requiresKey(t.Context(), service, access.New(service.Backend.Store, nil))
			if err != nil || required {
				t.Errorf("required %v, %v", required, err)
			}
		})
	}
	all.Wait()
	if len(s.keys) != 1 {
		t.Fatalf("%d keys were shown, want 1", len(s.keys))
	}
	at := s.expect("the next start", Entrance{API: config.API{RequireKey: new(true)}}, true, 1)
	if got := s.answer(at, s.keys[0]); got != http.StatusOK {
		t.Errorf("with the first key: %d", got)
	}
	s.expect("on this machine", Entrance{}, false, 1)
	s.expect("a sandbox that has a key", Entrance{Sandbox: true}, false, 1)
	at = s.expect("beyond this machine", Entrance{API: config.API{Listen: ":0"}}, true, 1)
	if got := s.answer(at, s.keys[0]); got != http.StatusOK {
		t.Errorf("with the first key, beyond the loopback interface: %d", got)
	}
	s.expect("without keys, as asked for", Entrance{API: config.API{RequireKey: new(false)}}, false, 1)
	for _, e := range logs.All() {
		if strings.Contains(e.Message, "blf_") {
			t.Errorf("the log has the key: %s", e.Message)
		}
		for _, f := range e.Context {
			if strings.Contains(f.String, "blf_") {
				t.Errorf("the log has the key in %s: %s", e.Message, f.Key)
			}
		}
	}
}

// TestNoFirstKey: no key is made where none is needed, nor where the settings have one.
func TestNoFirstKey(t *testing.T) {
	t.Parallel()
	s, _ := newStarts(t)
	s.expect("a sandbox", Entrance{Sandbox: true}, false, 0)
	s.expect("a key in the settings", Entrance{API: config.API{Key: "choose-one"}}, true, 0)
	s.expect("a key in the settings, everywhere", Entrance{API: config.API{Key: "choose-one", Listen: ":0"}}, true, 0)
	s.expect("none is wanted", Entrance{API: config.API{RequireKey: new(false)}}, false, 0)
	s.expect("a sandbox that is to ask for one", Entrance{Sandbox: true, API: config.API{RequireKey: new(true)}}, true, 1)
}

// TestUpgradeWithoutKey: where requests came without a key so far, they still do, on this machine
// only; and what would lock everybody out does not start.
func TestUpgradeWithoutKey(t *testing.T) {
	t.Parallel()
	s, _ := newStarts(t)
	service, stop := s.store()
	err := service.Backend.Store.PutDevices(t.Context(), []push.Device{{
		Tenant: tenant, ID: "dev_1", Address: push.Address{Kind: push.KindToken, Value: "t"}, Platform: "android", CreatedAt: time.Now(),
		UpdatedAt: time.Now(),
	}})
	stop()
	if err != nil {
		t.Fatal(err)
	}
	s.expect("a used directory", Entrance{}, false, 0)
	none := func(string) error { return errNobodyLooks }
	_, err = s.up(Entrance{API: config.API{Listen: ":0"}, FirstKey: none})
	if err == nil || !strings.Contains(err.Error(), "BELFRY_API_KEY") {
		t.Errorf("with a key that nobody sees it starts: %v", err)
	}
}
