package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/docs/runbooks"
	"github.com/belfry-push/belfry/internal/app/allinone"
	"github.com/belfry-push/belfry/internal/cli/display"
	"github.com/belfry-push/belfry/internal/config"
	"github.com/belfry-push/belfry/internal/visible"
)

const (
	// nightAttempts is how often a delivery is tried: production's default.
	nightAttempts = 8
	// phone is the device of the notification that comes late.
	phone = "phone-of-ada"
)

// night is one run of the outage: what is said is a comment of the shell, so that a command, a line
// that begins with $, has what it printed below it and nothing else.
type night struct {
	*show

	env    map[string]string // of the commands
	width  int               // of the terminal, in columns
	spans  *spans
	series *recording

	batch, urgent string // ids
	missing       []string
}

// RunOutage plays an outage of FCM as who is on call sees it, each step by the command that is typed
// then: what waits and why, the alert, its runbook, the recovery, why one delivery was late. What is
// printed is what those commands answer. It returns an error if one of them ends or answers otherwise
// than it should, if the alert does not fire, or if anything is lost.
//
// Some of the commands need a shell, curl, grep or promtool. Where one of these is missing they are left
// out, and that is said.
func RunOutage(ctx context.Context, c config.Demo, log *zap.Logger, out io.Writer) error {
	s := &show{cfg: c, log: log, out: visible.NewWriter(out), begun: time.Now()}
	n := &night{show: s, width: display.WidthOf(out), spans: newSpans(), series: newRecording()}
	return s.within(func() error { return n.play(ctx) })
}

// note says something, as a comment between commands.
func (n *night) note(format string, args ...any) {
	n.say("\n# %s", strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", "\n# "))
}

func (n *night) play(ctx context.Context) error {
	up, stop, err := n.start(ctx, n.settings(nightAttempts), allinone.Hooks{WaitScale: waitScale, Spans: n.spans})
	if err != nil {
		return err
	}
	defer stop()
	n.env = n.environment(up)
	devices := newRecipients(n.cfg.Recipients, nil)
	if err := devices.write(filepath.Join(n.dir, recipientsFile)); err != nil {
		return err
	}
	n.say("# An outage of FCM, as who is on call sees it, in about a minute.\n"+
		"# Belfry is up on a fresh %s backend, FCM is a simulator. Of the waits\n"+
		"# between tries only %.0f %% are kept; all else is as in production.", n.cfg.Backend, 100*waitScale)
	n.say("$ export BELFRY_API=%s", up.API)

	recording, end := context.WithCancel(ctx)
	defer end()
	recorded := make(chan error, 1)
	go func() { recorded <- n.series.follow(recording, up.API+"/metrics") }()
	for _, chapter := range []func(context.Context) error{n.before, n.outage, n.alert, n.runbook, n.recovery, n.over, n.late} {
		if err := chapter(ctx); err != nil {
			return err
		}
	}
	end()
	if err := <-recorded; err != nil {
		return err
	}
	final, err := n.api.Batch(ctx, n.batch)
	if err != nil {
		return fmt.Errorf("look at the batch: %w", err)
	}
	if final.Counts == nil {
		return errors.New("the batch has no counts")
	}
	n.note("Does it add up? The batch, by Belfry and by the simulator:")
	if err := n.check(ctx, devices, final); err != nil {
		return err
	}
	for _, m := range n.missing {
		n.note("NOT SHOWN: %s", m)
	}
	n.say("")
	n.end(ctx, "belfry top --api "+up.API)
	return nil
}

const recipientsFile = "recipients.ndjson"

// environment is what the commands are given: where everything is.
func (n *night) environment(up allinone.Addresses) map[string]string {
	store := n.store()
	return map[string]string{
		"BELFRY_API": up.API, "BELFRY_BACKEND": store.Backend, "BELFRY_DATA": store.Data, "BELFRY_AWS_PREFIX": store.AWS.Prefix,
		"BELFRY_FCM_ENDPOINT": up.Sim + "/v1", "BELFRY_LISTEN": strings.TrimPrefix(up.API, "http://"),
	}
}

func (n *night) before(ctx context.Context) error {
	n.note("A quiet night. What is sent arrives.")
	_, err := n.belfry(ctx, expect{says: "sent"}, "send", "--to-token", phone, "--title", "Good night")
	if err != nil {
		return err
	}
	if err := n.until(ctx, "the system to be well", n.well); err != nil {
		return err
	}
	const quiet = 3 // samples of the time before
	if err := n.until(ctx, "some samples", func(context.Context) (bool, error) { return n.series.length() >= quiet, nil }); err != nil {
		return err
	}
	_, err = n.belfry(ctx, expect{says: "OK: Everything works"}, "status")
	return err
}

// well reports whether everything works and nothing is under way.
func (n *night) well(ctx context.Context) (bool, error) {
	s, err := n.api.Status(ctx)
	return s.Health == client.HealthOK && len(s.Running) == 0, err
}

var (
	batchID        = regexp.MustCompile(`\bbat_[0-9a-f-]{36}\b`)
	notificationID = regexp.MustCompile(`\bntf_[0-9a-f-]{36}\b`)
)

func (n *night) outage(ctx context.Context) error {
	if err := n.sim.outage(ctx, 0); err != nil {
		return err
	}
	n.note("From now on FCM answers every request with 503. People go on sending: a sale\nto many, and a code that somebody waits for.")
	text, err := n.belfry(ctx, expect{says: "accepted"}, "send", "--recipients", filepath.Join(n.dir, recipientsFile),
		"--title", "The sale begins", "--priority", "bulk", "--no-wait")
	if err != nil {
		return err
	}
	n.batch = batchID.FindString(text)
	text, err = n.belfry(ctx, expect{says: "accepted"}, "send", "--to-token", phone, "--title", "Your code is 4711",
		"--priority", "high", "--no-wait")
	if err != nil {
		return err
	}
	if n.urgent = notificationID.FindString(text); n.urgent == "" || n.batch == "" {
		return errors.New("belfry send printed no id")
	}
	if err := n.until(ctx, "both notifications to wait for the breaker", func(ctx context.Context) (bool, error) {
		s, err := n.api.Status(ctx)
		waiting := 0
		for i := range s.Running {
			if s.Running[i].Counted && strings.HasPrefix(s.Running[i].Waiting, "breaker") {
				waiting++
			}
		}
		// The command must find it so as well: an open breaker is half-open once its time is up.
		open := slices.ContainsFunc(s.Credentials, func(c client.StatusCredential) bool {
			return c.Until != nil && time.Until(*c.Until) > time.Second
		})
		return s.Health == client.HealthFailing && waiting == 2 && open, err
	}); err != nil {
		return err
	}
	n.note("What waits, since when, and why? One command:")
	const failing = 7
	_, err = n.belfry(ctx, expect{code: failing, says: "waits: breaker"}, "status")
	return err
}

// runbook types what the runbook of the alert says, as it stands there.
func (n *night) runbook(ctx context.Context) error {
	n.note("The alert leads to docs/runbooks/breaker-open.md. Its other commands:")
	const inRunbook = "127.0.0.1:9090" // where a dispatcher's metrics are; belfry up has them beside the API
	for _, command := range runbooks.BreakerOpenChecks() {
		if command == "belfry status" {
			continue // it stands above
		}
		command = strings.ReplaceAll(command, inRunbook, strings.TrimPrefix(n.env["BELFRY_API"], "http://"))
		var err error
		switch program, rest, _ := strings.Cut(command, " "); {
		case program != "belfry":
			err = n.shell(ctx, `state="open"} 1`, command)
		case strings.HasPrefix(rest, "doctor"):
			_, err = n.belfry(ctx, expect{says: "503"}, strings.Fields(rest)...)
		case rest == "breaker":
			_, err = n.belfry(ctx, expect{says: "open"}, rest)
		default:
			_, err = n.belfry(ctx, expect{says: n.urgent}, strings.Fields(rest)...)
		}
		if err != nil {
			return err
		}
	}
	n.note("It is FCM's: the runbook says to wait, and to restart nothing.")
	return nil
}

func (n *night) recovery(ctx context.Context) error {
	if err := n.sim.recovery(ctx); err != nil {
		return err
	}
	n.note("FCM is back. A probe finds out, and sending climbs by itself. A little later:")
	if err := n.until(ctx, "everything to be sent", n.well); err != nil {
		return err
	}
	if _, err := n.belfry(ctx, expect{says: "OK: Everything works"}, "status"); err != nil {
		return err
	}
	_, err := n.belfry(ctx, expect{says: "completed"}, "notification", "get", n.batch)
	return err
}

// late shows why the urgent notification came late.
func (n *night) late(ctx context.Context) error {
	n.note("In the morning somebody asks why the code came late.")
	text, err := n.belfry(ctx, expect{says: "fcm.unavailable"}, "explain", n.urgent, "--token", phone)
	if err != nil {
		return err
	}
	id := regexp.MustCompile(`(?m)^trace ([0-9a-f]{32})$`).FindStringSubmatch(text)
	if id == nil {
		return errors.New("belfry explain printed no trace")
	}
	var tree string
	if err := n.until(ctx, "the spans of trace "+id[1], func(context.Context) (bool, error) {
		tree = n.spans.tree(id[1], n.width)
		return strings.Contains(tree, "send: sent"), nil
	}); err != nil {
		return fmt.Errorf("%w\n%s", err, tree)
	}
	if !strings.Contains(tree, "send: fcm.unavailable") {
		return fmt.Errorf("the trace does not show FCM's failure:\n%s", tree)
	}
	n.note("With you OTEL_EXPORTER_OTLP_ENDPOINT names a collector (docs/tracing.md).\n"+
		"Here the demo is it, and has trace %s:", id[1])
	n.say("%s", strings.TrimSuffix(tree, "\n"))
	return nil
}

// until waits for a condition.
func (n *night) until(ctx context.Context, what string, holds func(context.Context) (bool, error)) error {
	const (
		patience = 4 * time.Minute
		look     = 200 * time.Millisecond
	)
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("waited %v for %s", patience, what))
	defer cancel()
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		switch ok, err := holds(ctx); {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			return fmt.Errorf("wait for %s: %w", what, err)
		case ok:
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}
