package awsconf

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/belfry-push/belfry/internal/adapter/awsmeter"
)

// Account is whom AWS takes the caller for.
type Account struct {
	ID        string // twelve digits
	Partition string // "aws", "aws-cn" or "aws-us-gov"
	Region    string
	Caller    string // ARN of the user or role
}

// identifier is the part of the STS client that is needed.
type identifier interface {
	GetCallerIdentity(ctx context.Context, in *sts.GetCallerIdentityInput, opts ...func(*sts.Options)) (*sts.GetCallerIdentityOutput, error)
}

var _ identifier = (*sts.Client)(nil)

// WhoAmI asks STS who the credentials of cfg belong to. It needs no permission,
// so that it fails only for credentials, region or network.
func WhoAmI(ctx context.Context, cfg aws.Config, meter *awsmeter.Meter) (Account, error) {
	return whoAmI(ctx, sts.NewFromConfig(cfg), cfg.Region, meter)
}

func whoAmI(ctx context.Context, client identifier, region string, meter *awsmeter.Meter) (Account, error) {
	meter.Free(awsmeter.STS, "GetCallerIdentity")
	out, err := client.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return Account{}, Explain(err, "AWS account")
	}
	caller := aws.ToString(out.Arn)
	parsed, err := arn.Parse(caller)
	if err != nil {
		return Account{}, fmt.Errorf("caller identity %q: %w", caller, err)
	}
	return Account{ID: aws.ToString(out.Account), Partition: parsed.Partition, Region: region, Caller: caller}, nil
}

// TopicARN returns the ARN of an SNS topic of the account, by its name.
func (a Account) TopicARN(name string) string { return a.arn("sns", name) }

// QueueARN returns the ARN of an SQS queue of the account, by its name.
func (a Account) QueueARN(name string) string { return a.arn("sqs", name) }

func (a Account) arn(service, resource string) string {
	return arn.ARN{Partition: a.Partition, Service: service, Region: a.Region, AccountID: a.ID, Resource: resource}.String()
}
