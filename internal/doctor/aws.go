package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"github.com/belfry-push/belfry/internal/adapter/awsconf"
	"github.com/belfry-push/belfry/internal/provision"
)

// Installation says which resources of an account are Belfry's.
type Installation struct {
	Prefix string
	Bucket string // "" means the default
}

const (
	nameConfiguration = "AWS configuration"
	nameCredentials   = "AWS credentials"
	nameClock         = "clock"
	namePermissions   = "AWS permissions"
)

// Loader reads the AWS configuration of the environment, as awsconf.Load does.
type Loader func(ctx context.Context) (aws.Config, error)

// AWS examines an account: whose the credentials are, what of an installation is
// there and as it must be, what the credentials may do with it, and the clock.
// Against stand-ins, credentials and permissions are skipped, since they check
// neither.
func AWS(load Loader, in Installation) Check {
	return func(ctx context.Context) []Result {
		cfg, err := load(ctx)
		if err != nil {
			return []Result{failure(nameConfiguration, err)}
		}
		var watch skewWatch
		cfg = watch.over(cfg)
		clients := provision.NewClients(cfg)
		account, first := whoAmI(ctx, cfg, provision.StandIn(clients.SQS.Options().BaseEndpoint))
		results := []Result{first}
		if first.Status == StatusFailed {
			return append(results, watch.result(), skipped(namePermissions, "needs credentials"))
		}
		state := provision.Desired(in.Prefix, account, provision.Options{Bucket: in.Bucket})
		findings := provision.New(clients, state).Look(ctx)
		results = append(results, judge(findings)...)
		if first.Status == StatusSkipped {
			results = append(results, skipped(namePermissions, "stand-ins check none"))
		} else {
			results = append(results, permissions(ctx, clients, in.Prefix, state, findings)...)
		}
		return append(results, watch.result())
	}
}

func whoAmI(ctx context.Context, cfg aws.Config, standIn bool) (awsconf.Account, Result) {
	if standIn {
		return provision.StandInAccount(cfg.Region), skipped(nameCredentials, "the endpoints are stand-ins for AWS")
	}
	account, err := awsconf.WhoAmI(ctx, cfg, nil)
	if err != nil {
		return account, failure(nameCredentials, err)
	}
	at := ""
	if e := sts.NewFromConfig(cfg).Options().BaseEndpoint; e != nil {
		at = ", by " + *e
	}
	return account, ok(nameCredentials, fmt.Sprintf("account %s in %s as %s%s", account.ID, account.Region, account.Caller, at))
}

// failure is a call to AWS that failed, with what awsconf says to do.
func failure(name string, err error) Result {
	e, explained := errors.AsType[*awsconf.Error](err)
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return failed(name, "no answer in time", "check the network, AWS_REGION and AWS_ENDPOINT_URL")
	case explained:
		return failed(name, awsErrorSource(e)+e.Err.Error(), e.Text)
	default:
		return failed(name, err.Error(), "")
	}
}

// awsErrorSource names the source of an explained error.
func awsErrorSource(e *awsconf.Error) string {
	if _, answered := errors.AsType[smithy.APIError](e.Err); answered {
		return "AWS said: "
	}
	if e.Kind == awsconf.KindUnreachable {
		return "the network said: "
	}
	return "this machine's own check said: "
}

// judge turns what resources look like into results: one for each kind whose
// resources are all in order, and one for each resource that is not.
func judge(findings []provision.Finding) []Result {
	var results []Result
	for from := 0; from < len(findings); {
		kind, to := findings[from].Step.Kind, from
		for to < len(findings) && findings[to].Step.Kind == kind {
			to++
		}
		group := findings[from:to]
		from = to
		var missing []string
		good := 0
		unsupported := map[string]bool{}
		for _, f := range group {
			r := judgeOne(f, unsupported)
			switch {
			case r.Status == StatusOK:
				good++
			case f.Err == nil && !f.Step.Exists:
				missing = append(missing, f.Step.Name)
			default:
				results = append(results, r)
			}
		}
		if len(missing) > 0 {
			results = append(results, absent(kind, group, missing))
		}
		if good > 0 {
			results = append(results, inOrder(kind, group, good, unsupported))
		}
	}
	return results
}

func absent(kind provision.Kind, group []provision.Finding, missing []string) Result {
	const remedy = "run belfry provision, or check BELFRY_AWS_PREFIX and AWS_REGION"
	if len(group) == 1 {
		return failed(string(kind)+" "+missing[0], "does not exist", remedy)
	}
	return failed(string(kind)+"s", fmt.Sprintf("%d of %d do not exist: %s", len(missing), len(group), strings.Join(missing, ", ")), remedy)
}

func inOrder(kind provision.Kind, group []provision.Finding, good int, unsupported map[string]bool) Result {
	detail := "as it must be"
	name := string(kind) + " " + group[0].Step.Name
	if len(group) > 1 {
		name, detail = string(kind)+"s", fmt.Sprintf("%d of %d as they must be", good, len(group))
	}
	if len(unsupported) > 0 {
		detail += "; the stand-in does not know " + strings.Join(sorted(unsupported), ", ")
	}
	return ok(name, detail)
}

func sorted(set map[string]bool) []string {
	var all []string
	for s := range set {
		all = append(all, s)
	}
	slices.Sort(all)
	return all
}

// judgeOne judges one resource; what a stand-in does not know goes to lacks.
func judgeOne(f provision.Finding, unsupported map[string]bool) Result {
	name := string(f.Step.Kind) + " " + f.Step.Name
	if awsconf.KindOf(f.Err) == awsconf.KindDenied {
		// The services' own role need not be able to: see infra/README.md.
		return warning(name, "could not be looked at: "+failure(name, f.Err).Detail,
			"run belfry doctor as an operator to compare its attributes; whether Belfry may use it is tried below")
	}
	if f.Err != nil {
		return failure(name, f.Err)
	}
	if !f.Step.Exists {
		return failed(name, "does not exist", "")
	}
	var differences []string
	vital, fixed, replaces := false, false, false
	for _, c := range f.Step.Changes {
		switch c.Effect {
		case provision.EffectUnsupported:
			unsupported[c.Attribute] = true
			continue
		case provision.EffectImpossible:
			fixed = true
		case provision.EffectReplace:
			replaces = true
		case provision.EffectAdd:
		}
		vital = vital || c.Vital
		is := "not set"
		if c.From != "" {
			is = c.From
		}
		differences = append(differences, fmt.Sprintf("%s is %s, must be %s", c.Attribute, is, c.To))
	}
	remedy := "run belfry provision"
	switch {
	case len(differences) == 0:
		return ok(name, "as it must be")
	case fixed:
		remedy = "it cannot be changed: use another prefix (BELFRY_AWS_PREFIX), or remove it and run belfry provision"
	case replaces:
		remedy = "run belfry provision --force, or keep it if you meant it"
	}
	detail := strings.Join(differences, "; ")
	if vital {
		return failed(name, detail, remedy)
	}
	return warning(name, detail, remedy)
}
