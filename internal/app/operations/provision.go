package operations

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/belfry-push/belfry/internal/adapter/awsconf"
	"github.com/belfry-push/belfry/internal/adapter/dynamo"
	"github.com/belfry-push/belfry/internal/app"
	"github.com/belfry-push/belfry/internal/audit"
	"github.com/belfry-push/belfry/internal/config"
	"github.com/belfry-push/belfry/internal/provision"
	"github.com/belfry-push/belfry/internal/telemetry"
)

// Provision compares an AWS account with what an installation needs and makes
// what is missing, or with c.Plan only compares. The plan says what was found
// and done; after an error too, as far as it got.
func (Operations) Provision(ctx context.Context, c config.Provision) (provision.Plan, error) {
	cfg, err := awsconf.Load(ctx, awsconf.Options{Version: telemetry.Version(), Attempt: provisionAttempt})
	if err != nil {
		return provision.Plan{}, err
	}
	cfg = awsconf.Observe(cfg, commandLog(), nil)
	clients := provision.NewClients(cfg)
	account := provision.StandInAccount(cfg.Region)
	if !provision.StandIn(clients.SQS.Options().BaseEndpoint) {
		if account, err = awsconf.WhoAmI(ctx, cfg, nil); err != nil {
			return provision.Plan{}, err
		}
	}
	return provisionIn(ctx, clients, account, c)
}

func provisionIn(ctx context.Context, clients provision.Clients, account awsconf.Account, c config.Provision) (provision.Plan, error) {
	p := provision.New(clients, provision.Desired(c.AWS.Prefix, account, provision.Options{Bucket: c.AWS.Bucket}))
	plan, err := p.Plan(ctx)
	if err != nil || c.Plan {
		return plan, err
	}
	plan, err = p.Apply(ctx, plan, c.Force)
	// What was done is recorded after it, when the log's table is there; also when something else could not be done.
	if unrecorded := recordProvision(ctx, clients, account, c, plan); unrecorded != nil {
		err = errors.Join(err, fmt.Errorf("what was created and changed stays so, but the audit log does not tell of it: %w", unrecorded))
	}
	return plan, err
}

// provisioned is what an entry says was done.
type provisioned struct {
	Created []string            `json:"created,omitempty"`
	Changed map[string][]string `json:"changed,omitempty"` // attributes
}

// doneBy is what a plan did, and whether the audit log has its table then.
func doneBy(plan provision.Plan, prefix string) (d provisioned, logged bool) {
	for _, s := range plan.Steps {
		name := string(s.Kind) + " " + s.Name
		if s.Kind == provision.KindTable && s.Name == dynamo.AuditTable(prefix) {
			logged = s.Exists || s.Outcome != ""
		}
		switch s.Outcome {
		case provision.OutcomeCreated:
			d.Created = append(d.Created, name)
		case provision.OutcomeChanged:
			if d.Changed == nil {
				d.Changed = map[string][]string{}
			}
			for _, c := range s.Changes {
				if c.Effect == provision.EffectAdd || c.Effect == provision.EffectReplace {
					d.Changed[name] = append(d.Changed[name], c.Attribute)
				}
			}
		case provision.OutcomeLeft:
		}
	}
	return d, logged
}

// recordProvision leaves an entry of what a plan's application did: nothing, of which there is none, or too little for the
// log to have a table.
func recordProvision(ctx context.Context, clients provision.Clients, account awsconf.Account, c config.Provision,
	plan provision.Plan,
) error {
	d, logged := doneBy(plan, c.AWS.Prefix)
	if !logged || len(d.Created)+len(d.Changed) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTime)
	defer cancel()
	after, err := json.Marshal(d)
	if err != nil {
		return err
	}
	store := dynamo.New(clients.DynamoDB, dynamo.Config{Prefix: c.AWS.Prefix})
	e := audit.Entry{
		Action: "provision", Target: audit.Target{Kind: "store", ID: c.AWS.Prefix}, After: after,
		Reason: fmt.Sprintf("created %d, changed %d", len(d.Created), len(d.Changed)),
	}
	if account.Caller != "" {
		e.Reason += ", as " + account.Caller
	}
	return app.RecordLocal(ctx, store, c.AuditKey, e)
}

// recordTime bounds the record, which is made after an interrupt, too.
const recordTime = 15 * time.Second
