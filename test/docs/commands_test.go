package docs

import (
	"maps"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	programName = regexp.MustCompile(`(?:^|\s|&& |\| )(?:go run \./cmd/|bin/)?(belfry|dlq-replayer|ingest|dispatcher)((?: [^\s|&;]+)*)`)
	quoted      = regexp.MustCompile(`'[^']*'|"[^"]*"`)
	loneFlag    = regexp.MustCompile(`^--[a-z][a-z-]*`)
	commandWord = regexp.MustCompile(`^[a-z][a-z-]*$`)
)

// TestCommands wants every command of the documents to exist, with its flags:
// those in blocks and those within the text. What it would do is not tried.
func TestCommands(t *testing.T) {
	t.Parallel()
	helps := map[string]string{}
	seen := map[string]bool{}
	for _, p := range pages(t) {
		for _, line := range commandLines(p) {
			if seen[line] {
				continue
			}
			seen[line] = true
			if fault := tryHelp(t, helps, line); fault != "" {
				t.Errorf("%s: %s: %s", p.name, line, fault)
			}
		}
	}
	all := strings.Join(slices.Collect(maps.Values(helps)), "\n")
	for _, p := range pages(t) {
		for _, s := range p.spans() {
			flag := loneFlag.FindString(s)
			if flag != "" && flag != "--endpoint-url" && !hasFlag(all, flag) { // which is the AWS command line's
				t.Errorf("%s: %s: no program has that flag", p.name, s)
			}
		}
	}
	t.Logf("%d commands", len(seen))
	const least = 90
	if len(seen) < least {
		t.Errorf("%d commands, there were %d and more", len(seen), least)
	}
}

// TestRunbooks wants every runbook to have commands under Check, of which TestCommands sees
// ours, and a shell to take each block as it stands.
func TestRunbooks(t *testing.T) {
	t.Parallel()
	books := 0
	for _, p := range pages(t) {
		if !strings.Contains(p.name, "runbooks/") {
			continue
		}
		books++
		if len(commandLines(p)) == 0 {
			t.Errorf("%s has none of our commands", p.name)
		}
		blocks := 0
		for _, block := range fence.FindAllString(p.text, -1) {
			script, ok := strings.CutPrefix(block, "```sh\n")
			if !ok {
				continue
			}
			blocks++
			sh := exec.CommandContext(t.Context(), "sh", "-n")
			sh.Stdin = strings.NewReader(strings.TrimSuffix(strings.TrimSpace(script), "```"))
			if out, err := sh.CombinedOutput(); err != nil {
				t.Errorf("%s: %v: %s%s", p.name, err, out, script)
			}
		}
		if blocks == 0 {
			t.Errorf("%s has no block of commands", p.name)
		}
	}
	const least = 20
	if books < least {
		t.Errorf("%d runbooks, there were %d and more", books, least)
	}
}

// commandLines are the calls of our programs on a page: lines of blocks, what a
// session has behind its prompt, and words in code type.
func commandLines(p page) []string {
	var lines []string
	for _, block := range fence.FindAllString(p.text, -1) {
		if strings.HasPrefix(block, "```text") {
			continue // output, or a synopsis
		}
		for line := range strings.Lines(strings.ReplaceAll(block, "\\\n", " ")) {
			line, _, _ = strings.Cut(line, " #")
			line, console := strings.CutPrefix(strings.TrimSpace(line), "$ ")
			if !console && strings.HasPrefix(block, "```console") {
				continue
			}
			lines = append(lines, line)
		}
	}
	for _, s := range p.spans() {
		if programName.MatchString(s) && strings.Contains(s, " ") {
			lines = append(lines, s)
		}
	}
	var calls []string
	for _, line := range lines {
		line = quoted.ReplaceAllString(line, "TEXT")
		if m := programName.FindStringSubmatch(line); m != nil && !strings.HasPrefix(line, "docs/") {
			calls = append(calls, m[1]+m[2])
		}
	}
	return calls
}

// tryHelp says what is wrong with a command, by its help.
func tryHelp(t *testing.T, helps map[string]string, line string) string {
	t.Helper()
	words := strings.Fields(line)
	path, flags := takeApart(words[1:])
	if len(path) > 0 && path[0] == "help" {
		path = path[1:]
	}
	help := func() string {
		name := strings.Join(append([]string{words[0]}, path...), " ")
		if _, ok := helps[name]; !ok {
			out, _ := commands.Command(t, words[0], nil, append(path, "--help")...).Output()
			helps[name] = string(out)
		}
		if !strings.HasPrefix(helps[name], "Usage: "+name) {
			return ""
		}
		return helps[name]
	}
	said := help()
	for said == "" && len(path) > 1 { // the last word may be an argument
		path = path[:len(path)-1]
		usage, _, _ := strings.Cut(help(), "\n")
		if said = help(); said != "" && !strings.Contains(strings.ReplaceAll(usage, "<command>", ""), "<") {
			return "it takes no argument"
		}
	}
	if said == "" {
		return "there is no such command"
	}
	for _, flag := range flags {
		if !hasFlag(said, flag) {
			return "it has no " + flag
		}
	}
	return ""
}

// hasFlag reports whether a help has a flag.
func hasFlag(help, flag string) bool {
	return regexp.MustCompile(`(?m)(^|[\s,])` + strings.Replace(flag, "--", `--(\[no-\])?`, 1) + `\b`).MatchString(help)
}

// takeApart splits a command's words into its path and its flags. Arguments,
// written in capitals, and values are neither.
func takeApart(words []string) (path, flags []string) {
	for i, w := range words {
		switch {
		case strings.HasPrefix(w, "-") && w != "-":
			flag, _, _ := strings.Cut(strings.Trim(w, "`,."), "=")
			flags = append(flags, flag)
		case len(flags) == 0 && i == len(path) && commandWord.MatchString(w):
			path = append(path, w)
		}
	}
	return path, flags
}
