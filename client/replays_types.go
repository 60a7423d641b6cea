package client

import (
	"encoding/json"
	"time"
)

// ReplayEdits change what a replay sends, not what is stored.
type ReplayEdits struct {
	Priority    string          `json:"priority,omitempty" enum:"high,normal,bulk" doc:"lane; default the replay lane, behind live traffic"`
	Patch       json.RawMessage `json:"patch,omitempty" doc:"RFC 6902 JSON Patch that is applied to each message"`
	ExpireAfter string          `json:"expire_after,omitempty" doc:"new deadline of every letter, counted from when it is sent: a duration such as 1h; without it expired letters stay"`
}

// SimulateRequest asks what a replay would come to now.
type SimulateRequest struct {
	Filter DeadLetterFilter `json:"filter"`
	All    bool             `json:"all,omitempty" doc:"required for a filter that takes every letter"`
	Edits  *ReplayEdits     `json:"edits,omitempty"`
	Rate   float64          `json:"rate,omitempty" doc:"letters a second, for the estimate of time"`
	By     string           `json:"by,omitempty" doc:"for the record; at most 100 bytes"`
}

// Simulation is what a replay of a set of letters would have done at a moment. A
// replay quotes its id and replays exactly these letters.
type Simulation struct {
	ID                 string                        `json:"id"`
	By                 string                        `json:"by,omitempty"`
	At                 time.Time                     `json:"at"`
	ExpiresAt          time.Time                     `json:"expires_at" doc:"until when it can be quoted"`
	Filter             DeadLetterFilter              `json:"filter" doc:"with the states and the time that bound the set"`
	Edits              *ReplayEdits                  `json:"edits,omitempty"`
	Rate               float64                       `json:"rate,omitempty"`
	Total              int64                         `json:"total" doc:"letters in the set"`
	Sends              int64                         `json:"sends" doc:"of those, letters that would be sent"`
	Counts             map[string]int64              `json:"counts" doc:"letters by prediction; they add up to total"`
	PossibleDuplicates int64                         `json:"possible_duplicates" doc:"letters that would be sent and may have arrived before"`
	Unwatched          int64                         `json:"unwatched" doc:"letters that would be sent and are whole messages: nobody watches what becomes of them, neither a canary nor stop_if_refail"`
	Samples            map[string][]SimulationSample `json:"samples" doc:"a few letters of each prediction"`
	MessageBefore      json.RawMessage               `json:"message_before,omitempty" doc:"of one edited message"`
	MessageAfter       json.RawMessage               `json:"message_after,omitempty"`
	Seconds            float64                       `json:"seconds" doc:"estimate of how long sending takes"`
	CostUSD            float64                       `json:"cost_usd" doc:"estimate of what it costs"`
}

// SimulationSample is one letter and what was found.
type SimulationSample struct {
	Letter string `json:"letter"`
	Why    string `json:"why,omitempty"`
}

// ReplayRequest starts a replay of what was simulated.
type ReplayRequest struct {
	Simulation   string  `json:"simulation" doc:"id, at most an hour old"`
	Canary       float64 `json:"canary,omitempty" doc:"share that is sent first, 0..1; the rest follows when its outcomes are known"`
	Rate         float64 `json:"rate,omitempty" doc:"letters a second; 0 for no limit"`
	StopIfRefail float64 `json:"stop_if_refail,omitempty" doc:"stop when more than this share, 0..1, failed again; 0 never stops"`
	Max          int64   `json:"max,omitempty" doc:"letters to send at most; 0 for all"`
	By           string  `json:"by,omitempty" doc:"for the record; at most 100 bytes"`
}

// The states of a replay.
const (
	ReplayRunning   = "running"   // executed, or about to be
	ReplayPaused    = "paused"    // by an operator
	ReplayStopped   = "stopped"   // by itself: too many letters failed again
	ReplayCancelled = "cancelled" // for good
	ReplayCompleted = "completed" // every letter of its set was looked at
)

// Replay is how a replay stands. Lists leave out what needs counting: the fields
// from InHand on.
type Replay struct {
	ID            string           `json:"id"`
	State         string           `json:"state" enum:"running,paused,stopped,cancelled,completed"`
	Why           string           `json:"why,omitempty" doc:"of the last change"`
	By            string           `json:"by,omitempty" doc:"who started it"`
	Simulation    string           `json:"simulation"`
	Filter        DeadLetterFilter `json:"filter"`
	Edits         *ReplayEdits     `json:"edits,omitempty"`
	Canary        float64          `json:"canary,omitempty"`
	Rate          float64          `json:"rate,omitempty"`
	StopIfRefail  float64          `json:"stop_if_refail,omitempty"`
	Max           int64            `json:"max,omitempty"`
	MessageBefore json.RawMessage  `json:"message_before,omitempty" doc:"one message as it was"`
	MessageAfter  json.RawMessage  `json:"message_after,omitempty" doc:"and as it is sent"`
	CreatedAt     time.Time        `json:"created_at"`
	UpdatedAt     time.Time        `json:"updated_at"`
	EndedAt       *time.Time       `json:"ended_at,omitempty"`
	Phase         string           `json:"phase" enum:"canary,watch,main,settle" doc:"sends the canary, waits for its outcomes, sends the rest, waits for the last outcomes"`
	Round         int              `json:"round" doc:"letters whose chunk was in delivery are looked at again in another round"`
	Owner         string           `json:"owner,omitempty" doc:"who executes it"`
	Total         int64            `json:"total" doc:"letters of its set, when it was simulated"`
	Skipped       map[string]int64 `json:"skipped,omitempty" doc:"letters that the present round did not send, by what was found"`

	InHand    int64            `json:"in_hand" doc:"claimed, and sent or about to be"`
	Sent      int64            `json:"sent" doc:"letters sent again"`
	Known     int64            `json:"known" doc:"of those, with an outcome"`
	Refailed  int64            `json:"refailed" doc:"of those, failed again"`
	Unwatched int64            `json:"unwatched" doc:"of those sent, whole events, notifications and chunks that went back to their queues: nobody watches what becomes of them, and those that die again are new letters"`
	ByOutcome map[string]int64 `json:"by_outcome,omitempty" doc:"letters sent again by their outcome; open is none yet"`
}

// ReplayList is a page of replays, oldest first.
type ReplayList struct {
	Items      []Replay `json:"items"`
	NextCursor string   `json:"next_cursor,omitempty"`
}

// Done tells whether nothing more happens unless somebody acts.
func (r *Replay) Done() bool { return r.State != ReplayRunning }
