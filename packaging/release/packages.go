package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"text/template"
)

// packages makes the packages of Debian and Red Hat for a processor, as packaging/nfpm.yaml says.
func (r *release) packages(ctx context.Context, arch string) error {
	source, err := filepath.Abs(r.source)
	if err != nil {
		return fmt.Errorf("packages: %w", err)
	}
	out, err := filepath.Abs(r.out)
	if err != nil {
		return fmt.Errorf("packages: %w", err)
	}
	text, err := os.ReadFile(filepath.Join(source, "packaging", "nfpm.yaml")) //nolint:gosec // the caller's checkout
	if err != nil {
		return fmt.Errorf("packages: %w", err)
	}
	values := map[string]string{
		"ARCH": arch, "VERSION": r.version, "MTIME": r.when.Format("2006-01-02T15:04:05Z07:00"),
		"PACKAGING": filepath.Join(source, "packaging"), "SOURCE": source,
		"BIN": filepath.Join(out, "stage", "linux_"+arch, "bin"), "SHARE": filepath.Join(out, "stage", "share"),
	}
	filled := filepath.Join(out, "stage", "nfpm_"+arch+".yaml")
	content := os.Expand(string(text), func(name string) string { return values[name] })
	if err := os.WriteFile(filled, []byte(content), fileMode); err != nil { //nolint:gosec // the caller's folder
		return fmt.Errorf("packages: %w", err)
	}
	for _, kind := range []string{"deb", "rpm"} {
		to := filepath.Join(out, fmt.Sprintf("belfry_%s_linux_%s.%s", r.number(), arch, kind))
		cmd := exec.CommandContext(ctx, r.nfpm, "package", //nolint:gosec // the caller's tool
			"--config", filled, "--packager", kind, "--target", to)
		cmd.Env = append(cmd.Environ(), "SOURCE_DATE_EPOCH="+strconv.FormatInt(r.when.Unix(), 10))
		if said, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("nfpm, %s for %s: %w\n%s", kind, arch, err, said)
		}
	}
	return nil
}

// formula writes the Homebrew formula, which names the archives and their checksums.
func (r *release) formula(archives digests) error {
	text, err := os.ReadFile(filepath.Join(r.source, "packaging", "belfry.rb"))
	if err != nil {
		return fmt.Errorf("the formula: %w", err)
	}
	made, err := template.New("formula").Funcs(template.FuncMap{
		"list": func(items ...string) []string { return items },
		"pair": func(s string) []string { return strings.SplitN(s, ":", 2) }, //nolint:mnd // two
		"sum": func(platform string) (string, error) {
			sum, ok := archives[fmt.Sprintf("belfry_%s_%s.tar.gz", r.number(), platform)]
			if !ok {
				return "", fmt.Errorf("there is no archive for %s", platform)
			}
			return sum, nil
		},
		"has": func(platform string) bool {
			_, ok := archives[fmt.Sprintf("belfry_%s_%s.tar.gz", r.number(), platform)]
			return ok
		},
	}).Parse(string(text))
	if err != nil {
		return fmt.Errorf("the formula: %w", err)
	}
	var b bytes.Buffer
	if err := made.Execute(&b, map[string]string{"Version": r.number(), "Tag": r.version}); err != nil {
		return fmt.Errorf("the formula: %w", err)
	}
	return put(filepath.Join(r.out, "belfry.rb"), b.Bytes())
}

// settleMaterials gives the bill of materials the time of the commit in the place of that of the moment, and leaves out what
// differs between machines.
func (r *release) settleMaterials(path string) error {
	text, err := os.ReadFile(path) //nolint:gosec // what was just made
	if err != nil {
		return fmt.Errorf("the bill of materials: %w", err)
	}
	var bill map[string]any
	if err := json.Unmarshal(text, &bill); err != nil {
		return fmt.Errorf("the bill of materials: %w", err)
	}
	about, _ := bill["metadata"].(map[string]any)
	if about == nil {
		return fmt.Errorf("the bill of materials says not what it is about: %s", strings.TrimSpace(string(text[:min(len(text), 200)])))
	}
	about["timestamp"] = r.when.Format("2006-01-02T15:04:05Z07:00")
	tools, _ := about["tools"].([]any)
	for _, tool := range tools {
		if named, ok := tool.(map[string]any); ok {
			delete(named, "hashes") // of the tool's own binary, which each machine builds
		}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(bill); err != nil {
		return fmt.Errorf("the bill of materials: %w", err)
	}
	return os.WriteFile(path, b.Bytes(), fileMode)
}
