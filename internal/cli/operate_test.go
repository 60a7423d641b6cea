package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/belfry-push/belfry/internal/config"
	"github.com/belfry-push/belfry/internal/doctor"
	"github.com/belfry-push/belfry/internal/provision"
)

// operate runs a command line with those services.
func operate(t *testing.T, s *services, args ...string) result {
	t.Helper()
	var out, errs bytes.Buffer
	code := run(t.Context(), args, func(string) (string, bool) { return "", false }, s, &console{out: &out, err: &errs})
	return result{code: code, out: out.String(), err: errs.String()}
}

func plan() provision.Plan {
	return provision.Plan{Steps: []provision.Step{
		{Kind: provision.KindQueue, Name: "belfry-events-dlq", Exists: true},
		{Kind: provision.KindQueue, Name: "belfry-events", Exists: true, Changes: []provision.Change{
			{Attribute: "VisibilityTimeout", From: "90", To: "30", Effect: provision.EffectReplace},
			{Attribute: "RedrivePolicy", To: "{}", Effect: provision.EffectAdd, Vital: true},
		}},
		{Kind: provision.KindTopic, Name: "belfry-outcomes", Changes: []provision.Change{{Attribute: "KmsMasterKeyId", To: "alias/aws/sns", Effect: provision.EffectAdd}}},
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
	r.expect(t, ExitOK)
	golden(t, "provision-plan.txt", r.out)
	if c, ok := s.ran.(config.Provision); !ok || !c.Plan || c.Force || c.AWS.Prefix != "belfry" {
		t.Errorf("ran %+v", s.ran)
	}
	operate(t, s, "provision", "-o", "json").expect(t, ExitOK, `"kind": "queue"`, `"effect": "impossible"`)

	done := plan()
	done.Steps[1].Outcome, done.Steps[2].Outcome, done.Steps[3].Outcome = provision.OutcomeChanged, provision.OutcomeCreated, provision.OutcomeLeft
	s = &services{plan: done, err: &provision.DifferError{Names: []string{"table belfry-chunks"}, Fixed: true}}
	r = operate(t, s, "provision", "--force")
	r.expect(t, ExitFailure, "belfry provision: left as it is, because it differs: table belfry-chunks", "cannot be changed")
	golden(t, "provision-done.txt", r.out)

	operate(t, &services{err: errors.New("no credentials")}, "provision").expect(t, ExitFailure, "belfry provision: no credentials\n")
	operate(t, &services{}, "provision", "--plan", "--force").expect(t, ExitUsage, "--plan: and --force: give one of them")
}

func TestDoctor(t *testing.T) {
	t.Parallel()
	s := &services{report: doctor.Report{Results: []doctor.Result{
		{Name: "clock", Status: doctor.StatusOK, Detail: "0s off AWS's"},
		{Name: "queue belfry-events", Status: doctor.StatusFailed, Detail: "does not exist", Remedy: "run belfry provision"},
		{Name: "AWS permissions", Status: doctor.StatusSkipped, Detail: "needs credentials"},
	}}}
	r := operate(t, s, "doctor", "--backend", "aws")
	r.expect(t, ExitFailure)
	golden(t, "doctor.txt", r.out)
	operate(t, s, "doctor", "-o", "json").expect(t, ExitFailure, `"status": "failed"`, `"remedy": "run belfry provision"`)

	s.report.Results[1].Status = doctor.StatusWarning
	operate(t, s, "doctor").expect(t, ExitOK, "1 warnings")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out bytes.Buffer
	if code := run(ctx, []string{"doctor"}, func(string) (string, bool) { return "", false }, s, &console{out: &out, err: &out}); code != ExitInterrupted {
		t.Errorf("exit code %d after an interrupt: %s", code, &out)
	}
}

func TestCost(t *testing.T) {
	t.Parallel()
	r := operate(t, &services{}, "cost")
	r.expect(t, ExitOK, "100,000,000")
	golden(t, "cost.txt", r.out)
	operate(t, &services{}, "cost", "--per-day", "1000000").expect(t, ExitOK, "dynamodb wru", "1,000,000 notifications: $0.")
	operate(t, &services{}, "cost", "--per-day", "5", "-o", "json").expect(t, ExitOK, `"notifications": 5`)
	operate(t, &services{}, "cost", "-o", "json").expect(t, ExitOK, `"per_day": 10000,`)

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
	r.expect(t, ExitOK, "2,000,000 notifications: $0.200 a million")
	operate(t, &services{}, "cost", "--metrics", process.URL).expect(t, ExitFailure, "404 Not Found")

	for args, want := range map[string]string{
		"--per-day=-1":                       "--per-day: must be more than 0 (got -1)",
		"--per-day=1 --metrics=http://host/": "give one of them",
		"--metrics=host:9090":                "--metrics: must be a URL",
		"--per-day=many":                     "must be a whole number",
	} {
		operate(t, &services{}, append([]string{"cost"}, strings.Fields(args)...)...).expect(t, ExitUsage, want)
	}
	operate(t, &services{}, "cost", "--prices", "none.json").expect(t, ExitFailure, "none.json", "no such file")
	r = operate(t, &services{}, "cost", "--metrics", "http://127.0.0.1:1/metrics")
	r.expect(t, ExitFailure, "http://127.0.0.1:1/metrics")
	if strings.Contains(r.err, "BELFRY_API") {
		t.Errorf("it speaks of another server: %s", r.err)
	}
}
