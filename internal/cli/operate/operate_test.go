package operate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"

	"github.com/belfry-push/belfry/internal/app/operations"
	"github.com/belfry-push/belfry/internal/cli/clitest"
	"github.com/belfry-push/belfry/internal/cli/command"
	"github.com/belfry-push/belfry/internal/cli/display"
	"github.com/belfry-push/belfry/internal/config"
	"github.com/belfry-push/belfry/internal/doctor"
	"github.com/belfry-push/belfry/internal/provision"
)

// services remembers what it was asked to do.
type services struct {
	ran    any
	err    error
	plan   provision.Plan
	report doctor.Report
}

func (s *services) Provision(_ context.Context, c config.Provision) (provision.Plan, error) {
	s.ran = c
	return s.plan, s.err
}

func (s *services) Doctor(_ context.Context, c config.Doctor) doctor.Report {
	s.ran = c
	return s.report
}

func (s *services) Backup(_ context.Context, c config.Backup, to string, progress func(done, total int64)) (operations.Copy, error) {
	s.ran = c
	progress(1<<20, 1<<20)
	files := []operations.CopyFile{{Name: "queue.db", Bytes: 1 << 20}}
	return operations.Copy{Path: to, At: time.Unix(1_800_000_000, 0).UTC(), Files: files}, s.err
}

func (s *services) Repair(_ context.Context, c config.Repair) error { s.ran = c; return s.err }

// program is a command line of these commands alone.
func program(s *services) command.Program {
	return command.Program{
		Name: "belfry", Grammar: &struct {
			Commands Commands `embed:""`
		}{},
		Env: func(string) (string, bool) { return "", false }, Options: []kong.Option{kong.BindTo(s, (*Services)(nil))},
	}
}

// operate runs a command line with those services.
func operate(t *testing.T, s *services, args ...string) clitest.Result {
	t.Helper()
	var out, errs bytes.Buffer
	code := program(s).Run(t.Context(), args, &display.Console{Out: &out, Err: &errs})
	return clitest.Result{Code: code, Out: out.String(), Err: errs.String()}
}

func plan() provision.Plan {
	return provision.Plan{Steps: []provision.Step{
		{Kind: provision.KindQueue, Name: "belfry-events-dlq", Exists: true},
		{Kind: provision.KindQueue, Name: "belfry-events", Exists: true, Changes: []provision.Change{
			{Attribute: "VisibilityTimeout", From: "90", To: "30", Effect: provision.EffectReplace},
			{Attribute: "RedrivePolicy", To: "{}", Effect: provision.EffectAdd, Vital: true},
		}},
		{
			Kind: provision.KindTopic, Name: "belfry-outcomes",
			Changes: []provision.Change{{Attribute: "KmsMasterKeyId", To: "alias/aws/sns", Effect: provision.EffectAdd}},
		},
		{Kind: provision.KindTable, Name: "belfry-chunks", Exists: true, Changes: []provision.Change{
			{Attribute: "key", From: "id", To: "pk, sk", Effect: provision.EffectImpossible, Vital: true},
			{Attribute: "ttl", To: "expires_at", Effect: provision.EffectUnsupported},
		}},
	}}
}

func TestProvision(t *testing.T) {
	t.Parallel()
	s := &services{plan: plan()}
	r := operate(t, s, "provision", "--plan")
	r.Expect(t, display.ExitOK)
	clitest.Golden(t, "provision-plan.txt", r.Out)
	if c, ok := s.ran.(config.Provision); !ok || !c.Plan || c.Force || c.AWS.Prefix != "belfry" {
		t.Errorf("ran %+v", s.ran)
	}
	operate(t, s, "provision", "-o", "json").Expect(t, display.ExitOK, `"kind": "queue"`, `"effect": "impossible"`)

	done := plan()
	done.Steps[1].Outcome, done.Steps[2].Outcome = provision.OutcomeChanged, provision.OutcomeCreated
	done.Steps[3].Outcome = provision.OutcomeLeft
	s = &services{plan: done, err: &provision.DifferError{Names: []string{"table belfry-chunks"}, Fixed: true}}
	r = operate(t, s, "provision", "--force")
	r.Expect(t, display.ExitFailure, "belfry provision: left as it is, because it differs: table belfry-chunks", "cannot be changed")
	clitest.Golden(t, "provision-done.txt", r.Out)

	operate(t, &services{err: errors.New("no credentials")}, "provision").Expect(t, display.ExitFailure, "belfry provision: no credentials\n")
	operate(t, &services{}, "provision", "--plan", "--force").Expect(t, display.ExitUsage, "--plan: and --force: give one of them")
}

func TestDoctor(t *testing.T) {
	t.Parallel()
	s := &services{report: doctor.Report{Results: []doctor.Result{
		{Name: "clock", Status: doctor.StatusOK, Detail: "0s off AWS's"},
		{Name: "queue belfry-events", Status: doctor.StatusFailed, Detail: "does not exist", Remedy: "run belfry provision"},
		{Name: "AWS permissions", Status: doctor.StatusSkipped, Detail: "needs credentials"},
	}}}
	r := operate(t, s, "doctor", "--backend", "aws")
	r.Expect(t, display.ExitFailure)
	clitest.Golden(t, "doctor.txt", r.Out)
	operate(t, s, "doctor", "-o", "json").Expect(t, display.ExitFailure, `"status": "failed"`, `"remedy": "run belfry provision"`)

	s.report.Results[1].Status = doctor.StatusWarning
	operate(t, s, "doctor").Expect(t, display.ExitOK, "1 warnings")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out bytes.Buffer
	if code := program(s).Run(ctx, []string{"doctor"}, &display.Console{Out: &out, Err: &out}); code != display.ExitInterrupted {
		t.Errorf("exit code %d after an interrupt: %s", code, &out)
	}
}

func TestBackup(t *testing.T) {
	t.Parallel()
	s := &services{}
	operate(t, s, "backup", "--data", "d", "/backup/1").Expect(t, display.ExitOK, "/backup/1: 1 files, 1.0 MiB, as of 2027-01-15T08:00:00Z")
	if c, ok := s.ran.(config.Backup); !ok || c.Store.Data != "d" {
		t.Errorf("ran %+v", s.ran)
	}
	operate(t, s, "backup", "/backup/1", "-o", "json").Expect(t, display.ExitOK, `"path": "/backup/1"`, `"at": "2027-01-15T08:00:00Z"`,
		`"bytes": 1048576`)
	operate(t, s, "backup").Expect(t, display.ExitUsage, "<dir>")
	operate(t, s, "backup", "x", "--backend", "aws").Expect(t, display.ExitUsage, "point-in-time recovery")
	operate(t, &services{err: errors.New("no room")}, "backup", "x").Expect(t, display.ExitFailure, "belfry backup: no room\n")
}

func TestRepair(t *testing.T) {
	t.Parallel()
	s := &services{}
	operate(t, s, "repair", "--lost", "queue.db").Expect(t, display.ExitOK, "given up: queue.db")
	operate(t, s, "repair", "--lost", "messages", "--backend", "aws").Expect(t, display.ExitOK, "given up: messages")
	operate(t, s, "repair").Expect(t, display.ExitUsage, "--lost")
	operate(t, s, "repair", "--lost", "store.db").Expect(t, display.ExitUsage, "must be queue.db, pages.db", "(got store.db)")
	operate(t, s, "repair", "--lost", "queue.db", "--backend", "aws").Expect(t, display.ExitUsage, "only messages")
	operate(t, &services{err: errors.New("in use")}, "repair", "--lost", "queue.db").Expect(t, display.ExitFailure, "belfry repair: in use\n")
}

func TestCost(t *testing.T) {
	t.Parallel()
	r := operate(t, &services{}, "cost")
	r.Expect(t, display.ExitOK, "100,000,000")
	clitest.Golden(t, "cost.txt", r.Out)
	operate(t, &services{}, "cost", "--per-day", "1000000").Expect(t, display.ExitOK, "dynamodb wru", "1,000,000 notifications: $0.")
	operate(t, &services{}, "cost", "--per-day", "5", "-o", "json").Expect(t, display.ExitOK, `"notifications": 5`)
	operate(t, &services{}, "cost", "-o", "json").Expect(t, display.ExitOK, `"per_day": 10000,`)
	operate(t, &services{}, "cost", "--cases").Expect(t, display.ExitOK, "first   0.739")
	operate(t, &services{}, "cost", "--cases", "-o", "json").Expect(t, display.ExitOK, `"name": "weekly"`,
		`"new_table_minutes": 4.166666666666667`)

	process := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/metrics" {
			http.NotFound(w, r)
			return
		}
		_, _ = fmt.Fprint(w, "belfry_aws_units_total{service=\"sqs\",unit=\"requests\"} 500000\nbelfry_outcomes_total{code=\"sent\"} 1000000\n")
	}))
	t.Cleanup(process.Close)
	t.Cleanup(http.DefaultTransport.(*http.Transport).CloseIdleConnections)
	r = operate(t, &services{}, "cost", "--metrics", process.URL+"/metrics", "--metrics", process.URL+"/metrics")
	r.Expect(t, display.ExitOK, "2,000,000 notifications: $0.200 a million")
	operate(t, &services{}, "cost", "--metrics", process.URL).Expect(t, display.ExitFailure, "404 Not Found")

	for args, want := range map[string]string{
		"--per-day=-1":                       "--per-day: must be more than 0 (got -1)",
		"--per-day=1 --metrics=http://host/": "give one of them",
		"--cases --per-day=1":                "--cases and --per-day or --metrics: give one of them",
		"--metrics=host:9090":                "--metrics: must be a URL",
		"--per-day=many":                     "must be a whole number",
	} {
		operate(t, &services{}, append([]string{"cost"}, strings.Fields(args)...)...).Expect(t, display.ExitUsage, want)
	}
	operate(t, &services{}, "cost", "--prices", "none.json").Expect(t, display.ExitFailure, "none.json", "no such file")
	r = operate(t, &services{}, "cost", "--metrics", "http://127.0.0.1:1/metrics")
	r.Expect(t, display.ExitFailure, "http://127.0.0.1:1/metrics")
	if strings.Contains(r.Err, "BELFRY_API") {
		t.Errorf("it speaks of another server: %s", r.Err)
	}
}
