package wire

import (
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

// The types of event that are told to whoever follows what happens (GET /v1/events), and are
// not published: there is one for every request.
const (
	EventAccepted = "push.notification.accepted.v1"
	EventChanged  = "push.notification.changed.v1"
	EventAudited  = "push.audit.recorded.v1"
)

// Accepted tells that a notification or batch was accepted.
type Accepted struct {
	AcceptedAt time.Time         `json:"accepted_at" doc:"when it was durable"`
	App        string            `json:"app" doc:"of the tenant"`
	ExpiresAt  time.Time         `json:"expires_at,omitzero" doc:"what is open then expires; of a batch that has a time of its own only"`
	ID         push.ID           `json:"id" doc:"the notification or batch"`
	Labels     map[string]string `json:"labels" nullable:"true" doc:"those of the request; null if it has none"`
	Lane       string            `json:"lane" enum:"high,bulk" doc:"that it is sent on"`
	Sources    int64             `json:"sources" minimum:"0" doc:"addresses, users and topics that it names; 0 of a batch"`
	Tenant     string            `json:"tenant" doc:"whose notification it is"`
}

// EventType implements [Data].
func (Accepted) EventType() string { return EventAccepted }

// Changed tells that somebody uploaded to a batch, or started, paused, resumed or cancelled it or a notification.
type Changed struct {
	App     string            `json:"app" doc:"of the tenant"`
	Change  string            `json:"change" enum:"uploaded,started,finished,paused,resumed,cancelled" doc:"what was done; finished: the upload of a batch that was started early"`
	ID      push.ID           `json:"id" doc:"the notification or batch"`
	Labels  map[string]string `json:"labels" nullable:"true" doc:"those of the request; null if it has none"`
	Sources int64             `json:"sources" minimum:"0" doc:"addresses, users and topics that it names; of a batch, those uploaded so far"`
	State   push.State        `json:"state" doc:"that it has now"`
	Tenant  string            `json:"tenant" doc:"whose notification it is"`
}

// EventType implements [Data].
func (Changed) EventType() string { return EventChanged }

// Audited tells that the audit log has another entry; the log has all of it.
type Audited struct {
	Action     string `json:"action" doc:"a route's operationId, or what a command does"`
	Code       string `json:"code,omitempty" doc:"of the problem, if it was refused"`
	Kind       string `json:"kind" enum:"change,read" doc:"why it is in the log"`
	RequestID  string `json:"request_id,omitempty" doc:"as the answer and the server's log have it"`
	Status     int    `json:"status,omitempty" doc:"of HTTP"`
	TargetID   string `json:"target_id,omitempty" doc:"which one was asked for"`
	TargetKind string `json:"target_kind,omitempty" doc:"what was asked for, such as notifications"`
	Tenant     string `json:"tenant" doc:"whose log has it"`
	Who        string `json:"who" doc:"the caller, by name"`
}

// EventType implements [Data].
func (Audited) EventType() string { return EventAudited }

// Live returns one value of every type of data that only those who follow are told.
func Live() []Data { return []Data{Accepted{}, Changed{}, Audited{}} }
