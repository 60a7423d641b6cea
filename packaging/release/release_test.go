package main

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestArchive wants the same bytes of the same files, whatever their times, owners and order are, and what was put in.
func TestArchive(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	when := time.Date(2026, 12, 1, 10, 0, 0, 123, time.UTC)
	names := []string{"bin/belfry", "share/man/man1/belfry.1", "LICENSE"}
	pack := func(to string, touched time.Time, order []int) string {
		var files []file
		for _, i := range order {
			from := filepath.Join(dir, to, names[i])
			if err := put(from, []byte("the content of "+names[i])); err != nil {
				t.Fatal(err)
			}
			if err := os.Chtimes(from, touched, touched); err != nil {
				t.Fatal(err)
			}
			mode := int64(fileMode)
			if strings.HasPrefix(names[i], "bin/") {
				mode = programMode
			}
			files = append(files, file{names[i], from, mode})
		}
		path := filepath.Join(dir, to+".tar.gz")
		if err := writeArchive(path, "belfry_1.2.3", files, when); err != nil {
			t.Fatal(err)
		}
		sum, err := checksum(path)
		if err != nil {
			t.Fatal(err)
		}
		return sum
	}
	first, second := pack("a", when.Add(time.Hour), []int{0, 1, 2}), pack("b", when.Add(-time.Hour), []int{2, 0, 1})
	if first != second {
		t.Errorf("two archives of the same files differ: %s, %s", first, second)
	}
	f, err := os.Open(filepath.Join(dir, "a.tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	zip, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for r := tar.NewReader(zip); ; found++ {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		name, inside := strings.CutPrefix(h.Name, "belfry_1.2.3/")
		if err != nil || !inside || string(text) != "the content of "+name || !h.ModTime.Equal(when.Truncate(time.Second)) || h.Uid != 0 {
			t.Errorf("%+v %q, %v", h, text, err)
		}
		if program := h.Mode&0o111 != 0; program != strings.HasPrefix(name, "bin/") {
			t.Errorf("%s has mode %o", name, h.Mode)
		}
	}
	if found != len(names) {
		t.Errorf("%d files, want %d", found, len(names))
	}
}

// TestVersions wants the version of a tag, and one of Go's where there is none; a changed tree says so.
func TestVersions(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	git := func(args ...string) {
		t.Helper()
		who := []string{"-C", dir, "-c", "user.name=a", "-c", "user.email=a@example.com"}
		cmd := exec.CommandContext(t.Context(), "git", append(who, args...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	identify := func(version string) (release, error) {
		r := release{source: dir, version: version}
		err := r.identify(t.Context())
		return r, err
	}
	git("init", "-q")
	git("commit", "-q", "--allow-empty", "-m", "first", "--date", "2026-12-01T10:00:00Z")
	r, err := identify("")
	if err != nil || !regexp.MustCompile(`^v0\.0\.0-\d{14}-[0-9a-f]{12}$`).MatchString(r.version) || strings.Contains(r.revision, "dirty") {
		t.Errorf("without a tag: %+v, %v", r, err)
	}
	git("tag", "not-a-version")
	git("tag", "v1.2.3")
	if r, err := identify(""); err != nil || r.version != "v1.2.3" || r.number() != "1.2.3" {
		t.Errorf("with a tag: %+v, %v", r, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "new.go"), nil, fileMode); err != nil {
		t.Fatal(err)
	}
	if r, err := identify(""); err != nil || !strings.HasSuffix(r.revision, "-dirty") {
		t.Errorf("a changed tree: %+v, %v", r, err)
	}
	for _, bad := range []string{"1.2.3", "v1.2", "v1.2.3 -X main.x=y", "vlatest"} {
		if r, err := identify(bad); err == nil {
			t.Errorf("%q is taken as %q", bad, r.version)
		}
	}
}

// TestFormula wants the archives that there are, each with its own checksum, and no place that was not filled in.
func TestFormula(t *testing.T) {
	t.Parallel()
	r := release{source: filepath.Join("..", ".."), out: t.TempDir(), version: "v1.2.3"}
	archives := digests{
		"belfry_1.2.3_darwin_arm64.tar.gz": strings.Repeat("a", 64), "belfry_1.2.3_darwin_amd64.tar.gz": strings.Repeat("b", 64),
		"belfry_1.2.3_linux_arm64.tar.gz": strings.Repeat("c", 64), "belfry_1.2.3_linux_amd64.tar.gz": strings.Repeat("d", 64),
	}
	if err := r.formula(archives); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(r.out, "belfry.rb"))
	if err != nil {
		t.Fatal(err)
	}
	for name, sum := range archives {
		if !strings.Contains(string(text), "/v1.2.3/"+name+"\"\n      sha256 \""+sum+`"`) {
			t.Errorf("%s and its checksum are not in\n%s", name, text)
		}
	}
	if strings.Contains(string(text), "{{") || strings.Contains(string(text), "<no value>") || strings.Contains(string(text), "SHA") {
		t.Errorf("not filled in:\n%s", text)
	}
	if ruby, err := exec.LookPath("ruby"); err == nil {
		if out, err := exec.CommandContext(t.Context(), ruby, "-c", filepath.Join(r.out, "belfry.rb")).CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	}
}

// TestPages wants a manual page of each program, which man takes without a warning, and completions that a shell takes.
func TestPages(t *testing.T) {
	t.Parallel()
	share := t.TempDir()
	r := release{version: "v1.2.3", when: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)}
	if err := writePages(share, &r); err != nil {
		t.Fatal(err)
	}
	for name, wants := range map[string][]string{
		"man1/belfry.1":            {"NAME", "BELFRY_SANDBOX", "belfry up", "1.2.3"},
		"man1/dlq-replayer.1":      {"dlq-replayer drain", "--watch"},
		"man8/belfry-ingest.8":     {"BELFRY_LISTEN", "--late-after"},
		"man8/belfry-dispatcher.8": {"BELFRY_FCM_CREDENTIALS"},
	} {
		path := filepath.Join(share, "man", filepath.FromSlash(name))
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		shown := string(text)
		if man, err := exec.LookPath("man"); err == nil {
			cmd := exec.CommandContext(t.Context(), man, "--warnings", "-E", "UTF-8", "-l", path)
			cmd.Env = append(cmd.Environ(), "MANWIDTH=120", "MAN_KEEP_FORMATTING=", "LC_ALL=C.UTF-8")
			var said strings.Builder
			cmd.Stderr = &said
			out, err := cmd.Output()
			if err != nil || said.Len() > 0 {
				t.Errorf("man %s: %v: %.600s", name, err, said.String())
			}
			shown = string(out)
		} else {
			shown = strings.ReplaceAll(shown, `\-`, "-")
		}
		for _, want := range wants {
			if !strings.Contains(shown, want) {
				t.Errorf("%s does not say %s", name, want)
			}
		}
	}
	for shell, script := range map[string]string{
		"bash": "bash-completion/completions/belfry",
		"zsh":  "zsh/vendor-completions/_dlq-replayer", "fish": "fish/vendor_completions.d/belfry.fish",
	} {
		text, err := os.ReadFile(filepath.Join(share, filepath.FromSlash(script)))
		if err != nil || len(text) < 1000 {
			t.Errorf("%s: %d bytes, %v", script, len(text), err)
		}
		if path, err := exec.LookPath(shell); err == nil {
			if out, err := exec.CommandContext(t.Context(), path, "-n", filepath.Join(share, script)).CombinedOutput(); err != nil {
				t.Errorf("%s -n %s: %v: %s", shell, script, err, out)
			}
		}
	}
}
