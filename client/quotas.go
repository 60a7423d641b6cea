package client

// QuotaName names a quota: the setting that it is set with.
type QuotaName string

// The quotas.
const (
	QuotaRequests      QuotaName = "requests_per_second"
	QuotaKeyRequests   QuotaName = "key_requests_per_second"
	QuotaNotifications QuotaName = "notifications_per_minute"
	QuotaRecipients    QuotaName = "recipients_per_day"
	QuotaQueued        QuotaName = "queued_recipients"
)

// QuotaNames lists every quota.
func QuotaNames() []QuotaName {
	return []QuotaName{QuotaRequests, QuotaKeyRequests, QuotaNotifications, QuotaRecipients, QuotaQueued}
}
