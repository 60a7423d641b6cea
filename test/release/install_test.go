//go:build unix

package release

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// root is the checkout.
const root = "../.."

// programs are what install.sh installs.
func programs() []string { return []string{"belfry", "dispatcher", "dlq-replayer", "ingest"} }

// published is a release as a server has it.
type published struct {
	archive, sums []byte
	cut           bool // the archive ends too early, as when a connection breaks
}

// pack makes the archive of a release whose programs say their name and the version.
func pack(t *testing.T, version, platform string, names ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	zip := gzip.NewWriter(&b)
	w := tar.NewWriter(zip)
	add := func(name, text string, mode int64) {
		name = fmt.Sprintf("belfry_%s_%s/%s", version, platform, name)
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode, Size: int64(len(text))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range names {
		add("bin/"+name, "#!/bin/sh\necho "+name+" "+version+"\n", 0o755)
	}
	add("share/man/man1/belfry.1", ".TH BELFRY 1\n"+strings.Repeat("text\n", 20_000), 0o644)
	add("share/bash-completion/completions/belfry", "# completion\n", 0o644)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func sumLine(archive []byte, name string) string {
	sum := sha256.Sum256(archive)
	return hex.EncodeToString(sum[:]) + "  " + name + "\n"
}

// serve publishes version 1.2.3 for linux/amd64 and darwin/arm64, the latest, as change makes it. It returns the address of the
// releases. Only what is for Linux is changed.
func serve(t *testing.T, change func(*published)) string {
	t.Helper()
	all := http.NewServeMux()
	var sums string
	archives := map[string]*published{}
	for _, platform := range []string{"linux_amd64", "darwin_arm64"} {
		p := &published{archive: pack(t, "1.2.3", platform, programs()...)}
		name := "belfry_1.2.3_" + platform + ".tar.gz"
		p.sums = []byte(sumLine(p.archive, name))
		if change != nil && platform == "linux_amd64" {
			change(p)
		}
		sums += string(p.sums)
		archives[name] = p
	}
	sums += sumLine([]byte("a package"), "belfry_1.2.3_linux_amd64.deb")
	write := func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(sums)) }
	all.HandleFunc("/latest/download/SHA256SUMS", write)
	all.HandleFunc("/download/v1.2.3/SHA256SUMS", write)
	all.HandleFunc("/download/v1.2.3/{name}", func(w http.ResponseWriter, r *http.Request) {
		p, ok := archives[r.PathValue("name")]
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(p.archive)))
		if p.cut {
			_, _ = w.Write(p.archive[:len(p.archive)/2])
			return // the server closes the connection
		}
		_, _ = w.Write(p.archive)
	})
	server := httptest.NewServer(all)
	t.Cleanup(server.Close)
	return server.URL
}

// machine is where install.sh runs.
type machine struct {
	system, processor string
	only              []string // the tools on its PATH beside those that every system has; nil is all
}

// install runs a script as somebody on that machine, and returns what it said.
func install(t *testing.T, m machine, script, releases, prefix string, args ...string) (said string, err error) {
	t.Helper()
	tools := t.TempDir()
	uname := fmt.Sprintf("#!/bin/sh\ncase $1 in -s) echo %s ;; -m) echo %s ;; esac\n", m.system, m.processor)
	if err := os.WriteFile(filepath.Join(tools, "uname"), []byte(uname), 0o755); err != nil {
		t.Fatal(err)
	}
	path := tools + ":" + os.Getenv("PATH") //nolint:forbidigo // the machine's tools
	if m.only != nil {
		basic := []string{
			"sh", "id", "mktemp", "rm", "grep", "wc", "tar", "gzip", "mkdir", "cp", "chmod", "mv", "cut",
		}
		for _, tool := range append(basic, m.only...) {
			at, err := exec.LookPath(tool)
			if err != nil {
				t.Skipf("there is no %s on this machine", tool)
			}
			if err := os.Symlink(at, filepath.Join(tools, tool)); err != nil {
				t.Fatal(err)
			}
		}
		path = tools
	}
	const patience = time.Minute
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", append([]string{script, "--prefix", prefix}, args...)...)
	cmd.Env = []string{"PATH=" + path, "HOME=" + t.TempDir(), "BELFRY_RELEASES=" + releases, "TMPDIR=" + t.TempDir()}
	out, err := cmd.CombinedOutput()
	left, _ := filepath.Glob(filepath.Join(cmd.Env[3][len("TMPDIR="):], "*"))
	if len(left) > 0 {
		t.Errorf("it left %v behind", left)
	}
	return string(out), err
}

// files are those below a folder.
func files(t *testing.T, dir string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, strings.TrimPrefix(path, dir+"/"))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

const script = root + "/packaging/install.sh"

// TestInstall installs, installs over what runs, and removes.
func TestInstall(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		m    machine
		args []string
	}{
		"linux":         {machine{"Linux", "x86_64", nil}, nil},
		"macOS":         {machine{"Darwin", "arm64", nil}, nil},
		"one version":   {machine{"Linux", "amd64", nil}, []string{"--version", "v1.2.3"}},
		"curl, openssl": {machine{"Linux", "x86_64", []string{"curl", "openssl"}}, []string{"--version", "1.2.3"}},
		"wget, shasum":  {machine{"Darwin", "aarch64", []string{"wget", "shasum", "perl"}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			releases, prefix := serve(t, nil), filepath.Join(t.TempDir(), "with a blank")
			for range 2 {
				if said, err := install(t, c.m, script, releases, prefix, c.args...); err != nil || !strings.Contains(said, "Belfry 1.2.3 is in") {
					t.Fatalf("%v: %s", err, said)
				}
			}
			for _, program := range programs() {
				out, err := exec.CommandContext(t.Context(), filepath.Join(prefix, "bin", program)).Output()
				if err != nil || string(out) != program+" 1.2.3\n" {
					t.Errorf("%s: %q, %v", program, out, err)
				}
			}
			const all = 6
			if found := files(t, prefix); len(found) != all {
				t.Errorf("installed: %v", found)
			}
			if said, err := install(t, c.m, script, "http://127.0.0.1:1", prefix, "--uninstall"); err != nil || len(files(t, prefix)) > 0 {
				t.Errorf("removed: %v, %v left: %s", err, files(t, prefix), said)
			}
		})
	}
}

// TestInstallRefuses wants nothing to be changed by what is not whole, not what was released, or not for this machine.
func TestInstallRefuses(t *testing.T) {
	t.Parallel()
	linux := machine{system: "Linux", processor: "x86_64"}
	text, err := os.ReadFile(script)
	if err != nil {
		t.Fatal(err)
	}
	half := filepath.Join(t.TempDir(), "half.sh")
	if err := os.WriteFile(half, text[:len(text)-len("main \"$@\"\n")], 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		m      machine
		change func(*published)
		script string
		args   []string
		want   string // in what it says; "" only that nothing is installed
	}{
		"another archive than released": {m: linux, change: func(p *published) {
			p.archive = pack(t, "1.2.3", "linux_amd64", append(programs(), "more")...)
		}, want: "is not what was released"},
		"a flipped bit": {m: linux, change: func(p *published) { p.archive[len(p.archive)/2] ^= 1 }, want: "is not what was released"},
		"half of it":    {m: linux, change: func(p *published) { p.cut = true }, want: "could not fetch"},
		"half of it, without curl": {m: machine{"Linux", "x86_64", []string{"wget", "sha256sum"}}, change: func(p *published) {
			p.cut = true
		}, want: "could not fetch"},
		"a program is missing": {m: linux, change: func(p *published) {
			p.archive = pack(t, "1.2.3", "linux_amd64", programs()[1:]...)
			p.sums = []byte(sumLine(p.archive, "belfry_1.2.3_linux_amd64.tar.gz"))
		}, want: "has no program belfry"},
		"no checksum": {m: linux, change: func(p *published) { p.sums = nil }, want: "no archive for linux/amd64"},
		"two checksums": {m: linux, want: "more than one archive", change: func(p *published) {
			p.sums = append(p.sums, p.sums...)
		}},
		"FreeBSD":                              {m: machine{system: "FreeBSD", processor: "amd64"}, want: "no build for FreeBSD"},
		"a Raspberry Pi":                       {m: machine{system: "Linux", processor: "armv7l"}, want: "no build for the processor armv7l"},
		"not built":                            {m: machine{system: "Linux", processor: "aarch64"}, want: "no archive for linux/arm64"},
		"no such version":                      {m: linux, args: []string{"--version", "v9.9.9"}, want: "could not fetch"},
		"a wrong flag":                         {m: linux, args: []string{"--prefx", "x"}, want: "usage: install.sh"},
		"no value":                             {m: linux, args: []string{"--version"}, want: "needs a value"},
		"no checksum tool":                     {m: machine{"Linux", "x86_64", []string{"curl"}}, want: "needs sha256sum"},
		"a script that was cut off on its way": {m: linux, script: half},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			prefix := t.TempDir()
			run := script
			if c.script != "" {
				run = c.script
			}
			said, err := install(t, c.m, run, serve(t, c.change), prefix, c.args...)
			if c.want != "" && (err == nil || !strings.Contains(said, c.want)) {
				t.Errorf("%v: it says not %q: %s", err, c.want, said)
			}
			if found := files(t, prefix); len(found) > 0 {
				t.Errorf("it installed %v: %s", found, said)
			}
		})
	}
}
