package describe

import (
	"crypto/sha256"
	"encoding/json"
	"strings"

	"github.com/belfry-push/belfry/client"
)

// auditSamples are the bodies of the audit log.
func auditSamples() []any {
	entry := client.AuditEntry{
		Tenant: "default", Seq: 41, Time: sampleTime(20), Who: client.AuditWho{Name: "key:9f86d081"}, Action: "cancelNotification",
		Kind: client.AuditChange, Target: &client.AuditTarget{Kind: "notifications", ID: sampleBat}, From: "192.0.2.7",
		Call: "req-1042", Trace: "4bf92f3577b34da6a3ce929d0e0e4736", Status: 200,
	}
	raw, _ := json.Marshal(entry) // a sample is always encodable
	return []any{
		client.AuditList{Items: []client.AuditEntry{entry}},
		client.AuditLine{Block: 41, Entry: raw, Hash: strings.Repeat("9f", sha256.Size)},
		client.AuditTenants{Tenants: []string{"default"}},
	}
}
