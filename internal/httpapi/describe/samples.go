package describe

import (
	"encoding/json"
	"reflect"
	"time"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/message"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/replay/predict"
	"github.com/belfry-push/belfry/internal/telemetry"
)

// The ids of the samples.
const (
	sampleNtf = "ntf_01890a5d-ac96-774b-bcce-b302099a8057"
	sampleBat = "bat_01890a5d-ac96-774b-bcce-b302099a8058"
	sampleDlt = "dlt_01890a5d-ac96-774b-bcce-b302099a805a"
	sampleSim = "sim_01890a5d-ac96-774b-bcce-b302099a8059"
	sampleRpl = "rpl_01890a5d-ac96-774b-bcce-b302099a805b"
	sampleFP  = "3f2a9c0d1b4e5f60"
)

func sampleTime(minutes int) time.Time {
	return time.Date(2026, 11, 21, 9, minutes, 0, 0, time.UTC)
}

func sampleUsage() client.Usage {
	return client.Usage{
		Tenant: "acme", App: "shop", Day: "2026-11-20", Requests: 12, Recipients: 1_000_011, Sent: 998_000, Permanent: 1_900, Ambiguous: 11,
		Suppressed: 100, Invalid: 3, PossibleDuplicates: 11, BillableUnits: 998_011, CostUSD: 0.131240117, Final: true,
	}
}

// samples are bodies by their type.
func samples() map[reflect.Type]any {
	all := map[reflect.Type]any{}
	listed := sampleNotification()
	listed.Message = nil // a list leaves it out
	for _, v := range []any{
		SampleRequest(), sampleNotification(),
		client.PauseRequest{Scope: client.PauseLabel, Label: "campaign=spring", Reason: "wrong price in the text"},
		samplePause(),
		client.BreakerRequest{Reason: "FCM incident 42", For: "30m"},
		sampleBreaker(),
		client.BreakerList{Items: []client.Breaker{sampleBreaker()}},
		sampleStatus(),
		client.PauseList{Items: []client.Pause{samplePause()}},
		client.QuotaList{Items: []client.Quota{{
			Quota: client.QuotaRecipients, Tenant: "acme", Policy: "recipients_per_day", Limit: 1_000_000, Used: 250_000, Left: 750_000,
			Unit: "recipients", Window: 86_400, WholeAt: new(sampleTime(60)), Over: "defer",
		}}},
		client.NotificationList{Items: []client.Notification{listed}},
		sampleDelivery(),
		client.DeliveryList{Items: []client.Delivery{sampleDelivery()}},
		sampleTrace(),
		client.UploadResult{
			Accepted: 998, Duplicates: 3, Invalid: 1, Skipped: 1, Watermark: 1000,
			Errors: []client.LineError{{Line: 17, Pointer: "/token", Code: push.FaultValue, Detail: "must not be empty"}},
		},
		sampleDevice(),
		client.DeviceList{Items: []client.Device{sampleDevice()}},
		sampleApproval(),
		client.ApprovalList{Items: []client.Approval{sampleApproval()}},
		sampleUsage(),
		client.UsageList{Items: []client.Usage{sampleUsage()}, AsOf: sampleTime(20), Complete: true},
		client.ImportResult{
			Imported: 4_999, Invalid: 1,
			Errors: []client.LineError{{Line: 42, Pointer: "/platform", Code: push.FaultValue, Detail: "must be one of android, ios, web"}},
		},
		sampleCredential(),
		client.CredentialList{Items: []client.Credential{sampleCredential()}},
		telemetry.Report{Status: telemetry.StatusOK, Checks: []telemetry.CheckResult{
			{Name: "ledger", Status: telemetry.StatusOK, Since: sampleTime(0), AgeSeconds: 0.4},
		}},
	} {
		all[reflect.TypeOf(v)] = v
	}
	for _, v := range auditSamples() {
		all[reflect.TypeOf(v)] = v
	}
	for _, v := range tenantSamples() {
		all[reflect.TypeOf(v)] = v
	}
	for _, v := range privacySamples() {
		all[reflect.TypeOf(v)] = v
	}
	for _, v := range letterSamples() {
		all[reflect.TypeOf(v)] = v
	}
	return all
}

func sampleMessage() json.RawMessage {
	return json.RawMessage(`{"notification":{"title":"Your order is on its way","body":"It arrives tomorrow."},"data":{"order":"1042"},` +
		`"android":{"notification":{"channel_id":"orders"}},"apns":{"payload":{"aps":{"sound":"default"}}}}`)
}

// SampleRequest is a notification that is asked for.
func SampleRequest() client.Request {
	return client.Request{
		To: &client.Target{UserIDs: []string{"ada"}}, Message: sampleMessage(), Priority: client.PriorityHigh, TTL: "24h",
		Labels: map[string]string{"team": "orders"},
	}
}

// SampleBatchRequest is a batch that is asked for.
func SampleBatchRequest() client.Request {
	return client.Request{
		Message: sampleMessage(), Priority: client.PriorityBulk, Labels: map[string]string{"campaign": "autumn"},
		Throttle: &client.Throttle{PerSecond: 2_000},
	}
}

// sampleAccepted is a notification as it was accepted.
func sampleAccepted() client.Notification {
	at, end := sampleTime(30), sampleTime(30).Add(24*time.Hour)
	return client.Notification{
		ID: sampleNtf, State: client.StateAccepted, Priority: client.PriorityHigh, Labels: map[string]string{"team": "orders"},
		Sender: "key:9f86d081", AcceptedAt: at,
		ExpiresAt: &end, Recipients: 1,
		Links: client.Links{
			Self: "/v1/notifications/" + sampleNtf, Deliveries: "/v1/notifications/" + sampleNtf + "/deliveries",
			Events: "/v1/notifications/" + sampleNtf + "/events", Cancel: "/v1/notifications/" + sampleNtf + "/cancel",
		},
	}
}

func sampleNotification() client.Notification {
	n := sampleAccepted()
	n.State, n.Recipients = client.StateCompleted, 2
	n.Title, n.Message = "Your order is on its way", sampleMessage()
	n.CompletedAt = new(sampleTime(31))
	n.Counts = &client.Counts{Accepted: 2, Sent: 2, ByCode: map[client.Code]int64{client.CodeSent: 2}}
	n.FirstOutcomeAt, n.LastOutcomeAt = new(sampleTime(30)), new(sampleTime(31))
	return n
}

// SampleValid is a notification that was only checked.
func SampleValid() client.Notification {
	n := sampleAccepted()
	n.ID, n.State, n.Links, n.Recipients, n.Message = "", client.StateValid, client.Links{}, 3, sampleMessage()
	n.Preview = &client.Preview{
		Sends: 2, ByPlatform: client.PlatformCounts{Android: 1, IOS: 1}, Quarantined: 1,
		Sizes: []client.MessageSize{
			{Platform: client.PlatformAndroid, Bytes: 170, Limit: message.Limit},
			{Platform: client.PlatformIOS, Bytes: 162, Limit: message.Limit},
			{Platform: client.PlatformWeb, Bytes: 161, Limit: message.Limit},
		},
		NotChecked: []string{"whether FCM accepts the tokens: only a send shows which are dead"},
	}
	return n
}

// SampleBatch is a batch that is being sent.
func SampleBatch() client.Notification { return sampleBatch(client.StateSending) }

// SampleNewBatch is a batch as it was created.
func SampleNewBatch() client.Notification {
	n := sampleBatch(client.StateUploading)
	n.Counts, n.Received, n.Invalid, n.Duplicates, n.Recipients = nil, new(int64(0)), new(int64(0)), new(int64(0)), 0
	return n
}

func sampleBatch(state client.State) client.Notification {
	n := client.Notification{
		ID: sampleBat, State: state, Priority: client.PriorityBulk, Labels: map[string]string{"campaign": "autumn"}, AcceptedAt: sampleTime(0),
		Sender:     "key:9f86d081",
		Recipients: 10_000, Received: new(int64(10_001)), Invalid: new(int64(1)), Duplicates: new(int64(12)),
		Counts: &client.Counts{
			Accepted: 10_000, Open: 4_000, Sent: 5_930, Permanent: 58, Suppressed: 12,
			ByCode: map[client.Code]int64{client.CodeSent: 5_930, client.CodeFCMUnregistered: 58, client.CodeDuplicate: 12},
		},
		Throttle: &client.Throttle{PerSecond: 2_000}, UploadURL: "/v1/batches/" + sampleBat + "/recipients",
		Links: client.Links{
			Self: "/v1/batches/" + sampleBat, Deliveries: "/v1/notifications/" + sampleBat + "/deliveries",
			Events: "/v1/batches/" + sampleBat + "/events", Recipients: "/v1/batches/" + sampleBat + "/recipients",
			Start: "/v1/batches/" + sampleBat + "/start", Cancel: "/v1/batches/" + sampleBat + "/cancel",
		},
	}
	if state == client.StateSending {
		n.Waiting = &client.Waiting{
			Reason: client.WaitBreaker, Until: new(sampleTime(2)), Code: client.CodeFCMUnavailable,
			Text: "breaker open until " + sampleTime(2).Format("15:04:05 UTC") + " (fcm.unavailable)",
		}
	}
	if state == client.StateCompleted {
		n.Counts.Open, n.Counts.Sent, n.Counts.ByCode[client.CodeSent] = 0, 9_930, 9_930
		n.CompletedAt = new(sampleTime(6))
	}
	return n
}

func sampleDelivery() client.Delivery {
	return client.Delivery{
		Line: 7, Class: client.ClassSent, Code: client.CodeSent, UserID: "ada", DeviceID: "phone-1", AddressHash: "9f86d081884c7d65",
		Attempts: []client.Attempt{
			{Attempt: 1, At: sampleTime(30), Code: client.CodeFCMUnavailable, LatencyMS: 212.5, Detail: "503: the service is overloaded"},
			{Attempt: 2, At: sampleTime(31), Code: client.CodeSent, LatencyMS: 48.1, Detail: "projects/my-app/messages/0:1"},
		},
	}
}

func sampleTrace() client.Trace {
	return client.Trace{
		Notification: sampleNtf, State: client.StateCompleted,
		Deliveries: []client.TracedDelivery{{
			Delivery: sampleDelivery(), DeviceID: "phone-1", UserID: "ada", ChunkState: "closed", Meaning: "FCM accepted the message.",
			TookMS: new(1000.0),
			Steps: []client.TraceStep{
				{Step: "accepted", At: new(sampleTime(30))},
				{Step: "queued", At: new(sampleTime(30))},
				{Step: "expanded", At: new(sampleTime(30)), WaitedMS: new(3.0), Detail: "chunk 0, row 0"},
				{Step: "taken", At: new(sampleTime(30)), WaitedMS: new(5.0), Detail: "turn 1 of the chunk"},
				{Step: "attempt", At: new(sampleTime(31)), Attempt: 1, Class: client.ClassSent, Code: client.CodeSent, LatencyMS: new(48.1)},
				{Step: "outcome", At: new(sampleTime(31)), Class: client.ClassSent, Code: client.CodeSent},
				{Step: "event", At: new(sampleTime(31)), Detail: "push.delivery.outcome.v1"},
			},
		}},
	}
}

func sampleDevice() client.Device {
	return client.Device{ //nolint:gosec // a sample
		ID: "phone-1", Token: "fcm-token-1", Platform: client.PlatformAndroid, UserID: "ada", Locale: "de-DE", Timezone: "Europe/Berlin",
		AppVersion: "4.2.0", Attributes: map[string]string{"plan": "pro"}, State: client.DeviceActive, Source: "api",
		CreatedAt: new(sampleTime(0)), UpdatedAt: new(sampleTime(1)),
	}
}

// SampleServiceAccount is a key file, without its key.
func SampleServiceAccount() client.ServiceAccount {
	return client.ServiceAccount{ //nolint:gosec // a sample
		Type: "service_account", ProjectID: "my-app-1a2b3", PrivateKeyID: "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c",
		PrivateKey:  "-----BEGIN PRIVATE KEY-----\n…\n-----END PRIVATE KEY-----\n",
		ClientEmail: "firebase-adminsdk-x1y2z@my-app-1a2b3.iam.gserviceaccount.com", TokenURI: "https://oauth2.googleapis.com/token",
	}
}

func sampleCredential() client.Credential {
	return client.Credential{
		Tenant: "default", App: "shop", Project: "my-app-1a2b3", ClientEmail: "firebase-adminsdk-x1y2z@my-app-1a2b3.iam.gserviceaccount.com",
		KeyID: "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c", Fingerprint: "9f86d081884c7d65", State: client.CredentialValid,
		SealKey: "local:2c26b46b68ff", Since: sampleTime(0), By: "key:9f86d081", CheckedAt: new(sampleTime(0)),
	}
}

// SampleRegistration is what a client says of a device.
func SampleRegistration() client.Device {
	d := sampleDevice()
	d.State, d.Source, d.CreatedAt, d.UpdatedAt = "", "", nil, nil
	return d
}

// SamplePatch changes a language, and removes the user and one attribute.
func SamplePatch() client.DevicePatch {
	return client.DevicePatch{UserID: new(""), Locale: new("de-AT"), Attributes: map[string]*string{"plan": new("gold"), "trial": nil}}
}

// letterSamples are bodies of dead letters and replays.
func letterSamples() []any {
	filter := client.DeadLetterFilter{Fingerprint: sampleFP}
	letter := client.DeadLetter{
		ID: sampleDlt, State: client.DeadLetterParked, Kind: "recipient", Tenant: "default", App: "my-app", Queue: push.QueueBulk,
		Code: client.CodeAttemptsExhausted, LastCode: client.CodeFCMUnavailable, Class: client.ClassRetryable,
		Detail: "503: the service is overloaded", Attempts: 12, NotificationID: sampleBat, Chunk: 3, Index: 41, Line: 1_542,
		AddressKind: string(push.KindToken), AddressHash: "9f86d081884c7d65", AcceptedAt: new(sampleTime(0)), DeadAt: sampleTime(40),
		StoredAt: sampleTime(41), Fingerprint: sampleFP,
	}
	group := client.DeadLetterGroup{
		Fingerprint: sampleFP, Count: 1_204, Code: letter.Code, LastCode: letter.LastCode, Class: letter.Class, App: letter.App,
		ByState: map[client.DeadLetterState]int64{client.DeadLetterParked: 1_204}, Tenants: map[string]int64{"default": 1_204},
		Queues: map[string]int64{push.QueueBulk: 1_204}, FirstDeadAt: sampleTime(40), LastDeadAt: sampleTime(50), Sample: sampleDlt,
		Advice: client.DeadLetterAdvice{
			Cause: "FCM was overloaded or down.", Check: "Look at FCM's status page.", Replay: "Replay with a canary when it is over.",
			Runbook: "docs/runbooks/dead-letters.md#fcmunavailable",
		},
	}
	group.Sources = &client.DeadLetterSources{
		Looked: 400, Notifications: []client.DeadLetterSource{{ID: sampleBat, Title: "Sale starts now", Letters: 400}},
		Labels: []client.DeadLetterLabel{{Name: "campaign", Value: "autumn", Letters: 400}},
	}
	stats := client.DeadLetterStats{
		Sources: group.Sources,
		ByState: group.ByState, ByQueue: group.Queues, ByCode: map[client.Code]int64{letter.LastCode: 1_204},
		ByClass: map[client.Class]int64{letter.Class: 1_204}, ByTenant: group.Tenants, ByApp: map[string]int64{"my-app": 1_204}, Groups: 1,
		FirstDeadAt: new(sampleTime(40)), LastDeadAt: new(sampleTime(50)),
	}
	simulation := client.Simulation{
		ID: sampleSim, By: "ada", At: sampleTime(55), ExpiresAt: sampleTime(55).Add(time.Hour), Filter: filter, Total: 1_204, Sends: 1_190,
		Counts: map[string]int64{string(predict.WouldSend): 1_190, string(predict.Expired): 14},
		Samples: map[string][]client.SimulationSample{
			string(predict.Expired): {{Letter: sampleDlt, Why: "its deadline was 2026-11-21T09:50:00Z"}},
		},
		Seconds: 11.9, CostUSD: 0.01, Rate: 100,
	}
	replay := client.Replay{
		ID: sampleRpl, State: client.ReplayRunning, By: "ada", Simulation: sampleSim, Filter: filter, Canary: 0.05, Rate: 100, StopIfRefail: 0.1,
		CreatedAt: sampleTime(56), UpdatedAt: sampleTime(57), Phase: "main", Total: 1_204, InHand: 20, Sent: 400, Known: 380, Refailed: 2,
		ByOutcome: map[client.Code]int64{client.CodeSent: 378, client.CodeFCMUnregistered: 2, client.CodeOpen: 20},
	}
	return []any{
		letter,
		client.DeadLetterList{Items: []client.DeadLetter{letter}},
		client.DeadLetterGroups{Items: []client.DeadLetterGroup{group}, Total: 1},
		stats,
		client.DiscardRequest{Filter: filter, Reason: "the campaign is over", Expect: 1_204, By: "ada"},
		client.Drained{Messages: 11, Letters: 1_204, Stored: 1_204},
		client.Discarded{Discarded: 1_204},
		client.ArchiveResult{Letters: 1_204, Stored: 1_204},
		client.SimulateRequest{Filter: filter, Rate: 100, By: "ada"},
		simulation,
		client.ReplayRequest{Simulation: sampleSim, Canary: 0.05, Rate: 100, StopIfRefail: 0.1, By: "ada"},
		replay,
		client.ReplayList{Items: []client.Replay{replay}},
	}
}

func sampleApproval() client.Approval {
	return client.Approval{
		ID: "apr_01890a5d-ac96-774b-bcce-b302099a8057", State: client.ApprovalOpen, Action: "replay",
		About: "replay 12,000 letters, as simulation " + sampleSim, AskedBy: "key:0k3x9a7c2m1p", AskedAt: sampleTime(0),
		ExpiresAt: sampleTime(0).Add(time.Hour),
	}
}

func sampleBreaker() client.Breaker {
	since, until := sampleTime(20), sampleTime(50)
	return client.Breaker{
		Credential: "shop-prod", Processes: 2, State: "open", Since: &since, Until: &until,
		Override: &client.BreakerOverride{State: "open", By: "ada", Reason: "FCM incident 42", Since: since, Until: &until},
	}
}

func samplePause() client.Pause {
	return client.Pause{
		ID: "pse_01890a5d-ac96-774b-bcce-b302099a805c", Scope: client.PauseLabel, What: "label campaign=spring of tenant acme",
		Tenant: "acme", Label: "campaign=spring", Reason: "wrong price in the text", By: "ada", Since: sampleTime(30),
	}
}
