package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// file makes a file of that mode, and returns its name.
func file(t *testing.T, text string, mode os.FileMode) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(name, mode); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestSecretsFromFiles(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		vars env
		args []string
		key  string
		want string // the fault, as it begins after the variable
	}{
		{"a file", env{"BELFRY_API_KEY_FILE": file(t, "hush", 0o600)}, nil, "hush", ""},
		{"a line break", env{"BELFRY_API_KEY_FILE": file(t, "hush\n", 0o600)}, nil, "hush", ""},
		{"a line break of Windows", env{"BELFRY_API_KEY_FILE": file(t, "\xef\xbb\xbfhush\r\n", 0o600)}, nil, "hush", ""},
		{"an empty name is none", env{"BELFRY_API_KEY_FILE": "", "BELFRY_API_KEY": "k"}, nil, "k", ""},
		{"the flag wins", env{"BELFRY_API_KEY_FILE": file(t, "hush", 0o600)}, []string{"--api-key=k"}, "k", ""},
		{"both", env{"BELFRY_API_KEY_FILE": file(t, "hush", 0o600), "BELFRY_API_KEY": "hush2"}, nil, "", "is set beside BELFRY_API_KEY"},
		{"no such file", env{"BELFRY_API_KEY_FILE": "/nowhere/key"}, nil, "", `cannot be read: no such file or directory (got "/nowhere/key")`},
		{"a directory", env{"BELFRY_API_KEY_FILE": t.TempDir()}, nil, "", "must be a file"},
		{"nothing in it", env{"BELFRY_API_KEY_FILE": file(t, "\n", 0o600)}, nil, "", "holds nothing"},
		{"too much in it", env{"BELFRY_API_KEY_FILE": file(t, strings.Repeat("hush", 10_000), 0o600)}, nil, "", "must have at most"},
		{
			"two lines",
			env{"BELFRY_API_KEY_FILE": file(t, "hush\nhush\n", 0o600)},
			nil, "",
			"(BELFRY_API_KEY_FILE): must be printable ASCII without spaces",
		},
		{"no text", env{"BELFRY_API_KEY_FILE": file(t, "hush\xff", 0o600)}, nil, "", "(BELFRY_API_KEY_FILE): must be UTF-8"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.vars["BELFRY_LISTEN"] = ":8080" // needs a key
			var cfg Ingest
			_, ok, _, stderr := load(&cfg, c.vars, c.args...)
			if ok != (c.want == "") || ok && cfg.API.Key.Reveal() != c.key || !strings.Contains(stderr, c.want) || strings.Contains(stderr, "hush") {
				t.Errorf("ok %v, key %q, %s", ok, cfg.API.Key.Reveal(), stderr)
			}
			if strings.Contains(stderr, "needs an API key") {
				t.Errorf("a second fault for the first: %s", stderr)
			}
		})
	}
}

func TestSecretFilesOpenToOthers(t *testing.T) {
	t.Parallel()
	for mode, want := range map[os.FileMode]string{
		0o600: "", 0o640: "", 0o644: "can be read by every user", 0o660: "can be changed", 0o602: "can be changed",
	} {
		_, ok, _, stderr := load(&Ingest{}, env{"BELFRY_API_KEY_FILE": file(t, "hush", mode)})
		if !ok || (stderr == "") != (want == "") || !strings.Contains(stderr, want) || strings.Contains(stderr, "hush") {
			t.Errorf("mode %o: ok %v, %q", mode, ok, stderr)
		}
	}
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	open := t.TempDir()
	if err := os.Chmod(open, 0o755); err != nil {
		t.Fatal(err)
	}
	closed := filepath.Join(t.TempDir(), "data")
	if err := os.Mkdir(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	leaky := filepath.Join(t.TempDir(), "leaky")
	if err := os.Mkdir(leaky, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(leaky, "store.db"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(leaky, "store.db"), 0o644); err != nil {
		t.Fatal(err)
	}
	key := file(t, "{}", 0o644)
	for _, c := range []struct {
		name string
		cfg  interface{ Warnings() []string }
		want []string // a part of each
	}{
		{"as it should be", Up{Store: Store{Backend: BackendEmbedded, Data: closed}, FCM: FCM{Credentials: file(t, "{}", 0o600)}}, nil},
		{"not there yet", Ingest{Store: Store{Backend: BackendEmbedded, Data: closed + "x"}}, nil},
		{"an open directory", Ingest{Store: Store{Backend: BackendEmbedded, Data: open}}, []string{"chmod 0700"}},
		{"an open file", Replayer{Store: Store{Backend: BackendEmbedded, Data: leaky}}, []string{"store.db"}},
		{"on AWS there is none", Ingest{Store: Store{Backend: BackendAWS, Data: open}}, nil},
		{"an open key file", Dispatcher{Roles: Roles{RoleDeliver}, FCM: FCM{Credentials: key}}, []string{"FCM key file"}},
		{"which is not used", Dispatcher{Roles: Roles{RoleFanout}, FCM: FCM{Credentials: key}}, nil},
		{"default credentials", Dispatcher{Roles: Roles{RoleDeliver}, FCM: FCM{Credentials: ApplicationDefault}}, nil},
		{"public metrics", Replayer{Metrics: Metrics{Listen: ":9090"}}, []string{"health and metrics"}},
		{"private metrics", Replayer{Metrics: Metrics{Listen: "[::1]:9090"}}, nil},
		{"a public simulator", Sim{Simulator: Simulator{Listen: "0.0.0.0:8090"}}, []string{"FCM simulator"}},
		{
			"a public simulator of the sandbox",
			Up{Sandbox: true, Simulator: Simulator{Listen: ":8090"}, FCM: FCM{Credentials: key}},
			[]string{"FCM simulator"},
		},
		{
			"every host",
			Ingest{API: API{Listen: "127.0.0.1:8080"}, Listeners: Listeners{AllowedHosts: []string{"*"}}},
			[]string{"BELFRY_ALLOWED_HOSTS"},
		},
		{"every host, beyond this machine", Ingest{API: API{Listen: ":8080"}, Listeners: Listeners{AllowedHosts: []string{"*"}}}, nil},
		{
			"every host, required", Ingest{
				API:       API{Listen: "127.0.0.1:8080", RequireKey: new(true)},
				Listeners: Listeners{AllowedHosts: []string{"*"}},
			}, nil,
		},
		{"every host, with a key", Ingest{API: API{Key: "k"}, Listeners: Listeners{AllowedHosts: []string{"*"}}}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := c.cfg.Warnings()
			if len(got) != len(c.want) {
				t.Fatalf("got %q, want %d", got, len(c.want))
			}
			for i, want := range c.want {
				if !strings.Contains(got[i], want) {
					t.Errorf("%q does not say %q", got[i], want)
				}
			}
		})
	}
}
