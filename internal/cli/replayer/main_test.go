package replayer

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/cli/clitest"
	"github.com/belfry-push/belfry/internal/cli/display"
	"github.com/belfry-push/belfry/internal/push"
)

// dlq runs a command line of dlq-replayer on a data directory.
func dlq(ctx context.Context, dir string, in io.Reader, args ...string) clitest.Result {
	var out, errs bytes.Buffer
	lookup := func(name string) (string, bool) { return dir, name == "BELFRY_DATA" }
	code := program(lookup).Run(ctx, args, &display.Console{
		In: in, Out: &out, Err: &errs, Now: func() time.Time { return time.Date(2026, 11, 3, 15, 0, 0, 0, time.UTC) },
	})
	return clitest.Result{Code: code, Out: out.String(), Err: errs.String()}
}

// stocked returns a data directory with letters: recipients of a notification
// that is gone, and messages that would go back to their queue.
func stocked(t *testing.T, recipients, messages int) string {
	t.Helper()
	dead := time.Date(2026, 11, 3, 12, 0, 0, 0, time.UTC)
	var b bytes.Buffer
	add := func(v any) {
		if err := display.Line(&b, v); err != nil {
			t.Fatal(err)
		}
	}
	add(map[string]any{"type": "dead_letters", "v": 1})
	for i := range recipients + messages {
		l := push.Letter{
			ID: push.DerivedID(push.PrefixDeadLetter, "t", strconv.Itoa(i)), Kind: push.LetterMessage, Cell: -1, Queue: push.QueueEvents,
			Code:   push.CodeUndecodable,
			Detail: "not JSON", Body: []byte("{"), DeadAt: dead.Add(time.Duration(i) * time.Second), StoredAt: dead.Add(time.Hour),
			State: push.LetterParked, Version: 1,
		}
		if i < recipients {
			l.Kind, l.Cell, l.Body, l.Queue, l.Tenant, l.App = push.LetterRecipient, i, nil, push.QueueBulk, "acme", "app"
			l.Code, l.LastCode, l.Detail, l.Attempts = push.CodeAttemptsExhausted, push.CodeFCMUnavailable, fmt.Sprintf(
				"HTTP 503 (request %d)", 4000+i,
			), 8
			l.Notification = "bat_01890a5d-ac96-774b-bcce-b302099a8058"
			l.Recipient = push.Recipient{
				Address: push.Address{Kind: push.KindToken, Value: "secret"}, UserID: fmt.Sprintf("u%d", i), Line: int64(i + 1),
			}
			l.Labels = map[string]string{"campaign": "x"}
		}
		add(l)
	}
	add(map[string]any{"type": "end", "letters": recipients + messages})
	dir := t.TempDir()
	dlq(t.Context(), dir, &b, "import", "-").Expect(t, display.ExitOK,
		fmt.Sprintf("%d letters in the archive, %d of them new", recipients+messages, recipients+messages))
	return dir
}

func TestReplayerHelp(t *testing.T) {
	t.Parallel()
	for name, args := range map[string]string{
		"replayer.help": "--help", "replayer-list.help": "list --help", "replayer-run.help": "replay run --help",
		"replayer-drain.help": "drain --help",
	} {
		r := dlq(t.Context(), "", nil, strings.Fields(args)...)
		r.Expect(t, display.ExitOK)
		clitest.Golden(t, name, r.Out)
	}
}

func TestReplayerUsage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for args, want := range map[string]string{
		"grups":                               "dlq-replayer: unexpected argument grups",
		"groups --backend x":                  "--backend",
		"groups --code nope":                  "--code",
		"groups --code open":                  "--code: must be a code that a dead letter can have",
		"groups --code sent":                  "--code: must be a code that a dead letter can have",
		"groups --api x":                      "--api (BELFRY_API): must be http://host",
		"list -o xml":                         "--output must be one of",
		"replay run --canary 150% --all":      "must be a share such as 1% or 0.01",
		"replay run --canary x --all":         "--canary",
		"simulate --all --set priority":       "--set: must be KEY=VALUE or KEY:=JSON",
		"simulate --all --set data.n:=x":      "the value must be JSON",
		"simulate --all --patch none.json":    "--patch: open none.json",
		"simulate --all --set data.k=gr\xfcn": "--set: must be UTF-8 (byte 9 is 0xfc)",
		`simulate --all --set data.k:="\ud83d"`: `the value must be JSON (got "\"\\ud83d\""): \ud83d at byte 1 is half a ` +
			`character`,
		`simulate --all --set data:={"a":1,"a":2}`: "/a: is there twice",
		"simulate --all --set data.k=a --set data.k=b": "--set: data.k is " +
			"given twice",
		"simulate --all --set data.k=a --set data.k:=1": "--set: data.k is " +
			"given twice",
		"simulate --all --patch " +
			clitest.File(t, "p", "{}"): "must be a JSON array of operations",
		"simulate --all --patch " + clitest.File(t, "p", `[{"op":"remove","path":"/a","path":"/b"}]`): "/0/path: is there twice",
		"simulate --all --patch " +
			clitest.File(t, "p", "[{\"op\":\"add\",\"path\":\"/a\",\"value\":\"gr\xfcn\"}]"): "/0/value: must be UTF-8 (byte 36 is 0xfc)",
		"discard --all":                "missing flags: --reason",
		"drain --watch --api http://h": "--watch and --api (BELFRY_API): the watch works on the backend itself",
		"drain --api x":                "--api (BELFRY_API): must be http://host",
		"drain --keep-parked 1h":       "--keep-warning (BELFRY_KEEP_WARNING): must not be longer than --keep-parked",
	} {
		dlq(t.Context(), dir, nil, strings.Fields(args)...).Expect(t, display.ExitUsage, want, "--help for its flags and examples")
	}
}

// What there is, as tables, JSON and NDJSON.
func TestReplayerReads(t *testing.T) {
	t.Parallel()
	dir := stocked(t, 3, 2)
	run := func(args string) clitest.Result {
		r := dlq(t.Context(), dir, nil, strings.Fields(args)...)
		r.Expect(t, display.ExitOK)
		if strings.Contains(r.Out, "secret") {
			t.Errorf("%s shows an address: %s", args, r.Out)
		}
		return r
	}
	clitest.Golden(t, "replayer-groups.out", run("groups").Out)
	clitest.Golden(t, "replayer-list.out", run("list --text 4001").Out)
	clitest.Golden(t, "replayer-stats.out", run("stats").Out)
	clitest.Golden(t, "replayer-show.out", run("show "+string(push.DerivedID(push.PrefixDeadLetter, "t", "1"))).Out)
	if n := strings.Count(run("list -o ndjson --all-pages --class retryable").Out, "\n"); n != 3 {
		t.Errorf("%d lines, want 3", n)
	}
	var first, second client.DeadLetterList
	r := run("list -o json --limit 3")
	if err := json.Unmarshal([]byte(r.Out), &first); err != nil || len(first.Items) != 3 ||
		!strings.Contains(r.Err, "add --cursor "+first.NextCursor) {
		t.Fatalf("first page: %v %s%s", err, r.Out, r.Err)
	}
	if err := json.Unmarshal([]byte(run("list -o json --cursor "+first.NextCursor).Out), &second); err != nil || len(second.Items) != 2 ||
		second.NextCursor != "" {
		t.Errorf("second page: %+v (%v)", second, err)
	}
	if run("list --all-pages").Err != "" || strings.Count(run("list --all-pages").Out, "dlt_") != 5 {
		t.Error("not all of them")
	}
	dlq(t.Context(), dir, nil, "show", "dlt_nope").Expect(t, display.ExitFailure, `dlq-replayer show: letter "dlt_nope" does not exist`)
	dlq(t.Context(), dir, nil, "show", "--body", string(push.DerivedID(push.PrefixDeadLetter, "t", "4"))).Expect(
		t, display.ExitOK, `body        "{"`,
	)
}

// A mistyped data directory is no store without letters.
func TestReplayerMissesItsData(t *testing.T) {
	t.Parallel()
	nowhere := filepath.Join(t.TempDir(), "belfry-dada")
	for _, args := range []string{"groups", "stats", "simulate --all", "replay list", "export -"} {
		dlq(t.Context(), nowhere, nil, strings.Fields(args)...).Expect(t, display.ExitUsage, "--data: there is no directory "+nowhere)
	}
	if _, err := os.Stat(nowhere); !os.IsNotExist(err) {
		t.Errorf("it was made: %v", err)
	}
}

// A replay in this process: what a simulation says, what is sent, what is left.
func TestReplayerReplays(t *testing.T) {
	t.Parallel()
	dir := stocked(t, 3, 2)
	run := func(in string, args ...string) clitest.Result {
		return dlq(t.Context(), dir, strings.NewReader(in), args...)
	}
	for _, without := range []string{"simulate", "replay run --yes", "discard --reason x"} {
		run("", strings.Fields(without)...).Expect(t, display.ExitUsage, "which letters? Give a filter such as --code or --fingerprint, or --all")
	}
	simulated := run("", "simulate", "--code", "fcm.unavailable", "--rate", "5")
	simulated.Expect(t, display.ExitOK, "3 letters, 0 would be sent\n")
	if strings.Contains(simulated.Out, "replay run") {
		t.Errorf("a replay of nothing is proposed:\n%s", simulated.Out)
	}
	const sim = "sim_01a200d5-a7d5-791c-a944-5dda9b1ff948"
	run("", "replay", "run", "--simulation", sim).Expect(t, display.ExitFailure, `simulation "`+sim+`" does not exist`)
	for _, more := range []string{
		"--all", "--code=fcm.internal", "--id=dlt_x", "--expire-after=1h", "--priority=bulk", "--set=notification.title=x", "--patch=f",
	} {
		run("", "replay", "run", "--simulation", sim, more).Expect(t, display.ExitUsage,
			"--simulation: its letters and edits are what was simulated")
	}
	run("", "replay", "status", "rpl_x").Expect(t, display.ExitFailure, `replay "rpl_x" does not exist`)
	run("", "simulate", "--all", "--rate", "5").Expect(t, display.ExitOK, " --rate 5\n")
	run("", "simulate", "--text", "nowhere").Expect(t, display.ExitNothing, "no dead letter matches", "without --text: 5 letters\n")
	run("", "simulate", "--code", "fcm.internal", "--queue", "deliveries-bulk").Expect(t, display.ExitNothing,
		"without --code: 3 letters, with code fcm.unavailable 3\n", "dlq-replayer groups shows what there is")
	run("", "replay", "run", "--code", "fcm.internal", "--tenant", "acmee", "--yes").Expect(t, display.ExitNothing,
		"without a filter: 5 letters")
	run("", "replay", "run", "--tenant", "acmee", "--yes").Expect(t, display.ExitNothing,
		"without --tenant: 5 letters, with tenant acme 3,", `did you mean "acme"?`)
	run("", "simulate", "--all").Expect(t, display.ExitOK, "5 letters, 2 would be sent",
		"notification_gone        3  no", "the ledger has no such notification", "would_send               2  yes",
		"2 of them are whole messages: what becomes of those is not watched")
	for _, yes := range [][]string{{}, {"--yes"}} { // nobody is asked about nothing
		nothing := run("y\n", append([]string{"replay", "run", "--code", "fcm.unavailable"}, yes...)...)
		nothing.Expect(t, display.ExitNothing, "nothing to send: none of the 3 letters that match would be sent",
			"notification_gone: 3; the ledger no longer knows their notification: discard them")
		if strings.Contains(nothing.Err, "[y/N]") {
			t.Errorf("it asks:\n%s", nothing.Err)
		}
	}
	_, id, _ := strings.Cut(simulated.Out, "simulation ")
	id, _, _ = strings.Cut(id, ":")
	run("", "replay", "run", "--simulation", id).Expect(t, display.ExitNothing, "nothing to send")
	run("", "replay", "run", "--all", "--at-once", "--canary", "1%").Expect(t, display.ExitUsage, "--at-once and --canary: ")
	run("n\n", "replay", "run", "--all").Expect(t, display.ExitFailure, "Send 2 letters, about 1 of them first? [y/N]",
		"nothing was sent; --simulation sim_")
	run("n\n", "replay", "run", "--all", "--at-once").Expect(t, display.ExitFailure, "Send 2 letters, all at once? [y/N]")
	sent := run("y\n", "replay", "run", "--all", "--canary", "1%", "--stop-if-refail", "20%")
	sent.Expect(t, display.ExitOK, "is completed: 2 of 5 letters sent, 2 not watched\n", "not sent: notification_gone  3",
		"what dies again is a new letter (dlq-replayer drain)")
	if strings.Contains(sent.Out+sent.Err, "failed again") { // nobody has looked
		t.Errorf("of letters that nobody watches it says:\n%s%s", sent.Err, sent.Out)
	}
	run("", "replay", "list").Expect(t, display.ExitOK, "completed")
	run("", "groups", "--state", "replayed").Expect(t, display.ExitOK, "undecodable")

	run("n\n", "discard", "--all", "--reason", "x").Expect(t, display.ExitFailure, "Discard 3 letters for good?", "nothing was discarded")
	run("Y\n", "discard", "--label", "campaign=x", "--reason", "stale news").Expect(t, display.ExitOK, "3 letters discarded")
	run("", "discard", "--all", "--reason", "x").Expect(t, display.ExitNothing, "no dead letter matches", "nothing is parked at all")
	run("", "discard", "--code", "fcm.unavailable", "--reason", "x", "--yes").Expect(t, display.ExitNothing,
		"3 letters that match are discarded")
	run("", "stats", "-o", "ndjson").Expect(t, display.ExitOK, `"by_state":{"discarded":3,"replayed":2}`)
}

// An interrupt pauses; another process goes on.
func TestReplayerPauses(t *testing.T) {
	t.Parallel()
	dir := stocked(t, 0, 40)
	var out, errs bytes.Buffer
	ctx, cancel := context.WithCancel(t.Context())
	con := &display.Console{In: strings.NewReader(""), Out: &out, Err: breaking{&errs, cancel}}
	code := program(func(name string) (string, bool) { return dir, name == "BELFRY_DATA" }).Run(
		ctx, []string{"replay", "run", "--all", "--yes", "--rate", "20"}, con)
	if code != display.ExitInterrupted || !strings.Contains(errs.String(), "go on with: dlq-replayer replay resume rpl_") {
		t.Fatalf("exit code %d: %s", code, errs.String())
	}
	_, id, _ := strings.Cut(strings.TrimSpace(errs.String()), "replay resume ")
	id, _, _ = strings.Cut(id, "\n")
	dlq(t.Context(), dir, nil, "replay", "status", id).Expect(t, display.ExitOK, "is paused (by ")
	dlq(t.Context(), dir, nil, "replay", "pause", id).Expect(t, display.ExitFailure, "pause")
	dlq(t.Context(), dir, nil, "replay", "resume", id).Expect(t, display.ExitOK, "is completed: 40 of 40 letters sent")
	dlq(t.Context(), dir, nil, "replay", "cancel", id).Expect(t, display.ExitFailure, "cancel")
}

// breaking ends the command as soon as it says that it runs.
type breaking struct {
	w      io.Writer
	cancel func()
}

func (i breaking) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte("is running; Ctrl-C")) {
		i.cancel()
	}
	return i.w.Write(p)
}

func TestReplayerArchive(t *testing.T) {
	t.Parallel()
	dir := stocked(t, 3, 2)
	file := filepath.Join(t.TempDir(), "letters.ndjson.zst")
	dlq(t.Context(), dir, nil, "export", "--queue", push.QueueBulk, file).Expect(t, display.ExitOK, "bytes written to "+file)
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("archive: %v %v", info, err)
	}
	dlq(t.Context(), t.TempDir(), nil, "import", file).Expect(t, display.ExitOK, "3 letters in the archive, 3 of them new")
	plain := dlq(t.Context(), dir, nil, "export", "-")
	plain.Expect(t, display.ExitOK, `{"type":"end","letters":5}`)
	cut := plain.Out[:len(plain.Out)/2]
	dlq(t.Context(), dir, strings.NewReader(cut), "import", "-").Expect(t, display.ExitFailure,
		"not an archive of dead letters: it is cut short")
	dlq(t.Context(), dir, nil, "import", "none").Expect(t, display.ExitUsage, "no such file")
	dlq(t.Context(), dir, nil, "export", filepath.Join(dir, "none", "x")).Expect(t, display.ExitFailure, "export to")

	full := dlq(t.Context(), dir, nil, "export", "-")
	full.Expect(t, display.ExitOK, `"address":"secret"`)
	r := dlq(t.Context(), dir, nil, "export", "--no-addresses", "-")
	r.Expect(t, display.ExitOK, `"user_id":"u1"`)
	if strings.Contains(r.Out, "secret") || strings.Contains(r.Out, `"body"`) ||
		strings.Count(r.Out, "\n") != strings.Count(full.Out, "\n")-2 {
		t.Errorf("without addresses: %s", r.Out)
	}
	dlq(t.Context(), dir, strings.NewReader(r.Out), "import", "-").Expect(t, display.ExitFailure, "not an archive of dead letters")
	dlq(t.Context(), dir, nil, "export", "--no-addresses", file).Expect(t, display.ExitUsage, "does not end in .zst")
}

func TestSettings(t *testing.T) {
	t.Parallel()
	patch := filepath.Join(t.TempDir(), "patch.json")
	if err := os.WriteFile(patch, []byte(`[{"op":"remove","path":"/data"}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	e, err := edits{Patch: patch, Set: []string{"priority=bulk", "expire_after=1h", "notification.title=a=b", "data.x/y:=7"}}.read()
	want := `[{"op":"remove","path":"/data"},{"op":"add","path":"/notification/title","value":"a=b"},{"op":"add","path":"/data/x~1y",` +
		`"value":7}]`
	if err != nil || e.Priority != "bulk" || e.ExpireAfter != "1h" || string(e.Patch) != want {
		t.Errorf("edits: %+v %s (%v)", e, e.Patch, err)
	}
	if e, err := (edits{}).read(); e != nil || err != nil {
		t.Errorf("no edits: %+v (%v)", e, err)
	}
	for text, want := range map[string]share{"1%": 0.01, "0.01": 0.01, "100%": 1, "1": 1, "0": 0, "2.5 %": 0.025} {
		var s share
		if err := s.UnmarshalText([]byte(text)); err != nil || s != want {
			t.Errorf("%q: %v (%v)", text, s, err)
		}
	}
	for _, text := range []string{"", "%", "-1%", "1.5", "NaN", "x"} {
		if err := new(share).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is a share", text)
		}
	}
}

// What is said of a replay in the end names the codes, how often, and what is next.
func TestReplayTellsWhatFailedAgain(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	con := &display.Console{Out: &out, Err: &out, Width: 100}
	stopped := client.Replay{
		ID: "rpl_1", State: client.ReplayStopped, Why: "27 of 83 letters failed again: 32.5 %, more than 20 %; most with fcm.unavailable",
		Total: 1521, Sent: 83, Known: 83, Refailed: 27, ByOutcome: map[client.Code]int64{"sent": 56, "attempts_exhausted": 27},
		RefailedBy: map[client.Code]int64{"fcm.internal": 2, "fcm.unavailable": 25}, Next: "Resume it.",
	}
	if err := printReplay(con, &stopped); err != nil {
		t.Fatal(err)
	}
	if err := printReplays(con, true, []client.Replay{stopped}); err != nil {
		t.Fatal(err)
	}
	clitest.Golden(t, "replayer-stopped.out", strings.ReplaceAll(out.String(), "\t", " "))
}

// drain asks a server as often as it takes, and says how far it is.
func TestDrainOverTheAPI(t *testing.T) {
	t.Parallel()
	asked := 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method+r.URL.Path != "POST/v1/dead-letters/drain" {
			t.Errorf("%s %s", r.Method, r.URL)
		}
		asked++
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(client.Drained{Messages: 2000, Letters: 2500, Stored: 2400, Left: 1, More: asked < 3})
	}))
	defer srv.Close()
	r := dlq(t.Context(), "", nil, "drain", "--api", srv.URL)
	r.Expect(t, display.ExitOK, "draining: 2,000 messages so far, 2,500 letters\ndraining: 4,000 messages",
		"6,000 messages drained, 7,500 letters, 7,200 of them new; 1 left for a newer program\n")
	srv.Close()
	r = dlq(t.Context(), "", nil, "drain", "--api", srv.URL)
	r.Expect(t, display.ExitFailure, "Nothing listens at "+srv.URL)
	if r.Out != "" {
		t.Errorf("it says %q", r.Out)
	}
}
