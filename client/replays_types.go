package client

import (
	"encoding/json"
	"time"
)

// ReplayEdits change what a replay sends, not what is stored.
type ReplayEdits struct {
	Priority    Priority        `json:"priority,omitempty" enum:"high,normal,bulk" doc:"lane; default the replay lane, behind live traffic"`
	Patch       json.RawMessage `json:"patch,omitempty" doc:"RFC 6902 JSON Patch that is applied to each message"`
	ExpireAfter string          `json:"expire_after,omitempty" doc:"new deadline, counted from sending: 1h; without it expired letters stay"`
}

// SimulateRequest asks what a replay would come to now.
type SimulateRequest struct {
	Filter DeadLetterFilter `json:"filter" doc:"which letters"`
	All    bool             `json:"all,omitempty" doc:"required for a filter that takes every letter"`
	Edits  *ReplayEdits     `json:"edits,omitempty" doc:"what the replay would change"`
	Rate   float64          `json:"rate,omitempty" doc:"letters a second, for the estimate of time"`
	By     string           `json:"by,omitempty" doc:"for the record; at most 100 bytes"`
}

// Simulation is what a replay of a set of letters would have done at a moment. A
// replay quotes its id and replays exactly these letters.
type Simulation struct {
	ID                 string                        `json:"id" doc:"sim_ and a UUID"`
	By                 string                        `json:"by,omitempty" doc:"who asked"`
	At                 time.Time                     `json:"at" doc:"when it was made"`
	ExpiresAt          time.Time                     `json:"expires_at" doc:"until when it can be quoted"`
	Filter             DeadLetterFilter              `json:"filter" doc:"with the states and the time that bound the set"`
	Edits              *ReplayEdits                  `json:"edits,omitempty" doc:"what the replay would change"`
	Rate               float64                       `json:"rate,omitempty" doc:"letters a second that the estimate goes by"`
	Total              int64                         `json:"total" doc:"letters in the set"`
	Sends              int64                         `json:"sends" doc:"of those, letters that would be sent"`
	Counts             map[string]int64              `json:"counts" doc:"letters by prediction; they add up to total"`
	PossibleDuplicates int64                         `json:"possible_duplicates" doc:"letters that would be sent and may have arrived before"`
	Unwatched          int64                         `json:"unwatched" doc:"whole messages to send: no canary or stop_if_refail watches them"`
	Samples            map[string][]SimulationSample `json:"samples" doc:"a few letters of each prediction"`
	MessageBefore      json.RawMessage               `json:"message_before,omitempty" doc:"of one edited message"`
	MessageAfter       json.RawMessage               `json:"message_after,omitempty" doc:"and as it would be sent"`
	Seconds            float64                       `json:"seconds" doc:"estimate of how long sending takes"`
	CostUSD            float64                       `json:"cost_usd" doc:"estimate of what it costs"`
}

// SimulationSample is one letter and what was found.
type SimulationSample struct {
	Letter string `json:"letter" doc:"id of the letter"`
	Why    string `json:"why,omitempty" doc:"what the prediction rests on"`
}

// ReplayRequest starts a replay of what was simulated.
type ReplayRequest struct {
	Simulation   string  `json:"simulation" doc:"id, at most an hour old"`
	Canary       float64 `json:"canary,omitempty" doc:"share sent first; the rest follows when its outcomes are known; default 0.01, at least 10 letters, at most half"`
	Rate         float64 `json:"rate,omitempty" doc:"letters a second; 0 for no limit"`
	StopIfRefail float64 `json:"stop_if_refail,omitempty" doc:"stop when more than this share, 0..1, failed again; 0 never stops; default 0.2"`
	AtOnce       bool    `json:"at_once,omitempty" doc:"without canary and stop_if_refail, unless they are given: everything is sent as fast as it can"`
	Max          int64   `json:"max,omitempty" doc:"letters to send at most; 0 for all"`
	By           string  `json:"by,omitempty" doc:"for the record; at most 100 bytes"`
}

// Replay is how a replay stands. Lists leave out what needs counting: the fields
// from InHand on.
type Replay struct {
	ID            string           `json:"id" doc:"rpl_ and a UUID"`
	State         ReplayState      `json:"state" doc:"where it stands" enum:"running,paused,stopped,cancelled,completed"`
	Why           string           `json:"why,omitempty" doc:"of the last change"`
	By            string           `json:"by,omitempty" doc:"who started it"`
	Simulation    string           `json:"simulation" doc:"the simulation that it carries out"`
	Filter        DeadLetterFilter `json:"filter" doc:"the letters of its set"`
	Edits         *ReplayEdits     `json:"edits,omitempty" doc:"what it changes in what it sends"`
	Canary        float64          `json:"canary,omitempty" doc:"share that is sent first, 0 to 1"`
	Rate          float64          `json:"rate,omitempty" doc:"letters a second; absent: no limit"`
	StopIfRefail  float64          `json:"stop_if_refail,omitempty" doc:"share that may fail again before it stops"`
	Max           int64            `json:"max,omitempty" doc:"letters to send at most; absent: all"`
	MessageBefore json.RawMessage  `json:"message_before,omitempty" doc:"one message as it was"`
	MessageAfter  json.RawMessage  `json:"message_after,omitempty" doc:"and as it is sent"`
	CreatedAt     time.Time        `json:"created_at" doc:"when it was started"`
	UpdatedAt     time.Time        `json:"updated_at" doc:"when it changed last"`
	EndedAt       *time.Time       `json:"ended_at,omitempty" doc:"when it ended"`
	Phase         string           `json:"phase" enum:"canary,watch,main,settle" doc:"sends a part, awaits it, sends the rest, awaits it"`
	Round         int              `json:"round" doc:"letters whose chunk was in delivery are looked at again in another round"`
	Owner         string           `json:"owner,omitempty" doc:"who executes it"`
	Total         int64            `json:"total" doc:"letters of its set, when it was simulated"`
	Skipped       map[string]int64 `json:"skipped,omitempty" doc:"letters that the present round did not send, by what was found"`
	RefailedBy    map[Code]int64   `json:"refailed_by,omitempty" doc:"letters that failed again by the code of their last attempt"`
	Next          string           `json:"next,omitempty" doc:"what an operator does now; absent while it runs and when nothing is left to do"`

	InHand    int64          `json:"in_hand" doc:"claimed, and sent or about to be"`
	Sent      int64          `json:"sent" doc:"letters sent again"`
	Known     int64          `json:"known" doc:"of those, with an outcome"`
	Refailed  int64          `json:"refailed" doc:"of those, failed again"`
	Unwatched int64          `json:"unwatched" doc:"of those sent, whole messages: nobody watches them; those that die again are new letters"`
	ByOutcome map[Code]int64 `json:"by_outcome,omitempty" doc:"letters sent again by their outcome; open is none yet"`
}

// ReplayList is a page of replays, oldest first.
type ReplayList struct {
	Items      []Replay `json:"items" doc:"the replays"`
	NextCursor string   `json:"next_cursor,omitempty" doc:"absent on the last page"`
}

// Done reports whether nothing more happens unless somebody acts.
func (r *Replay) Done() bool { return r.State != ReplayRunning }
