package wire

import (
	"encoding/json"
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

// Envelope is what stands around the data of every outgoing event.
type Envelope struct {
	SpecVersion     string `json:"specversion" doc:"of CloudEvents" enum:"1.0"`
	ID              string `json:"id" pattern:"^evt_" doc:"with source, unique: a consumer that has seen both has seen the event"`
	Source          string `json:"source" minLength:"1" doc:"belfry"`
	Type            string `json:"type" pattern:"^push\\." doc:"says what data is"`
	Subject         string `json:"subject" minLength:"1" doc:"the id of the notification, device or replay, or the Firebase project"`
	Time            string `json:"time" format:"date-time" doc:"when it was published, UTC"`
	DataContentType string `json:"datacontenttype" doc:"of data" enum:"application/json"`

	TraceParent string `json:"traceparent,omitempty" pattern:"^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}" doc:"of the request (W3C)"`

	Data json.RawMessage `json:"data" doc:"what happened"`
}

// Sample is an outgoing event as the documents show it.
type Sample struct {
	Subject, TraceParent string
	Data                 Data
}

// Samples returns one event of every type, in the order of [Outgoing].
func Samples() []Sample {
	const (
		ntfID   = push.ID("ntf_01890a5d-ac96-774b-bcce-b302099a8057")
		traceID = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	)
	at := time.Date(2026, 11, 21, 9, 30, 0, 123_000_000, time.UTC)
	labels := map[string]string{"team": "orders"}
	return []Sample{
		{string(ntfID), traceID, Outcome{
			ByCode: map[string]int64{"sent": 498, "fcm.unregistered": 2}, Chunk: 7, ID: ntfID, Labels: labels, Recipients: 500, Tenant: "default",
		}},
		{string(ntfID), traceID, Completed{
			AcceptedAt: at.Add(-time.Minute), ByCode: map[string]int64{"sent": 9_870, "fcm.unregistered": 117, "expired": 13}, CompletedAt: at,
			ID: ntfID, Labels: labels, PossibleDuplicates: 3, Recipients: 10_000, Tenant: "default",
		}},
		{string(ntfID), traceID, Held{
			Code: push.CodeFCMThirdPartyAuth, ExpiresAt: at.Add(24 * time.Hour), ID: ntfID, Platform: "ios", Refused: 20, Since: at,
			Tenant: "default",
		}},
		{"phone-1", "", DeviceQuarantined{
			At: at, Code: push.CodeFCMUnregistered, DeviceID: "phone-1", Platform: push.PlatformAndroid, Tenant: "default", UserID: "u-42",
		}},
		{"my-app-1a2b3", "", BreakerChanged{ //nolint:gosec // a project is no secret
			At: at, Cause: push.CodeFCMUnavailable, Credential: "my-app-1a2b3", From: "closed", To: "open", Until: at.Add(30 * time.Second),
		}},
		{"default/shop", "", CredentialInvalid{
			App: "shop", At: at, KeyID: "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c", Project: "my-app-1a2b3",
			Reason: "the token endpoint (oauth2.googleapis.com) said 400 invalid_grant: Invalid JWT Signature.", Tenant: "default",
		}},
		{string(ntfID), traceID, Reconciled{
			Chunks: 3, ID: ntfID, Labels: labels, QuietSince: at.Add(-20 * time.Minute), Recipients: 1_500, State: push.StateSending,
			Tenant: "default",
		}},
		{"rpl_01890a5d-ac96-774b-bcce-b302099a8058", "", ReplayChanged{
			At: at, ID: "rpl_01890a5d-ac96-774b-bcce-b302099a8058", Simulation: "sim_01890a5d-ac96-774b-bcce-b302099a8059", State: "stopped",
			Total: 1_204,
			Why:   "31 of 300 letters failed again",
		}},
	}
}

// LiveSamples returns one event of every type that only those who follow are told, in the order of [Live].
func LiveSamples() []Sample {
	const id = push.ID("bat_01890a5d-ac96-774b-bcce-b302099a8061")
	labels := map[string]string{"team": "orders"}
	return []Sample{
		{string(id), "", Accepted{
			AcceptedAt: time.Date(2026, 11, 21, 9, 30, 0, 123_000_000, time.UTC), App: "shop", ID: id, Labels: labels,
			Lane: "bulk", Tenant: "default",
		}},
		{string(id), "", Changed{
			App: "shop", Change: "uploaded", ID: id, Labels: labels, Sources: 10_000, State: push.StateUploading, Tenant: "default",
		}},
		{string(id), "", Audited{
			Action: "startBatch", Kind: "change", RequestID: "req-1", Status: 200, TargetID: string(id), TargetKind: "batches", Tenant: "default",
			Who: "ada",
		}},
	}
}

// Event returns the sample as it is published, with an id that is always the same.
func (s Sample) Event() (Event, error) {
	e, err := NewEvent("belfry", s.Subject, s.TraceParent, time.Date(2026, 11, 21, 9, 30, 0, 456_000_000, time.UTC), s.Data)
	e.ID = "evt_01890a5d-ac96-774b-bcce-b302099a8060"
	return e, err
}
