package doctor

import (
	"context"
	"fmt"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/belfry-push/belfry/internal/adapter/awsconf"
	"github.com/belfry-push/belfry/internal/provision"
)

// probe is a call that would need a permission of a running Belfry and cannot
// do anything: AWS refuses it as malformed or finds nothing to do, after it has
// looked at who asks.
type probe struct {
	action   string // as in IAM: sqs:SendMessage
	resource string // name
	call     func(ctx context.Context) error
}

// probers bounds how many probes run at once.
const probers = 8

// permissions tries what a running Belfry does on every resource that is there.
// AWS has no dry run for these services; what is reported as allowed was at
// least not refused.
func permissions(ctx context.Context, clients provision.Clients, prefix string, state provision.State,
	findings []provision.Finding,
) []Result {
	there := map[string]bool{}
	for _, f := range findings {
		if f.Err == nil && f.Step.Exists || awsconf.KindOf(f.Err) == awsconf.KindDenied {
			there[string(f.Step.Kind)+" "+f.Step.Name] = true
		}
	}
	var probes []probe
	for _, q := range state.Queues {
		if there[string(provision.KindQueue)+" "+q.Name] {
			probes = append(probes, queueProbes(clients.SQS, q.Name)...)
		}
	}
	// Belfry publishes to this topic only; it is others that publish to the other.
	if outcomes := provision.TopicName(prefix, provision.TopicOutcomes); there[string(provision.KindTopic)+" "+outcomes] {
		probes = append(probes, topicProbe(clients.SNS, state.Account.TopicARN(outcomes), outcomes))
	}
	for _, t := range state.Tables {
		if there[string(provision.KindTable)+" "+t.Name] {
			probes = append(probes, tableProbes(clients.DynamoDB, t)...)
		}
	}
	if there[string(provision.KindBucket)+" "+state.Bucket.Name] {
		probes = append(probes, bucketProbes(clients.S3, state.Bucket.Name)...)
	}
	return judgeProbes(ctx, probes)
}

// judgeProbes runs the probes and reports those that were refused, by action.
func judgeProbes(ctx context.Context, probes []probe) []Result {
	if len(probes) == 0 {
		return []Result{skipped(namePermissions, "there is nothing to try them on")}
	}
	errs := make([]error, len(probes))
	var g errgroup.Group
	g.SetLimit(probers)
	for i, p := range probes {
		g.Go(func() error {
			errs[i] = p.call(ctx)
			return nil
		})
	}
	_ = g.Wait() // no function returns an error

	refused := map[string][]string{}
	var order []string
	var results []Result
	for i, p := range probes {
		switch awsconf.KindOf(errs[i]) {
		case awsconf.KindDenied, awsconf.KindEncryption:
			if refused[p.action] == nil {
				order = append(order, p.action)
			}
			refused[p.action] = append(refused[p.action], p.resource)
		case awsconf.KindUnreachable, awsconf.KindExpired, awsconf.KindCredentials, awsconf.KindClock, awsconf.KindRegion:
			return append(results, failure(namePermissions, awsconf.Explain(errs[i], p.resource)))
		case "", awsconf.KindMissing, awsconf.KindThrottled, awsconf.KindUnavailable, awsconf.KindUnclassified, awsconf.KindTooLarge,
			awsconf.KindConditional, awsconf.KindValidation, awsconf.KindDeletedLate:
			// Not refused.
		}
	}
	if ctx.Err() != nil {
		return append(results, failed(namePermissions, "no answers in time", "check the network, AWS_REGION and AWS_ENDPOINT_URL"))
	}
	for _, action := range order {
		results = append(results, failed("permission "+action, "refused on "+strings.Join(refused[action], ", "),
			fmt.Sprintf("allow %s on these resources in the policy of the credentials' user or role", action)))
	}
	if len(results) == 0 {
		results = append(results, ok(namePermissions, fmt.Sprintf("%d calls tried, none refused", len(probes))))
	}
	return results
}
