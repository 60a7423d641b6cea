//go:build unix

package readme

import (
	"bufio"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// root is the checkout.
var root = filepath.Join("..", "..")

// TestBlocks runs every block of README.md, and of the first steps, as it is
// printed, in order, where nothing is installed: first what installs and what
// serves, each server as in a terminal of its own, then all commands in one shell,
// then the Go programs. Only the ports are other ones, and what is installed from
// the network is built from this clone.
func TestBlocks(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{"bash", "curl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip("there is no " + tool + " on this machine")
		}
	}
	for page, wants := range map[string][]string{
		readme: {
			`(?m)^ntf_[0-9a-f-]{36}$`,                      // the id came into the variable
			`fcm\.unregistered`,                            // the token that is gone
			`sent +sent +1,000 +100\.00%`,                  // the batch
			`dead_lettered +attempts_exhausted +[1-9]\d\d`, // the outage
			`[1-9]\d\d letters`,                            // drained
			`completed`,
		},
		firstSteps: {
			`(?s)fcm\.unregistered.*fcm\.unregistered`, // by the send, and explained
			`"user_id": "alice"`,                       // the device
			`sent +sent +1,000 +100\.00%`,
		},
	} {
		t.Run(page, func(t *testing.T) {
			t.Parallel()
			follow(t, page, wants)
		})
	}
}

// follow does what a page says.
func follow(t *testing.T, page string, wants []string) {
	t.Helper()
	r := newReader(t)
	var install, serve, toGoogle, shell, programs []block
	for _, b := range blocks(t, page) {
		switch {
		case b.language == "go":
			programs = append(programs, b)
		case strings.HasPrefix(b.text, "make "): // see TestMakeTargets
		case strings.Contains(b.text, "go install"):
			install = append(install, b)
		case strings.Contains(b.text, "BELFRY_FCM_CREDENTIALS="):
			toGoogle = append(toGoogle, b)
		case strings.Contains(b.text, "belfry up"):
			serve = append(serve, b)
		default:
			shell = append(shell, b)
		}
	}
	for what, n := range map[string]int{
		"installs": len(install), "serves": len(serve), "serves for real": len(toGoogle), "is run": len(shell) / 4,
		"is Go": len(programs) + strings.Count(page, firstSteps),
	} {
		if n == 0 {
			t.Errorf("%s has no block, or too few, that %s", page, what)
		}
	}
	for _, b := range install {
		b.text = strings.ReplaceAll(b.text, "github.com/belfry-push/belfry/cmd/...@latest", "./cmd/...")
		r.run(t, root, b)
	}
	for _, b := range serve {
		defer r.serve(t, b)()
	}
	r.inOneShell(t, shell, wants)
	for _, b := range programs {
		file := filepath.Join(t.TempDir(), "main.go")
		if err := os.WriteFile(file, []byte(r.ports.Replace(b.text)), 0o600); err != nil {
			t.Fatal(err)
		}
		out := r.run(t, root, block{text: "go run " + file, at: b.at})
		t.Logf("%s printed:\n%s", b.at, out)
	}
	r.key(t)
	r.env = append(r.env, "BELFRY_DATA="+t.TempDir(), "BELFRY_LISTEN=", "BELFRY_API_KEY=")
	r.ports = strings.NewReplacer(":8080", ":0")
	for _, b := range toGoogle {
		r.serve(t, b)()
	}
}

// reader is someone who follows the README on a machine of his own.
type reader struct {
	home  string // where commands are typed, and files land
	env   []string
	ports *strings.Replacer
}

func newReader(t *testing.T) *reader {
	t.Helper()
	home, bin := t.TempDir(), t.TempDir()
	env := os.Environ()       //nolint:forbidigo // children inherit it
	path := os.Getenv("PATH") //nolint:forbidigo // as above
	return &reader{
		home: home, ports: strings.NewReplacer(),
		env: append(env, "GOBIN="+bin, "PATH="+bin+string(os.PathListSeparator)+path, "BELFRY_DATA="+filepath.Join(home, "data"),
			"BELFRY_LISTEN=127.0.0.1:0", "BELFRY_SIM_LISTEN=127.0.0.1:0"),
	}
}

// found takes the ports of a server for those that the page names, from its greeting, and the key
// that it has shown.
func (r *reader) found(greeting, key string) {
	at := regexp.MustCompile(`(?m)^ +(?:API|FCM +the simulator at) .*?http://(127\.0\.0\.1:\d+)`).FindAllStringSubmatch(greeting, -1)
	if len(at) == 2 {
		r.ports = strings.NewReplacer("127.0.0.1:8080", at[0][1], "127.0.0.1:8090", at[1][1], "blf_live_…", key)
		r.env = append(r.env, "BELFRY_API=http://"+at[0][1])
		if key != "" { // for what does not run in the shell that exports it
			r.env = append(r.env, "BELFRY_API_KEY="+key)
		}
	}
}

// firstKey returns the key that a first start shows on standard error, if the greeting says that
// one is needed.
func firstKey(t *testing.T, greeting string, said *notes) string {
	t.Helper()
	if !strings.Contains(greeting, "callers must send an API key") {
		return ""
	}
	limit := time.NewTimer(time.Minute)
	defer limit.Stop()
	select {
	case key := <-said.keys:
		return key
	case <-limit.C:
		t.Fatalf("it asks for a key, and shows none:\n%s", said)
	}
	return ""
}

// notes is what a program says on standard error.
type notes struct {
	keys chan string // the first key, when it was shown

	mu   sync.Mutex
	text strings.Builder
}

func (n *notes) Write(b []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	_, _ = n.text.Write(b)
	if shown := regexp.MustCompile(`(?m)^  export BELFRY_API_KEY=(blf_\w+)$`).FindStringSubmatch(n.text.String()); shown != nil {
		select {
		case n.keys <- shown[1]:
		default: // told already
		}
	}
	return len(b), nil
}

func (n *notes) String() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.text.String()
}

func (r *reader) command(t *testing.T, dir string, b block) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", r.ports.Replace(b.text))
	cmd.Dir, cmd.Env = dir, r.env
	// A shell's children end with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	return cmd
}

func (r *reader) run(t *testing.T, dir string, b block) string {
	t.Helper()
	out, err := r.command(t, dir, b).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s\n%s", b.at, err, b.text, out)
	}
	return string(out)
}

// serve runs a block that serves until it has said that it is up, and where, and
// returns what ends it.
func (r *reader) serve(t *testing.T, b block) (stop func()) {
	t.Helper()
	cmd := r.command(t, r.home, b)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	log := &notes{keys: make(chan string, 1)}
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	up := make(chan string, 2) // the greeting, then "" when it ends
	go func() {
		var greeting strings.Builder
		for lines := bufio.NewScanner(out); lines.Scan(); {
			_, _ = greeting.WriteString(lines.Text() + "\n")
			if strings.HasPrefix(lines.Text(), "Documentation: ") && strings.Contains(greeting.String(), " is up.") {
				up <- greeting.String()
			}
		}
		up <- ""
	}()
	stop = func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
		_ = cmd.Wait()
	}
	limit := time.NewTimer(time.Minute)
	defer limit.Stop()
	select {
	case greeting := <-up:
		if greeting != "" {
			r.found(greeting, firstKey(t, greeting, log))
			return stop
		}
	case <-limit.C:
	}
	stop()
	t.Fatalf("%s: it is not up:\n%s\n%s", b.at, b.text, log.String())
	return nil
}

// inOneShell runs blocks one after the other: later ones use variables of earlier
// ones. A reader takes his time between them.
func (r *reader) inOneShell(t *testing.T, all []block, wants []string) {
	t.Helper()
	const mark = "== "
	var script strings.Builder
	for _, b := range all {
		fmt.Fprintf(&script, "echo; echo '%s%s'\n%s\nsleep 1\n", mark, b.at, b.text)
	}
	out, err := r.command(t, r.home, block{text: script.String()}).CombinedOutput()
	said := string(out)
	t.Log(said)
	if err != nil {
		t.Fatalf("the last block that is named above: %v", err)
	}
	for _, p := range wants {
		if !regexp.MustCompile(p).MatchString(said) {
			t.Errorf("nothing that was printed matches %s", p)
		}
	}
}

// key writes the key file that a page's last block names, of a service
// account that Google does not know: nothing is sent with it.
func (r *reader) key(t *testing.T) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(map[string]string{
		"type": "service_account", "project_id": "readme", "private_key_id": "1",
		"private_key":  string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
		"client_email": "a@readme.iam.gserviceaccount.com", "token_uri": "https://oauth2.googleapis.com/token",
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(r.home, "service-account.json"), raw, 0o600); err != nil {
		t.Fatal(err)
	}
}
