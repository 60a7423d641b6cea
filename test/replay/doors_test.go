package replay

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/belfry-push/belfry/client"
)

// installation is a server with letters, on processes of its own.
type installation struct {
	t    *testing.T
	dir  string // of the programs
	data string
	api  string
}

func install(t *testing.T) *installation {
	t.Helper()
	i := &installation{t: t, dir: filepath.Dir(commands.Path(t, "belfry")), data: t.TempDir()}
	server := i.command(context.WithoutCancel(t.Context()), "belfry", "up", "--sandbox", "--listen", "127.0.0.1:0", "--sim-listen",
		"127.0.0.1:0", "--max-attempts", "1", "--log-format", "json")
	log, err := server.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Signal(os.Interrupt)
		if err := server.Wait(); err != nil {
			t.Errorf("belfry up: %v", err)
		}
	})
	lines := bufio.NewScanner(log)
	for i.api == "" && lines.Scan() {
		if _, rest, ok := strings.Cut(lines.Text(), `"listen":"`); ok {
			addr, _, _ := strings.Cut(rest, `"`)
			i.api = "http://" + addr
		}
	}
	if i.api == "" {
		t.Fatal("belfry up does not say where it listens")
	}
	go func() { _, _ = io.Copy(io.Discard, log) }()
	return i
}

func (i *installation) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, filepath.Join(i.dir, name), args...)
	c.Env = append(os.Environ(), "BELFRY_DATA="+i.data, "BELFRY_API=", "BELFRY_API_KEY=") //nolint:forbidigo // a child inherits it
	return c
}

// dlq runs dlq-replayer to its end and returns its output.
func (i *installation) dlq(args ...string) string {
	i.t.Helper()
	c := i.command(i.t.Context(), "dlq-replayer", args...)
	var errs bytes.Buffer
	c.Stderr = &errs
	out, err := c.Output()
	if err != nil {
		i.t.Fatalf("dlq-replayer %s: %v\n%s%s", strings.Join(args, " "), err, out, errs.String())
	}
	return string(out)
}

// bury sends a batch of which n recipients fail, and drains it. Twice as many are
// accepted in between: the breaker stays closed.
func (i *installation) bury(n int) {
	i.t.Helper()
	c, err := client.New(i.api, "")
	if err != nil {
		i.t.Fatal(err)
	}
	recipients := make([]client.Recipient, 3*n)
	for k := range recipients {
		recipients[k].Token = fmt.Sprintf("good-%d", k)
		if k%3 == 2 {
			recipients[k].Token = fmt.Sprintf("sim-unavailable-1-%d", k)
		}
	}
	b, err := c.CreateBatch(i.t.Context(),
		client.Request{Message: json.RawMessage(`{"notification":{"title":"Hi"}}`), Labels: map[string]string{"campaign": "x"}})
	if err != nil {
		i.t.Fatal(err)
	}
	up := c.Uploader(b.ID, 1)
	for _, r := range recipients {
		if err := up.Add(i.t.Context(), r); err != nil {
			i.t.Fatal(err)
		}
	}
	if _, err := up.Flush(i.t.Context()); err != nil {
		i.t.Fatal(err)
	}
	if _, err := c.StartBatch(i.t.Context(), b.ID); err != nil {
		i.t.Fatal(err)
	}
	if _, err := c.Await(i.t.Context(), b.ID, 50*time.Millisecond); err != nil {
		i.t.Fatal(err)
	}
	if out := i.dlq("drain", "--api", i.api, "-o", "ndjson"); !strings.Contains(out, fmt.Sprintf(`"letters":%d,"stored":%[1]d,`, n)) {
		i.t.Errorf("drained: %s", out)
	}
}

// killed runs dlq-replayer replay run until the replay is under way, kills it with
// -9, and returns the replay's id.
func (i *installation) killed(args ...string) string {
	i.t.Helper()
	c := i.command(i.t.Context(), "dlq-replayer", append([]string{"replay", "run", "--yes"}, args...)...)
	said, err := c.StderrPipe()
	if err != nil {
		i.t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		i.t.Fatal(err)
	}
	id := ""
	for lines := bufio.NewScanner(said); id == "" && lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), "replay rpl_"); ok {
			rest, _, _ = strings.Cut(rest, " ")
			id = "rpl_" + rest
		}
	}
	_ = c.Process.Kill()
	_ = c.Wait()
	if id == "" {
		i.t.Fatal("no replay was started")
	}
	return id
}

// ages are what [display.Console.Age] writes.
var ages = regexp.MustCompile(`\bin \d+ [smhdy]\b|\b\d+ [smhdy] ago\b|\bnow\b`)

// ageless returns what a command printed for people without ages, which pass
// between two commands, and without the width of their columns. What is JSON has
// times instead, and stays as it is.
func ageless(out string) string {
	if strings.ContainsAny(out[:min(1, len(out))], "{[") {
		return out
	}
	return blanks.ReplaceAllString(ages.ReplaceAllString(out, "AGE"), " ")
}

// blanks are the space between columns and the line under their heads.
var blanks = regexp.MustCompile(` +|[─-]{2,}`)

// Both doors show the same, and a replay survives whoever asked for it: started
// over the API it belongs to the server; started on the backend directly it is
// taken over by whoever resumes it, or by the server.
func TestDoors(t *testing.T) {
	t.Parallel()
	i := install(t)
	const n = 40
	i.bury(n)
	letter := strings.Split(i.dlq("list", "-o", "ndjson", "--limit", "1"), `"`)[3]
	for _, args := range [][]string{
		{"groups", "-o", "json"},
		{"groups"},
		{"list", "-o", "json", "--limit", "7", "--label", "campaign=x"},
		{"list", "-o", "ndjson", "--all-pages", "--code", "fcm.unavailable"},
		{"show", "-o", "json", letter},
		{"stats", "-o", "json"},
		{"replay", "list", "-o", "json"},
	} {
		direct, api := i.dlq(args...), i.dlq(append(args, "--api", i.api)...)
		if ageless(direct) != ageless(api) || direct == "" {
			t.Errorf("%v\non the backend: %s\nover the API: %s", args, direct, api)
		}
	}

	over := i.killed("--api", i.api, "--all", "--max", "10", "--rate", "5")
	if out := i.dlq("replay", "resume", over, "--api", i.api, "-o", "json"); !strings.Contains(out, `"state": "completed"`) ||
		!strings.Contains(out, `"sent": 10`) {
		t.Errorf("over the API: %s", out)
	}
	direct := i.killed("--all", "--rate", "10")
	if out := i.dlq("replay", "resume", direct, "-o", "json"); !strings.Contains(out, `"state": "completed"`) ||
		!strings.Contains(out, `"refailed": 0`) {
		t.Errorf("on the backend: %s", out)
	}
	if out := i.dlq("stats", "-o", "ndjson"); !strings.Contains(out, fmt.Sprintf(`"by_state":{"replayed":%d}`, n)) {
		t.Errorf("in the end: %s", out)
	}
}
