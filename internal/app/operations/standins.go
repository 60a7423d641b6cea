package operations

import (
	"context"
	"errors"
	"time"

	"github.com/belfry-push/belfry/internal/adapter/awsconf"
	"github.com/belfry-push/belfry/internal/config"
	"github.com/belfry-push/belfry/internal/provision"
	"github.com/belfry-push/belfry/internal/telemetry"
)

// provisionAttempt is how long AWS may take to make one resource.
const provisionAttempt = 30 * time.Second

// errRealAccount keeps what is meant for stand-ins out of real accounts.
var errRealAccount = errors.New(
	"this runs on stand-ins for AWS only, and AWS_ENDPOINT_URL_DYNAMODB does not point at one: use make demo BACKEND=aws",
)

// ProvisionStandIns makes every queue, topic, table and bucket in an account
// of stand-ins. A real account is refused.
func ProvisionStandIns(ctx context.Context, c config.AWS) error {
	cfg, err := awsconf.Load(ctx, awsconf.Options{Version: telemetry.Version(), Attempt: provisionAttempt})
	if err != nil {
		return err
	}
	cfg = awsconf.Observe(cfg, commandLog(), nil)
	clients := provision.NewClients(cfg)
	if !provision.StandIn(clients.DynamoDB.Options().BaseEndpoint) {
		return errRealAccount
	}
	account, err := awsconf.WhoAmI(ctx, cfg, nil)
	if err != nil {
		return err
	}
	p := provision.New(clients, provision.Desired(c.Prefix, account, provision.Options{Bucket: c.Bucket}))
	plan, err := p.Plan(ctx)
	if err != nil {
		return err
	}
	_, err = p.Apply(ctx, plan, false)
	return err
}
