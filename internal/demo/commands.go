package demo

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strings"

	"github.com/belfry-push/belfry/internal/app/operations"
	"github.com/belfry-push/belfry/internal/cli/belfry"
)

// expect is how a command must end.
type expect struct {
	code int
	says string // in what it prints
}

// fault says what differs from it, nil if nothing does.
func (e expect) fault(command string, code int, text string) error {
	switch {
	case code != e.code:
		return fmt.Errorf("%s: ended with %d, not %d", command, code, e.code)
	case !strings.Contains(text, e.says):
		return fmt.Errorf("%s: printed nothing of %q", command, e.says)
	}
	return nil
}

// belfry shows a command of belfry: as it is typed, and what it prints.
func (n *night) belfry(ctx context.Context, want expect, args ...string) (text string, err error) {
	var out bytes.Buffer
	typed := []string{"belfry"}
	for _, a := range args {
		typed = append(typed, quoted(a))
	}
	command := strings.Join(typed, " ")
	n.say("$ %s", command)
	env := func(name string) (value string, ok bool) {
		value, ok = n.env[name]
		return value, ok
	}
	code := belfry.Run(ctx, args, env, &out, n.width, operations.Operations{})
	n.printed(out.String(), code)
	return out.String(), want.fault(command, code, out.String())
}

// shell shows a command that needs a shell and other programs. Where one of them is missing it is left out.
func (n *night) shell(ctx context.Context, says, command string) error {
	for part := range strings.SplitSeq("sh -c | "+command, " | ") {
		program, _, _ := strings.Cut(part, " ")
		if _, err := exec.LookPath(program); err != nil {
			n.leftOut(program, command)
			return nil
		}
	}
	n.say("$ %s", command)
	cmd := exec.CommandContext(ctx, "sh", "-c", command) //nolint:gosec // of our own runbook
	cmd.Dir = n.dir
	text, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		return fmt.Errorf("%s: %w", command, err)
	}
	n.printed(string(text), cmd.ProcessState.ExitCode())
	return expect{says: says}.fault(command, cmd.ProcessState.ExitCode(), string(text))
}

// leftOut says that a command cannot be run here, and the remedy.
func (n *night) leftOut(program, command string) {
	remedy := "install it,"
	if program == promtool {
		remedy = "install Prometheus, which has it\n(Debian: apt install prometheus),"
	}
	missing := fmt.Sprintf("there is no %s on this machine: %s and run this again.", program, remedy)
	n.note("Not run: %s\n%s", command, missing)
	if !slices.Contains(n.missing, missing) {
		n.missing = append(n.missing, missing)
	}
}

// printed shows what a command has printed.
func (n *night) printed(text string, code int) {
	if text = strings.TrimRight(text, "\n"); text != "" {
		n.say("%s", text)
	}
	if code != 0 {
		n.say("(exit code %d)", code)
	}
}

var plain = regexp.MustCompile(`^[\w./:=-]+$`)

// quoted is an argument as it is typed.
func quoted(arg string) string {
	if plain.MatchString(arg) {
		return arg
	}
	return "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
}
