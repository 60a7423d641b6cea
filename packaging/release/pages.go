package main

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/cpuguy83/go-md2man/v2/md2man"
	"golang.org/x/crypto/x509roots/fallback/bundle"

	"github.com/belfry-push/belfry/internal/cli/belfry"
	"github.com/belfry-push/belfry/internal/cli/command"
	"github.com/belfry-push/belfry/internal/cli/replayer"
	"github.com/belfry-push/belfry/internal/config"
)

// writePages writes the manual pages and the completions into a folder that has the form of /usr/share. Both come from the
// programs' own grammar, as --help and docs/cli do.
func writePages(share string, r *release) error {
	service := func(name, about string, settings any) func(io.Writer) error {
		return command.Program{Name: name, About: about, Grammar: settings, Env: config.Environment()}.Reference
	}
	references := map[string]func(io.Writer) error{
		"belfry.1": belfry.Reference, "dlq-replayer.1": replayer.Reference,
		"ingest.8":     service("ingest", config.AboutIngest, &config.Ingest{}),
		"dispatcher.8": service("dispatcher", config.AboutDispatcher, &config.Dispatcher{}),
	}
	for _, name := range sortedKeys(references) {
		var page bytes.Buffer
		if err := references[name](&page); err != nil {
			return fmt.Errorf("the manual page %s: %w", name, err)
		}
		program, section, _ := strings.Cut(name, ".")
		path := filepath.Join(share, "man", "man"+section, systemName(program)+"."+section)
		if err := put(path, manual(program, section, page.String(), r)); err != nil {
			return err
		}
	}
	mains := map[string]func([]string, io.Writer, io.Writer, io.Reader) int{
		"belfry": func(args []string, out, errs io.Writer, in io.Reader) int {
			return belfry.Main(args, out, errs, in, nil)
		},
		"dlq-replayer": replayer.Main,
	}
	for program, main := range mains {
		for shell, path := range map[string]string{
			"bash": "bash-completion/completions/" + program, "zsh": "zsh/vendor-completions/_" + program,
			"fish": "fish/vendor_completions.d/" + program + ".fish",
		} {
			var script, said bytes.Buffer
			if code := main([]string{"completion", shell}, &script, &said, strings.NewReader("")); code != 0 {
				return fmt.Errorf("%s completion %s: %s", program, shell, &said)
			}
			if err := put(filepath.Join(share, filepath.FromSlash(path)), script.Bytes()); err != nil {
				return err
			}
		}
	}
	return nil
}

// systemName is how a program is called where it stands beside those of others. Services have a name that says whose they are.
func systemName(program string) string {
	if program == "ingest" || program == "dispatcher" {
		return "belfry-" + program
	}
	return program
}

var (
	innerLink = regexp.MustCompile(`\[([^\]]+)\]\(#[^)]*\)`)
	title     = regexp.MustCompile(`^# .*\n+`)
)

// manual makes a manual page of a reference in Markdown.
func manual(program, section, reference string, r *release) []byte {
	name := systemName(program)
	body := title.ReplaceAllString(innerLink.ReplaceAllString(reference, "$1"), "")
	summary, rest, _ := strings.Cut(listed(body), "\n\n")
	summary = strings.Join(strings.Fields(summary), " ")
	page := fmt.Sprintf("%% %q %q %q \"Belfry %s\" \"Belfry\"\n\n# NAME\n%s \\- %s\n\n# DESCRIPTION\n%s",
		strings.ToUpper(name), section, r.when.Format("January 2006"), r.number(), name, strings.TrimSuffix(summary, "."), rest)
	made := md2man.Render([]byte(page))
	return bytes.Replace(made, []byte("\n\n.SH"), []byte("\n.nh\n.SH"), 1) // names of variables are not broken
}

// listed makes a list of each table, a term and what it means, for tables are too wide for a manual page.
func listed(markdown string) string {
	var b strings.Builder
	row := 0
	for line := range strings.Lines(markdown) {
		if !strings.HasPrefix(line, "| ") {
			if !strings.HasPrefix(line, "|-") {
				row = 0
				b.WriteString(line)
			}
			continue
		}
		cells := cellEnd.Split(strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(line), "| "), " |"), -1)
		if row++; row == 1 {
			continue // the heads of the columns
		}
		term, meaning := cells[0], cells[len(cells)-1]
		if len(cells) > 2 && strings.TrimSpace(cells[1]) != "" { //nolint:mnd // a flag, its default, its meaning
			meaning += " Default: " + strings.TrimSpace(cells[1]) + "."
		}
		fmt.Fprintf(&b, "%s\n: %s\n\n", strings.TrimSpace(term), strings.ReplaceAll(strings.TrimSpace(meaning), `\|`, "|"))
	}
	return b.String()
}

// cellEnd is between two cells of a table.
var cellEnd = regexp.MustCompile(` \| ?`)

// writeImageRoot writes what the image has beside the programs: the certificates of the authorities that Mozilla trusts, which
// come from a module of Go's own and so are the same on every machine, the time zones that come with Go, and a user that is not root.
func writeImageRoot(ctx context.Context, root string) error {
	var roots bytes.Buffer
	for c := range bundle.Roots() {
		if err := pem.Encode(&roots, &pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate}); err != nil {
			return fmt.Errorf("the certificates: %w", err)
		}
	}
	home, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return fmt.Errorf("where Go is: %w", withStderr(err))
	}
	zones, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(home)), "lib", "time", "zoneinfo.zip"))
	if err != nil {
		return fmt.Errorf("the time zones that come with Go: %w", err)
	}
	return errors.Join(
		put(filepath.Join(root, "usr", "share", "zoneinfo.zip"), zones),
		put(filepath.Join(root, "etc", "ssl", "certs", "ca-certificates.crt"), roots.Bytes()),
		put(filepath.Join(root, "etc", "passwd"), []byte("belfry:x:65532:65532:Belfry:/data:/sbin/nologin\n")),
		put(filepath.Join(root, "etc", "group"), []byte("belfry:x:65532:\n")),
	)
}

func put(path string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), dirMode); err != nil {
		return fmt.Errorf("the folder of %s: %w", filepath.Base(path), err)
	}
	if err := os.WriteFile(path, content, fileMode); err != nil { //nolint:gosec // the caller's folder
		return fmt.Errorf("write %s: %w", filepath.Base(path), err)
	}
	return nil
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
