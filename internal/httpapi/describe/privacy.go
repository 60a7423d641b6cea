package describe

import (
	"encoding/json"

	"github.com/belfry-push/belfry/client"
)

// privacySamples are of the bodies of privacy requests.
func privacySamples() []any {
	const id = "prv_01890a5d-ac96-774b-bcce-b302099a8057"
	ended := sampleTime(12)
	counts := client.PrivacyCounts{Devices: 2, Notifications: 31, Deliveries: 44, Open: 1, PageRows: 3, DeadLetters: 1, Tombstones: 3}
	receipt := &client.PrivacyReceipt{
		Version: 1, Request: id, Tenant: "acme", Action: client.PrivacyErase, By: "support", Reference: "ticket 4711", CreatedAt: sampleTime(0),
		EndedAt: ended, Counts: counts, Hashes: []string{"ZAYiXpLkGTo0VbEKPlcqWg"}, PublicKey: "n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=",
		Signature: "8kVUI0ev0rAx…",
	}
	request := client.PrivacyRequest{
		ID: id, Action: client.PrivacyErase, State: client.PrivacyDone, By: "support", Reference: "ticket 4711", CreatedAt: sampleTime(0),
		EndedAt: &ended, Counts: counts, Receipt: receipt,
	}
	return []any{
		client.PrivacyOrder{Action: client.PrivacyErase, UserID: "u-42", Reference: "ticket 4711"},
		request,
		client.PrivacyList{Items: []client.PrivacyRequest{request}},
		client.PrivacyRow{Delivery: &client.PrivacyDelivery{
			Notification: "ntf_01890a5d-ac96-774b-bcce-b302099a8057", AcceptedAt: sampleTime(0),
			Message: json.RawMessage(`{"notification":{"title":"Your order has shipped"}}`), Code: client.CodeSent,
			Class: client.ClassSent, At: &ended,
		}},
	}
}
