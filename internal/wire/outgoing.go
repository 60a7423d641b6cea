package wire

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

// Data is what an outgoing event tells. Each type of event has one type of data
// in this file; docs/events.md has its JSON Schema. No event has an address or a
// text of a message.
//
// Fields stand in the order of their JSON names: the bytes are those that
// programs before these types wrote, from maps.
type Data interface {
	// EventType returns the CloudEvents type of the events that have such data.
	EventType() string
}

// Outcome tells that nothing of a chunk is open any more.
type Outcome struct {
	App                string            `json:"app" doc:"of the tenant"`
	ByCode             map[string]int64  `json:"by_code" doc:"outcomes by code"`
	Chunk              int               `json:"chunk" minimum:"0" doc:"which part of the notification, from 0"`
	ID                 push.ID           `json:"id" doc:"the notification or batch"`
	Labels             map[string]string `json:"labels" nullable:"true" doc:"those of the request; null if it has none"`
	PossibleDuplicates int64             `json:"possible_duplicates" minimum:"0" doc:"recipients who may have been sent to twice"`
	Recipients         int64             `json:"recipients" minimum:"1" doc:"of the chunk; the sum of by_code"`
	Tenant             string            `json:"tenant" doc:"whose notification it is"`
}

// EventType implements [Data].
func (Outcome) EventType() string { return EventOutcome }

// Completed tells that nothing of a notification is open any more.
type Completed struct {
	AcceptedAt         time.Time         `json:"accepted_at" doc:"when the notification was durable"`
	App                string            `json:"app" doc:"of the tenant"`
	ByCode             map[string]int64  `json:"by_code" doc:"outcomes by code"`
	CompletedAt        time.Time         `json:"completed_at" doc:"when nothing was open any more"`
	ID                 push.ID           `json:"id" doc:"the notification or batch"`
	Labels             map[string]string `json:"labels" nullable:"true" doc:"those of the request; null if it has none"`
	PossibleDuplicates int64             `json:"possible_duplicates" minimum:"0" doc:"recipients who may have been sent to twice"`
	Recipients         int64             `json:"recipients" minimum:"0" doc:"in all; the sum of by_code"`
	Tenant             string            `json:"tenant" doc:"whose notification it is"`
}

// EventType implements [Data].
func (Completed) EventType() string { return EventCompleted }

// Held tells that a part of a notification waits for an operator, because FCM
// refused it for everybody.
type Held struct {
	App       string            `json:"app" doc:"of the tenant"`
	Code      push.Code         `json:"code" doc:"the refusal"`
	ExpiresAt time.Time         `json:"expires_at" doc:"what is held then ends as expired"`
	ID        push.ID           `json:"id" doc:"the notification or batch"`
	Labels    map[string]string `json:"labels" nullable:"true" doc:"those of the request; null if it has none"`
	Platform  string            `json:"platform" enum:"unknown,android,ios,web,topic" doc:"whose recipients wait; unknown: of no known one"`
	Refused   int               `json:"refused" minimum:"1" doc:"recipients that had been refused when it was held"`
	Scattered bool              `json:"scattered" doc:"others of the platform get the message: only who is refused with the code waits"`
	Since     time.Time         `json:"since" doc:"since when it waits"`
	Tenant    string            `json:"tenant" doc:"whose notification it is"`
}

// EventType implements [Data].
func (Held) EventType() string { return EventHeld }

// DeviceQuarantined tells that nothing is sent to a device any more.
type DeviceQuarantined struct {
	At       time.Time     `json:"at" doc:"when it was put in quarantine"`
	Code     push.Code     `json:"code" doc:"the outcome that said so"`
	DeviceID push.ID       `json:"device_id" doc:"the device"`
	Platform push.Platform `json:"platform" enum:"android,ios,web," doc:"empty if it is not known"`
	Tenant   string        `json:"tenant" doc:"whose device it is"`
	UserID   string        `json:"user_id" doc:"empty if the device belongs to nobody"`
}

// EventType implements [Data].
func (DeviceQuarantined) EventType() string { return EventDeviceQuarantined }

// BreakerChanged tells that sends through a credential are held back, tried or
// let through again.
type BreakerChanged struct {
	At         time.Time `json:"at" doc:"when it changed"`
	By         string    `json:"by,omitempty" doc:"the operator who changed it; absent: it changed by itself"`
	Cause      push.Code `json:"cause" doc:"of the answer that opened it; open (no outcome) unless to is open and by is absent"`
	Credential string    `json:"credential" doc:"Firebase project that the credential is of"`
	From       string    `json:"from" doc:"the state that it had" enum:"closed,half_open,open"`
	Reason     string    `json:"reason,omitempty" doc:"the operator's"`
	To         string    `json:"to" enum:"closed,half_open,open" doc:"closed: requests pass; half_open: a few do, as a probe; open: none does"`
	Until      time.Time `json:"until" doc:"before it nothing probes; 0001-01-01T00:00:00Z unless to is open. With by, how long an operator holds it so; 0001-01-01T00:00:00Z: until it is reset"`
}

// EventType implements [Data].
func (BreakerChanged) EventType() string { return EventBreakerChanged }

// CredentialInvalid tells that Google does not take the credential of an app any more: what
// the app has to send waits until another one is uploaded, or Google takes it again.
type CredentialInvalid struct {
	App     string    `json:"app" doc:"whose credential it is"`
	At      time.Time `json:"at" doc:"when that was found out"`
	KeyID   string    `json:"key_id" doc:"private_key_id of the key, by which Google's console lists it; may be empty"`
	Project string    `json:"project" doc:"Firebase project that the credential is of"`
	Reason  string    `json:"reason" doc:"in Google's words"`
	Tenant  string    `json:"tenant" doc:"whose app it is"`
}

// EventType implements [Data].
func (CredentialInvalid) EventType() string { return EventCredentialInvalid }

// Reconciled tells that the janitor found something of a notification for which
// no queue message answered any more, and had it sent anew or expired.
type Reconciled struct {
	App        string            `json:"app" doc:"of the tenant"`
	Chunks     int               `json:"chunks" minimum:"0" doc:"parts whose queue message was lost"`
	Completes  bool              `json:"completes" doc:"everything has an outcome; only its end was not written"`
	Expired    bool              `json:"expired" doc:"it was too late to send: what was lost is expired instead"`
	ID         push.ID           `json:"id" doc:"the notification or batch"`
	Labels     map[string]string `json:"labels" nullable:"true" doc:"those of the request; null if it has none"`
	Pages      int               `json:"pages" minimum:"0" doc:"pages of recipients that had not been planned"`
	QuietSince time.Time         `json:"quiet_since" doc:"when something of it was written last"`
	Recipients int               `json:"recipients" minimum:"0" doc:"recipients of those parts"`
	Releases   bool              `json:"releases" doc:"what releases a throttled batch step by step was lost"`
	Replay     push.ID           `json:"replay,omitempty" doc:"the replay that had sent those recipients again; only of what a replay sent"`
	State      push.State        `json:"state" doc:"of the notification"`
	Tenant     string            `json:"tenant" doc:"whose notification it is"`
}

// EventType implements [Data].
func (Reconciled) EventType() string { return EventReconciled }

// ReplayChanged tells that a replay of dead letters was started, paused,
// resumed, stopped, cancelled or completed.
type ReplayChanged struct {
	At         time.Time `json:"at" doc:"when it changed"`
	ID         push.ID   `json:"id" doc:"the replay"`
	Simulation push.ID   `json:"simulation" doc:"the simulation that it carries out"`
	State      string    `json:"state" doc:"the state that it has now" enum:"running,paused,stopped,cancelled,completed"`
	Tenant     string    `json:"tenant" doc:"whose letters it sends again; empty for those of several tenants"`
	Total      int64     `json:"total" minimum:"0" doc:"dead letters of its set, when it was simulated"`
	Why        string    `json:"why" doc:"of the change; may be empty"`
}

// EventType implements [Data].
func (ReplayChanged) EventType() string { return EventReplayChanged }

// Outgoing returns one value of every type of data, in the order of docs/events.md.
func Outgoing() []Data {
	return []Data{Outcome{}, Completed{}, Held{}, DeviceQuarantined{}, BreakerChanged{}, CredentialInvalid{}, Reconciled{}, ReplayChanged{}}
}

// NewEvent returns an outgoing event with a new id. traceParent is the request's,
// or "". The error is about data that JSON cannot tell, such as a time after the
// year 9999.
func NewEvent(source, subject, traceParent string, at time.Time, data Data) (Event, error) {
	body, err := json.Marshal(data)
	if err != nil {
		return Event{}, fmt.Errorf("encode the data of %s: %w", data.EventType(), err)
	}
	return Event{
		Source: source, ID: string(push.NewID(push.PrefixEvent)), Type: data.EventType(), Subject: subject,
		Time: at.UTC(), TraceParent: traceParent, Data: body,
	}, nil
}
