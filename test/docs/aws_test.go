package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/belfry-push/belfry/test/programs"
	"github.com/belfry-push/belfry/test/standins"
)

// servers are the stand-ins for AWS.
var servers standins.Servers

var (
	session    = regexp.MustCompile("(?s)```console\n(.*?)```")
	shellBlock = regexp.MustCompile("(?s)```(?:sh|console)\n(.*?)```")
	awsCommand = regexp.MustCompile(`(?m)(?:^|\$ |\$\()(aws [^\n]*)`)
	awsShape   = regexp.MustCompile(`^aws (?:--endpoint-url \$AWS_ENDPOINT_URL_(\w+) )?(sns|sqs|dynamodb|s3api) [a-z]+(?:-[a-z]+)*( ` +
		`--[a-z]+(?:-[a-z]+)*( ('[^']*'|[^ -][^ ]*))?)*$`)
	variable = regexp.MustCompile(`^[A-Z]=\$\(`)
	anUUID   = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f-]{27}`)
)

// awsCommands are the commands of the AWS command line in a document, without
// what stands around them.
func awsCommands(text string) []string {
	var all []string
	for _, block := range shellBlock.FindAllStringSubmatch(text, -1) {
		for _, m := range awsCommand.FindAllStringSubmatch(block[1], -1) {
			c, _, _ := strings.Cut(m[1], " #")
			all = append(all, strings.TrimRight(strings.TrimSuffix(strings.TrimSpace(c), ")"), " "))
		}
	}
	return all
}

// Every command of the AWS command line in the documents is whole: nobody has to
// guess what three dots stand for.
func TestAWSCommandsAreWhole(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	more, _ := filepath.Glob("../../docs/runbooks/*.md")
	n := 0
	for _, page := range append(append(pages, more...), "../../README.md", "../../infra/README.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range awsCommands(string(text)) {
			n++
			m := awsShape.FindStringSubmatch(c)
			if m == nil {
				t.Errorf("%s: not a whole command: %s", page, c)
			} else if m[1] != "" && !strings.EqualFold(m[1], m[2]) {
				t.Errorf("%s: %s is asked at the endpoint of %s: %s", page, m[2], m[1], c)
			}
		}
	}
	const least = 8
	if n < least {
		t.Errorf("%d commands, there were %d and more", n, least)
	}
}

// The session of docs/aws.md goes as it is printed: with the stand-ins, with what
// make aws-local exports and nothing else of the AWS environment.
func TestAWSSession(t *testing.T) {
	t.Parallel()
	version := commandLine(t)
	if strings.HasPrefix(version, "aws-cli/2.9.") {
		t.Skip("this aws-cli speaks SQS's query protocol only, which the stand-in does not: " + version)
	}
	w := newAWSWalk(t)
	for _, block := range session.FindAllStringSubmatch(document(t, "aws.md"), -1) {
		for _, part := range strings.Split("\n"+block[1], "\n$ ")[1:] {
			command, output, _ := strings.Cut(part, "\n")
			w.step(command, output)
		}
	}
	const least = 9
	if w.steps < least {
		t.Errorf("%d commands, there were %d and more", w.steps, least)
	}
}

// What the documents say to run against an account has arguments that the
// command line takes: it gets as far as connecting, to nowhere.
func TestAWSCommandsAreTaken(t *testing.T) {
	t.Parallel()
	version := commandLine(t)
	if strings.HasPrefix(version, "aws-cli/2.9.") {
		t.Skip("this aws-cli is older than what the documents use: " + version)
	}
	for _, c := range awsCommands(document(t, "cost.md")) {
		cmd := exec.CommandContext(t.Context(), "bash", "-c", c+" --endpoint-url http://127.0.0.1:1")
		cmd.Env = append(plainEnvironment(), "AWS_DEFAULT_REGION=us-east-1", "AWS_ACCESS_KEY_ID=none", "AWS_SECRET_ACCESS_KEY=none",
			"AWS_MAX_ATTEMPTS=1")
		if out, _ := cmd.CombinedOutput(); !strings.Contains(string(out), "Could not connect to the endpoint") {
			t.Errorf("$ %s\n%s", c, out)
		}
	}
}

// commandLine returns the version of the AWS command line, or skips the test.
func commandLine(t *testing.T) string {
	t.Helper()
	for _, tool := range []string{"aws", "bash", "curl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip("there is no " + tool + " on this machine")
		}
	}
	out, err := exec.CommandContext(t.Context(), "aws", "--version").CombinedOutput()
	if err != nil {
		t.Skipf("aws --version: %v: %s", err, out)
	}
	return string(out)
}

// plainEnvironment is this process's without what is AWS's.
func plainEnvironment() []string {
	var env []string
	for _, setting := range os.Environ() { //nolint:forbidigo // a child inherits it
		if !strings.HasPrefix(setting, "AWS_") {
			env = append(env, setting)
		}
	}
	return append(env, "AWS_CONFIG_FILE=/nonexistent", "AWS_SHARED_CREDENTIALS_FILE=/nonexistent")
}

// awsWalk runs a session's commands one after the other.
type awsWalk struct {
	t     *testing.T
	dir   string
	env   []string
	sim   string
	set   string // assignments so far
	steps int
}

func newAWSWalk(t *testing.T) *awsWalk {
	t.Helper()
	exports := servers.Start(t).Env()
	if len(exports) == 0 {
		t.Skip("against an account nothing is printed for aws-local")
	}
	commands.Output(t, "belfry", exports, "provision")
	env := append(exports, "BELFRY_BACKEND=aws", "BELFRY_LISTEN=127.0.0.1:0", "BELFRY_SIM_LISTEN=127.0.0.1:0", "BELFRY_LOG_FORMAT=json")
	up, _ := commands.Start(t, `"listen":"`, "belfry", env, "up", "--sandbox")
	w := &awsWalk{t: t, dir: t.TempDir(), env: append(plainEnvironment(), exports...)}
	programs.WaitFor(t, "the simulator", func() bool {
		sim, ok := up.Find(`"endpoint":"http://`)
		w.sim, _, _ = strings.Cut(sim, "/")
		return ok
	})
	return w
}

// step runs a command as it stands and compares what it prints with what is
// printed there, but for ids, numbers and times. A look that finds nothing yet is
// repeated; a file is shown by cat and written first.
func (w *awsWalk) step(command, printed string) {
	w.t.Helper()
	w.steps++
	if name, ok := strings.CutPrefix(command, "cat "); ok {
		if err := os.WriteFile(filepath.Join(w.dir, name), []byte(printed), 0o600); err != nil {
			w.t.Fatal(err)
		}
	}
	if variable.MatchString(command) {
		w.set += command + "\n"
	}
	var out []byte
	programs.WaitFor(w.t, "$ "+command, func() bool {
		cmd := exec.CommandContext(w.t.Context(), "bash", "-c", w.set+strings.ReplaceAll(command, simAddress, w.sim))
		cmd.Dir, cmd.Env = w.dir, w.env
		var err error
		if out, err = cmd.CombinedOutput(); err != nil && !strings.Contains(command, "| grep") {
			w.t.Fatalf("$ %s\n%v\n%s", command, err, out)
		}
		return err == nil && strings.TrimSpace(string(out)) != "None"
	})
	if got, want := settled(string(out)), settled(printed); got != want {
		w.t.Errorf("$ %s\nprints\n%s\nthe document has\n%s", command, out, printed)
	}
}

// settled is an output without what differs each time.
func settled(output string) string {
	for _, changes := range []*regexp.Regexp{
		anUUID, regexp.MustCompile(`[0-9a-f]{32}`), regexp.MustCompile(`%[0-9a-f]+`), number, regexp.MustCompile(`"software":"[^"]*"`),
	} {
		output = changes.ReplaceAllString(output, "#")
	}
	return strings.TrimSpace(output)
}
