package command

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/cli/clitest"
	"github.com/belfry-push/belfry/internal/cli/display"
	"github.com/belfry-push/belfry/internal/config"
	"github.com/belfry-push/belfry/internal/push"
)

func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "toll" { // the shell's test runs this binary as the program
		os.Exit(program().Main(os.Args[1:], display.NewConsole(config.Environment(), os.Stdin, os.Stdout, os.Stderr)))
	}
	goleak.VerifyTestMain(m)
}

// grammar has a command of every kind.
type grammar struct {
	Batch struct {
		List  listCmd  `cmd:"" help:"List them."`
		Start startCmd `cmd:"" help:"Start one."`
	} `cmd:"" help:"Work on batches."`
	Connection topicCmd `cmd:"" hidden:"" topic:"" group:"other" help:"How to reach it."`

	Common
}

type listCmd struct {
	Server config.Remote  `embed:""`
	Code   push.Code      `help:"Only this code."`
	Class  client.Class   `help:"Only this class."`
	Output display.Output `embed:""`
}

func (c *listCmd) Run(con *display.Console) error {
	_, err := con.Out.Write([]byte(c.Code.String() + " " + string(c.Class) + "\n"))
	return err
}

type startCmd struct {
	ID   string `arg:"" help:"Batch."`
	File string `arg:"" help:"A file."`
}

func (startCmd) Run() error { return nil }

type topicCmd struct{ config.Remote }

func (topicCmd) Help() string { return "The key is read from BELFRY_API_KEY." }
func (topicCmd) Run() error   { return nil }

func program() Program {
	return Program{Name: "toll", About: "It rings.", Grammar: &grammar{}, Env: func(string) (string, bool) { return "", false }}
}

func toll(t *testing.T, args ...string) clitest.Result {
	t.Helper()
	var out, errs bytes.Buffer
	code := program().Run(t.Context(), args, &display.Console{In: strings.NewReader(""), Out: &out, Err: &errs})
	return clitest.Result{Code: code, Out: out.String(), Err: errs.String()}
}

func TestHelp(t *testing.T) {
	t.Parallel()
	for args, same := range map[string]string{
		"help": "--help", "help batch": "batch --help", "help batch list": "batch list --help",
	} {
		a, b := toll(t, strings.Fields(args)...), toll(t, strings.Fields(same)...)
		a.Expect(t, display.ExitOK)
		if a.Out != b.Out || a.Out == "" {
			t.Errorf("%s: %s\nand %s: %s", args, a.Out, same, b.Out)
		}
	}
	list := toll(t, "help", "batch", "list")
	list.Expect(t, display.ExitOK, "--code=CODE", "--class=CLASS", "-o, --output=FORMAT",
		"Connection, see toll help connection:\n  --api, --api-key\n")
	if strings.Contains(list.Out, "--color") || strings.Contains(list.Out, "--api=URL") {
		t.Errorf("what all commands have is told again:\n%s", list.Out)
	}
	topic := toll(t, "help", "connection")
	topic.Expect(t, display.ExitOK, "How to reach it.", "--api=URL", "[$BELFRY_API]", "The key is read from BELFRY_API_KEY.")
	if strings.Contains(topic.Out, "Usage:") {
		t.Errorf("a topic is no command:\n%s", topic.Out)
	}
	toll(t).Expect(t, display.ExitUsage, "Usage: toll <command>")
	toll(t, "help", "bach").Expect(t, display.ExitUsage, "unexpected argument bach, did you mean toll batch?")
}

func TestVersion(t *testing.T) {
	t.Parallel()
	toll(t, "--version").Expect(t, display.ExitOK, "toll devel (revision ")
	toll(t, "version").Expect(t, display.ExitOK, "toll devel (revision ")
	var got struct{ Program, Version, Go, Revision string }
	r := toll(t, "version", "-o", "json")
	if err := json.Unmarshal([]byte(r.Out), &got); err != nil || got.Program != "toll" || got.Version != "devel" || got.Go == "" {
		t.Errorf("%+v (%v): %s", got, err, r.Out)
	}
}

// A command that does not exist leads to the one that was meant.
func TestUnknownCommands(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"list":               "toll: unexpected argument list, did you mean toll batch list?",
		"batch lst":          "toll batch: unexpected argument lst, did you mean toll batch list?",
		"btach":              "did you mean toll batch?",
		"zzz":                "toll: unexpected argument zzz\n",
		"batch list --cod x": `unknown flag --cod, did you mean "--code"?`,
	} {
		toll(t, strings.Fields(args)...).Expect(t, display.ExitUsage, want, "--help for its flags and examples.")
	}
}

// Words of closed sets may be abbreviated as long as one is meant.
func TestWords(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"--code fcm.unregistered": "fcm.unregistered ", "--code unregistered": "fcm.unregistered ", "--code fcm.unreg": "fcm.unregistered ",
		"--code UNREG": "fcm.unregistered ", "--code exhausted": "attempts_exhausted ", "--code sent --class perm": "sent permanent",
		"--class dead-lettered": "open dead_lettered", "--code bad_device_token": "apns.bad_device_token ",
	} {
		toll(t, append([]string{"batch", "list"}, strings.Fields(args)...)...).Expect(t, display.ExitOK, want)
	}
	for args, want := range map[string]string{
		"--code fcm.un":       `--code: "fcm.un" may be fcm.unavailable, fcm.unauthorized or fcm.unregistered: give more of it`,
		"--code unregsitered": `--code: there is no "unregsitered"; did you mean "fcm.unregistered"?`,
		"--code zzz":          `--code: there is no "zzz"; the command advice lists them all`,
		"--class zzz":         `--class: there is no "zzz"; it must be open, sent,`,
		"--code=":             "--code: must not be empty",
	} {
		toll(t, append([]string{"batch", "list"}, strings.Fields(args)...)...).Expect(t, display.ExitUsage, want)
	}
	for _, f := range push.Codes() {
		if got, err := resolve(f.Name, wordsOf(codeType)); got != f.Name || err != nil {
			t.Errorf("%s is %q (%v)", f.Name, got, err)
		}
	}
}

func TestAdvice(t *testing.T) {
	t.Parallel()
	r := toll(t, "advice", "unregistered")
	r.Expect(t, display.ExitOK, "fcm.unregistered (permanent)\n\nMeaning. ", "\n    belfry devices get ID\n", "Replay or discard. Discard.")
	for line := range strings.Lines(r.Out) {
		if len([]rune(line)) > 81 && !strings.HasPrefix(line, "    ") {
			t.Errorf("a line of %d columns: %s", len([]rune(line)), line)
		}
	}
	toll(t, "advice").Expect(t, display.ExitOK, "fcm.unregistered", "undecodable", "advice CODE")
	var one struct{ Code, Class, Meaning, Runbook string }
	r = toll(t, "advice", "sent", "-o", "json")
	if err := json.Unmarshal([]byte(r.Out), &one); err != nil || one.Code != "sent" || !strings.HasPrefix(one.Runbook, "**Meaning.**") {
		t.Errorf("%+v (%v)", one, err)
	}
	var all []struct{ Code string }
	r = toll(t, "advice", "-o", "json")
	if err := json.Unmarshal([]byte(r.Out), &all); err != nil || len(all) != len(push.Codes()) {
		t.Errorf("%d codes (%v)", len(all), err)
	}
}

// What the scripts ask.
func TestComplete(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"":                         "advice\tSay what",
		"ba":                       "batch\tWork on batches.\n:4",
		"batch ":                   "start\tStart one.",
		"batch list --":            "--code\tOnly this code.",
		"batch list --code fcm.un": "fcm.unregistered\n",
		"batch list -o ":           "json\n",
		"batch list --class=perm":  "permanent\n",
		"batch start bat_1 ":       ":0\n", // files
		"completion ":              "powershell\n",
		"--color ":                 "never\n",
	} {
		words := strings.Split(args, " ")
		toll(t, append([]string{"__complete"}, words...)...).Expect(t, display.ExitOK, want)
	}
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		r := toll(t, "completion", shell)
		r.Expect(t, display.ExitOK, "__complete", "toll")
	}
	toll(t, "completion", "tcsh").Expect(t, display.ExitUsage, `must be one of "bash","zsh","fish","powershell"`)
}

// TestBash completes in a real bash, with this test's binary as the program.
func TestBash(t *testing.T) {
	t.Parallel()
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("there is no bash")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	if err := os.Symlink(self, filepath.Join(bin, "toll")); err != nil {
		t.Fatal(err)
	}
	// complete WORD... puts the last word at the cursor and prints what bash would offer.
	const script = `
source <(toll completion bash)
offer() {
    COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}; COMP_TYPE=9; COMP_KEY=9
    COMPREPLY=()
    __start_toll
    printf '%s\n' "${COMPREPLY[@]}"
}
`
	for words, want := range map[string][]string{
		"toll ba":                          {"batch"},
		"toll batch ''":                    {"list", "start"},
		"toll batch list --cl":             {"--class"},
		"toll batch list --code fcm.unreg": {"fcm.unregistered"},
		"toll completion ''":               {"bash", "fish", "powershell", "zsh"},
	} {
		cmd := exec.CommandContext(t.Context(), bash, "--norc", "-c", "PATH="+bin+":$PATH\n"+script+"offer "+words)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", words, err, out)
			continue
		}
		for _, w := range want {
			if !strings.Contains(string(out), w) {
				t.Errorf("%s offers %s, not %s", words, out, w)
			}
		}
	}
}

var codeType = reflect.TypeFor[push.Code]()
