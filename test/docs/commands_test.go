package docs

import (
	"regexp"
	"strings"
	"testing"
)

// TestCommands wants every command of the documents to exist, with its flags.
// What it would do is not tried.
func TestCommands(t *testing.T) {
	t.Parallel()
	for name, least := range map[string]int{"runbooks/dead-letters.md": 20, "batches.md": 4} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			commandsOf(t, name, least)
		})
	}
}

func commandsOf(t *testing.T, name string, least int) {
	t.Helper()
	block := regexp.MustCompile("(?s)```sh\n(.*?)```")
	seen := map[string]bool{}
	for _, m := range block.FindAllStringSubmatch(document(t, name), -1) {
		for line := range strings.Lines(m[1]) {
			line, _, _ = strings.Cut(line, "#")
			line = strings.TrimSpace(line)
			words := strings.Fields(line)
			if len(words) == 0 || seen[line] || words[0] != "dlq-replayer" && words[0] != "belfry" {
				continue
			}
			seen[line] = true
			path, flags := takeApart(words[1:])
			help := string(commands.Output(t, words[0], nil, append(path, "--help")...))
			if !strings.HasPrefix(help, "Usage: "+words[0]+" "+strings.Join(path, " ")) {
				t.Errorf("%s: there is no such command", line)
			}
			for _, flag := range flags {
				if !regexp.MustCompile(`(?m)(^|\s)` + flag + `\b`).MatchString(help) {
					t.Errorf("%s: it has no %s", line, flag)
				}
			}
		}
	}
	if len(seen) < least {
		t.Errorf("%d commands, there were %d and more", len(seen), least)
	}
}

// takeApart splits a command's words into its path and its flags. Arguments,
// written in capitals, and values are neither.
func takeApart(words []string) (path, flags []string) {
	for i, w := range words {
		switch {
		case strings.HasPrefix(w, "-"):
			flags = append(flags, w)
		case len(flags) == 0 && i == len(path) && w == strings.ToLower(w):
			path = append(path, w)
		}
	}
	return path, flags
}
