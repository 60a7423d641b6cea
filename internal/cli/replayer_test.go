package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/push"
)

// dlq runs a command line of dlq-replayer on a data directory.
func dlq(ctx context.Context, dir string, in io.Reader, args ...string) result {
	var out, errs bytes.Buffer
	lookup := func(name string) (string, bool) { return dir, name == "BELFRY_DATA" }
	code := runReplayer(ctx, args, lookup, &console{in: in, out: &out, err: &errs})
	return result{code: code, out: out.String(), err: errs.String()}
}

// stocked returns a data directory with letters: recipients of a notification
// that is gone, and messages that would go back to their queue.
func stocked(t *testing.T, recipients, messages int) string {
	t.Helper()
	dead := time.Date(2026, 11, 3, 12, 0, 0, 0, time.UTC)
	var b bytes.Buffer
	add := func(v any) {
		if err := line(&b, v); err != nil {
			t.Fatal(err)
		}
	}
	add(map[string]any{"type": "dead_letters", "v": 1})
	for i := range recipients + messages {
		l := push.Letter{
			ID: push.DerivedID(push.PrefixDeadLetter, "t", strconv.Itoa(i)), Kind: push.LetterMessage, Cell: -1, Queue: push.QueueEvents, Code: push.CodeUndecodable,
			Detail: "not JSON", Body: []byte("{"), DeadAt: dead.Add(time.Duration(i) * time.Second), StoredAt: dead.Add(time.Hour), State: push.LetterParked, Version: 1,
		}
		if i < recipients {
			l.Kind, l.Cell, l.Body, l.Queue, l.Tenant, l.App = push.LetterRecipient, i, nil, push.QueueBulk, "acme", "app"
			l.Code, l.LastCode, l.Detail, l.Attempts = push.CodeAttemptsExhausted, push.CodeFCMUnavailable, fmt.Sprintf("HTTP 503 (request %d)", 4000+i), 8
			l.Notification = "bat_01890a5d-ac96-774b-bcce-b302099a8058"
			l.Recipient = push.Recipient{Address: push.Address{Kind: push.KindToken, Value: "secret"}, UserID: fmt.Sprintf("u%d", i), Line: int64(i + 1)}
			l.Labels = map[string]string{"campaign": "x"}
		}
		add(l)
	}
	add(map[string]any{"type": "end", "letters": recipients + messages})
	dir := t.TempDir()
	dlq(t.Context(), dir, &b, "import", "-").expect(t, ExitOK, fmt.Sprintf("%d letters in the archive, %d of them new", recipients+messages, recipients+messages))
	return dir
}

func TestReplayerHelp(t *testing.T) {
	t.Parallel()
	for name, args := range map[string]string{
		"replayer.help": "--help", "replayer-list.help": "list --help", "replayer-run.help": "replay run --help", "replayer-drain.help": "drain --help",
	} {
		r := dlq(t.Context(), "", nil, strings.Fields(args)...)
		r.expect(t, ExitOK)
		golden(t, name, r.out)
	}
}

func TestReplayerUsage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for args, want := range map[string]string{
		"grups":                            "dlq-replayer: unexpected argument grups",
		"groups --backend x":               "--backend",
		"groups --code nope":               "--code",
		"groups --api x":                   "--api (BELFRY_API): must be http://host",
		"list -o xml":                      "--output must be one of",
		"replay run --canary 150% --all":   "must be a share such as 1% or 0.01",
		"replay run --canary x --all":      "--canary",
		"simulate --all --set priority":    "--set: must be KEY=VALUE or KEY:=JSON",
		"simulate --all --set data.n:=x":   "the value must be JSON",
		"simulate --all --patch none.json": "--patch: open none.json",
		"discard --all":                    "missing flags: --reason",
		"drain --keep-parked 1h":           "--keep-warning (BELFRY_KEEP_WARNING): must not be longer than --keep-parked",
	} {
		dlq(t.Context(), dir, nil, strings.Fields(args)...).expect(t, ExitUsage, want, "--help for its flags and examples")
	}
}

// What there is, as tables, JSON and NDJSON.
func TestReplayerReads(t *testing.T) {
	t.Parallel()
	dir := stocked(t, 3, 2)
	run := func(args string) result {
		r := dlq(t.Context(), dir, nil, strings.Fields(args)...)
		r.expect(t, ExitOK)
		if strings.Contains(r.out, "secret") {
			t.Errorf("%s shows an address: %s", args, r.out)
		}
		return r
	}
	golden(t, "replayer-groups.out", run("groups").out)
	golden(t, "replayer-list.out", run("list --text 4001").out)
	golden(t, "replayer-stats.out", run("stats").out)
	golden(t, "replayer-show.out", run("show "+string(push.DerivedID(push.PrefixDeadLetter, "t", "1"))).out)
	if n := strings.Count(run("list -o ndjson --all-pages --class retryable").out, "\n"); n != 3 {
		t.Errorf("%d lines, want 3", n)
	}
	var first, second client.DeadLetterList
	r := run("list -o json --limit 3")
	if err := json.Unmarshal([]byte(r.out), &first); err != nil || len(first.Items) != 3 || !strings.Contains(r.err, "add --cursor "+first.NextCursor) {
		t.Fatalf("first page: %v %s%s", err, r.out, r.err)
	}
	if err := json.Unmarshal([]byte(run("list -o json --cursor "+first.NextCursor).out), &second); err != nil || len(second.Items) != 2 || second.NextCursor != "" {
		t.Errorf("second page: %+v (%v)", second, err)
	}
	if run("list --all-pages").err != "" || strings.Count(run("list --all-pages").out, "dlt_") != 5 {
		t.Error("not all of them")
	}
	dlq(t.Context(), dir, nil, "show", "dlt_nope").expect(t, ExitFailure, `dlq-replayer show: letter "dlt_nope" does not exist`)
	dlq(t.Context(), dir, nil, "show", "--body", string(push.DerivedID(push.PrefixDeadLetter, "t", "4"))).expect(t, ExitOK, `body        "{"`)
}

// A mistyped data directory is no store without letters.
func TestReplayerMissesItsData(t *testing.T) {
	t.Parallel()
	nowhere := filepath.Join(t.TempDir(), "belfry-dada")
	for _, args := range []string{"groups", "stats", "simulate --all", "replay list", "export -"} {
		dlq(t.Context(), nowhere, nil, strings.Fields(args)...).expect(t, ExitUsage, "--data: there is no directory "+nowhere)
	}
	if _, err := os.Stat(nowhere); !os.IsNotExist(err) {
		t.Errorf("it was made: %v", err)
	}
}

// A replay in this process: what a simulation says, what is sent, what is left.
func TestReplayerReplays(t *testing.T) {
	t.Parallel()
	dir := stocked(t, 3, 2)
	run := func(in string, args ...string) result { return dlq(t.Context(), dir, strings.NewReader(in), args...) }
	for _, without := range []string{"simulate", "replay run --yes", "discard --reason x"} {
		run("", strings.Fields(without)...).expect(t, ExitUsage, "which letters? Give a filter such as --code or --fingerprint, or --all")
	}
	simulated := run("", "simulate", "--code", "fcm.unavailable", "--rate", "5")
	simulated.expect(t, ExitOK, "3 letters, 0 would be sent\n")
	if strings.Contains(simulated.out, "replay run") {
		t.Errorf("a replay of nothing is proposed:\n%s", simulated.out)
	}
	const sim = "sim_01a200d5-a7d5-791c-a944-5dda9b1ff948"
	run("", "replay", "run", "--simulation", sim).expect(t, ExitFailure, `simulation "`+sim+`" does not exist`)
	for _, more := range []string{"--all", "--code=fcm.internal", "--id=dlt_x", "--expire-after=1h", "--priority=bulk", "--set=notification.title=x", "--patch=f"} {
		run("", "replay", "run", "--simulation", sim, more).expect(t, ExitUsage, "--simulation: its letters and edits are what was simulated")
	}
	run("", "replay", "status", "rpl_x").expect(t, ExitFailure, `replay "rpl_x" does not exist`)
	run("", "simulate", "--all", "--rate", "5").expect(t, ExitOK, " --rate 5 --canary 1%")
	run("", "simulate", "--text", "nowhere").expect(t, ExitFailure, "no dead letter matches")
	run("", "simulate", "--all").expect(t, ExitOK, "5 letters, 2 would be sent", "notification_gone  3        no", "the ledger has no such notification", "would_send         2        yes",
		"2 of them are whole messages: what becomes of those is not watched")
	run("", "replay", "run", "--code", "fcm.unavailable", "--yes").expect(t, ExitFailure, "none of the 3 letters would be sent")
	run("n\n", "replay", "run", "--all").expect(t, ExitFailure, "Send 2 letters? [y/N]", "nothing was sent; --simulation sim_")
	sent := run("y\n", "replay", "run", "--all", "--canary", "1%", "--stop-if-refail", "20%")
	sent.expect(t, ExitOK, "is completed: 2 of 5 letters sent, 2 not watched\n", "not sent: notification_gone  3", "what dies again is a new letter (dlq-replayer drain)")
	if strings.Contains(sent.out+sent.err, "failed again") { // nobody has looked
		t.Errorf("of letters that nobody watches it says:\n%s%s", sent.err, sent.out)
	}
	run("", "replay", "list").expect(t, ExitOK, "completed")
	run("", "groups", "--state", "replayed").expect(t, ExitOK, "undecodable")

	run("n\n", "discard", "--all", "--reason", "x").expect(t, ExitFailure, "Discard 3 letters for good?", "nothing was discarded")
	run("Y\n", "discard", "--label", "campaign=x", "--reason", "stale news").expect(t, ExitOK, "3 letters discarded")
	run("", "discard", "--all", "--reason", "x").expect(t, ExitFailure, "no dead letter matches")
	run("", "stats", "-o", "ndjson").expect(t, ExitOK, `"by_state":{"discarded":3,"replayed":2}`)
}

// An interrupt pauses; another process goes on.
func TestReplayerPauses(t *testing.T) {
	t.Parallel()
	dir := stocked(t, 0, 40)
	var out, errs bytes.Buffer
	ctx, cancel := context.WithCancel(t.Context())
	con := &console{in: strings.NewReader(""), out: &out, err: breaking{&errs, cancel}}
	code := runReplayer(ctx, []string{"replay", "run", "--all", "--yes", "--rate", "20"}, func(name string) (string, bool) { return dir, name == "BELFRY_DATA" }, con)
	if code != ExitInterrupted || !strings.Contains(errs.String(), "go on with: dlq-replayer replay resume rpl_") {
		t.Fatalf("exit code %d: %s", code, errs.String())
	}
	_, id, _ := strings.Cut(strings.TrimSpace(errs.String()), "replay resume ")
	id, _, _ = strings.Cut(id, "\n")
	dlq(t.Context(), dir, nil, "replay", "status", id).expect(t, ExitOK, "is paused (by ")
	dlq(t.Context(), dir, nil, "replay", "pause", id).expect(t, ExitFailure, "pause")
	dlq(t.Context(), dir, nil, "replay", "resume", id).expect(t, ExitOK, "is completed: 40 of 40 letters sent")
	dlq(t.Context(), dir, nil, "replay", "cancel", id).expect(t, ExitFailure, "cancel")
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
	dlq(t.Context(), dir, nil, "export", "--queue", push.QueueBulk, file).expect(t, ExitOK, "bytes written to "+file)
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("archive: %v %v", info, err)
	}
	dlq(t.Context(), t.TempDir(), nil, "import", file).expect(t, ExitOK, "3 letters in the archive, 3 of them new")
	plain := dlq(t.Context(), dir, nil, "export", "-")
	plain.expect(t, ExitOK, `{"type":"end","letters":5}`)
	cut := plain.out[:len(plain.out)/2]
	dlq(t.Context(), dir, strings.NewReader(cut), "import", "-").expect(t, ExitFailure, "not an archive of dead letters: it is cut short")
	dlq(t.Context(), dir, nil, "import", "none").expect(t, ExitUsage, "no such file")
	dlq(t.Context(), dir, nil, "export", filepath.Join(dir, "none", "x")).expect(t, ExitFailure, "export to")
}

func TestSettings(t *testing.T) {
	t.Parallel()
	patch := filepath.Join(t.TempDir(), "patch.json")
	if err := os.WriteFile(patch, []byte(`[{"op":"remove","path":"/data"}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	e, err := edits{Patch: patch, Set: []string{"priority=bulk", "expire_after=1h", "notification.title=a=b", "data.x/y:=7"}}.read()
	want := `[{"op":"remove","path":"/data"},{"op":"add","path":"/notification/title","value":"a=b"},{"op":"add","path":"/data/x~1y","value":7}]`
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
