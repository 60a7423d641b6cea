package awsconf

import "github.com/belfry-push/belfry/internal/push"

// Kind says what is wrong, as far as somebody can do something about it.
type Kind string

// The kinds of failure.
const (
	KindMissing      Kind = "missing"        // no such queue, topic, table or bucket
	KindDenied       Kind = "denied"         // the credentials are good but not for this
	KindExpired      Kind = "expired"        // credentials that were good
	KindCredentials  Kind = "credentials"    // none, or not AWS's
	KindClock        Kind = "clock"          // this machine's clock is off
	KindRegion       Kind = "region"         // none, or another one than the resource's
	KindThrottled    Kind = "throttled"      // too fast
	KindUnreachable  Kind = "unreachable"    // no connection
	KindUnavailable  Kind = "unavailable"    // AWS answered with a fault of its own
	KindUnclassified Kind = "unclassified"   // anything else; the cause says it
	KindEncryption   Kind = "encryption"     // the KMS key cannot be used
	KindTooLarge     Kind = "too_large"      // beyond a size limit
	KindConditional  Kind = "conditional"    // a conditional write lost
	KindValidation   Kind = "validation"     // AWS does not understand the call
	KindDeletedLate  Kind = "deleted_lately" // a name that is not free again yet
)

// outage is what the kind means to whoever waits for the call. What is missing,
// refused or malformed stays so until somebody changes it, and is none.
func (k Kind) outage() push.Outage {
	switch k {
	case KindThrottled:
		return push.OutageThrottled
	case KindUnavailable, KindUnreachable:
		return push.OutageDown
	case KindExpired, KindCredentials, KindClock:
		return push.OutageAccess // a role's are renewed, a clock is set
	case KindMissing, KindDenied, KindRegion, KindUnclassified, KindEncryption, KindTooLarge, KindConditional, KindValidation, KindDeletedLate:
	}
	return ""
}

// class is one row of the table: the error codes of the services that mean one
// kind, and what to do about it.
type class struct {
	kind  Kind
	codes []string // as in the API reference of the service
	text  string
}

// classes is the table, in the order in which an operator meets them. Codes are
// from the "Errors" of each operation in the API references of SQS, SNS,
// DynamoDB, S3 and STS and from the common errors
// (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/CommonErrors.html,
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html,
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html).
func classes() []class {
	return []class{
		{KindCredentials, []string{
			"UnrecognizedClientException", "InvalidClientTokenId", "InvalidAccessKeyId", "InvalidSecurity", "SignatureDoesNotMatch",
			"InvalidSignatureException", "IncompleteSignature", "IncompleteSignatureException", "MissingAuthenticationToken",
			"MissingAuthenticationTokenException", "InvalidToken", "OptInRequired",
		}, "no usable AWS credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run under a role"},
		{KindExpired, []string{
			"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "RequestExpired",
		}, "the AWS credentials have expired: sign in again, or let the role renew them"},
		{KindClock, []string{
			"RequestTimeTooSkewed",
		}, "this machine's clock differs from AWS's by more than 5 minutes: synchronise it"},
		{KindRegion, []string{
			"PermanentRedirect", "TemporaryRedirect", "Redirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException",
			"InvalidRegion", "RegionDisabledException",
		}, "wrong or missing AWS region: set AWS_REGION to the region that holds the resources"},
		{KindMissing, []string{
			"QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue", "InvalidAddress",
			"NotFound", "NotFoundException",
			"ResourceNotFoundException", "TableNotFoundException", "IndexNotFoundException",
			"NoSuchBucket",
		}, "does not exist in this account and region: run belfry provision, or check the prefix and AWS_REGION"},
		{KindDenied, []string{
			"AccessDenied", "AccessDeniedException", "AllAccessDisabled", "AccountProblem", "AuthorizationError",
			"AuthorizationErrorException", "NotAuthorized", "UnauthorizedOperation", "SignedRequestNotAllowed",
		}, "access denied: allow this call in the policies of the credentials' user or role"},
		{KindEncryption, []string{
			"KmsAccessDenied", "KMSAccessDenied", "KMSAccessDeniedException", "KMS.AccessDeniedException", "KmsDisabled", "KMSDisabled",
			"KMS.DisabledException", "KmsInvalidKeyUsage", "KmsInvalidState", "KMSInvalidState", "KMS.InvalidStateException", "KmsNotFound",
			"KMSNotFound", "KMS.NotFoundException", "KmsOptInRequired", "KMSOptInRequired",
		}, "the KMS key cannot be used: allow kms:GenerateDataKey and kms:Decrypt, and check that the key is enabled"},
		{KindThrottled, []string{
			"Throttling", "ThrottlingException", "ThrottledException", "Throttled", "RequestThrottled", "RequestThrottledException",
			"RequestLimitExceeded", "ProvisionedThroughputExceededException", "TooManyRequestsException", "LimitExceededException",
			"SlowDown", "OverLimit", "BandwidthLimitExceeded", "EC2ThrottledException", "PriorRequestNotComplete",
			"TransactionInProgressException", "KmsThrottled", "KMSThrottling", "KMS.ThrottlingException",
		}, "throttled by AWS: slow down, or raise the limit"},
		{KindTooLarge, []string{
			"BatchRequestTooLong", "BatchRequestTooLongException", "ItemCollectionSizeLimitExceededException", "EntityTooLarge",
		}, "larger than AWS allows"},
		{KindConditional, []string{
			"ConditionalCheckFailedException", "PreconditionFailed", "ConditionalRequestConflict",
		}, "a conditional write lost against another one"},
		{KindDeletedLate, []string{
			"QueueDeletedRecently", "AWS.SimpleQueueService.QueueDeletedRecently",
		}, "a queue of that name was deleted less than 60 seconds ago: wait and try again"},
		{KindValidation, []string{
			"ValidationException", "ValidationError", "InvalidParameter", "InvalidParameterValue", "InvalidParameterException",
			"InvalidParameterCombination", "MissingParameter", "InvalidAction", "UnknownOperationException", "UnsupportedOperation",
			"InvalidRequest", "InvalidArgument", "InvalidAttributeName", "InvalidAttributeValue", "InvalidMessageContents",
		}, "AWS refused the call as malformed; this is a fault of Belfry or of the settings named in it"},
		{KindUnavailable, []string{
			"InternalServerError", "InternalError", "InternalFailure", "InternalErrorException", "ServiceUnavailable",
			"ServiceUnavailableException", "RequestTimeout", "RequestTimeoutException",
		}, "AWS is having trouble; Belfry keeps trying"},
		{KindUnreachable, nil, "cannot connect: check the network, AWS_REGION and AWS_ENDPOINT_URL"},
		{KindUnclassified, nil, "failed"},
	}
}
