package client

import (
	"encoding/json"
	"time"
)

// DeadLetter is what could not be delivered or understood, with its story. The
// fields from Advice on are filled for a single letter only.
type DeadLetter struct {
	ID             string            `json:"id"`
	State          string            `json:"state" enum:"parked,replaying,replayed,discarded"`
	Kind           string            `json:"kind" enum:"recipient,message" doc:"one recipient of a chunk, or a whole queue message"`
	Tenant         string            `json:"tenant,omitempty" doc:"absent where a message does not say"`
	App            string            `json:"app,omitempty" doc:"FCM project"`
	Queue          string            `json:"queue" doc:"source queue on which it died"`
	Code           string            `json:"code" doc:"why it is dead"`
	LastCode       string            `json:"last_code,omitempty" doc:"what the last attempt came to"`
	Class          string            `json:"class" doc:"of the last attempt's code, else of code"`
	Detail         string            `json:"detail,omitempty" doc:"last evidence: FCM's words, or an error text"`
	Attempts       int               `json:"attempts" doc:"tries of the last series; of a message, receives"`
	Series         int               `json:"series,omitempty" doc:"replays that this recipient had been through before it died"`
	ReplayOf       string            `json:"replay_of,omitempty" doc:"replay after which it died again"`
	NotificationID string            `json:"notification_id,omitempty"`
	Chunk          int               `json:"chunk"`
	Index          int               `json:"index" doc:"position in the chunk; -1 for a message"`
	Line           int64             `json:"line,omitempty" doc:"upload line, from 1"`
	AddressKind    string            `json:"address_kind,omitempty"`
	AddressHash    string            `json:"address_hash,omitempty" doc:"first 8 bytes of SHA-256 over kind:value, hex; only an export has the address"`
	UserID         string            `json:"user_id,omitempty"`
	DeviceID       string            `json:"device_id,omitempty"`
	AcceptedAt     *time.Time        `json:"accepted_at,omitempty" doc:"of the notification; of a message, when it was first sent"`
	DeadAt         time.Time         `json:"dead_at"`
	StoredAt       time.Time         `json:"stored_at" doc:"when the dead-letter store took it"`
	TraceParent    string            `json:"traceparent,omitempty" doc:"W3C trace context of the request"`
	Software       string            `json:"software,omitempty" doc:"version of the program that gave up on it"`
	Labels         map[string]string `json:"labels,omitempty"`
	Fingerprint    string            `json:"fingerprint" doc:"of its group"`
	Template       string            `json:"template,omitempty"`
	Pattern        string            `json:"pattern,omitempty" doc:"detail with everything folded that differs between letters of a group"`
	ReplayID       string            `json:"replay_id,omitempty" doc:"replay that claimed it last"`
	Outcome        string            `json:"outcome,omitempty" doc:"what became of it after that"`
	MovedAt        *time.Time        `json:"moved_at,omitempty"`
	Reason         string            `json:"reason,omitempty" doc:"of the last move"`
	By             string            `json:"by,omitempty" doc:"who discarded it"`

	Advice        *DeadLetterAdvice `json:"advice,omitempty"`
	Prediction    string            `json:"prediction,omitempty" doc:"what a replay would come to now; parked letters only"`
	Why           string            `json:"why,omitempty" doc:"what the prediction rests on"`
	Ledger        string            `json:"ledger,omitempty" doc:"the recipient's outcome in the ledger now; absent if the ledger does not have it any more"`
	Evidence      []Attempt         `json:"evidence,omitempty" doc:"every attempt of the recipient; attempt 0 with code open marks a replay, with another code an outcome that was decided without asking FCM"`
	Message       json.RawMessage   `json:"message,omitempty" doc:"of its notification"`
	EditedMessage json.RawMessage   `json:"edited_message,omitempty" doc:"as its replay sent it, if it edited it"`
	Body          []byte            `json:"body,omitempty" doc:"of a message, byte for byte, base64; only when asked for: it may hold addresses"`
	BodyBytes     int               `json:"body_bytes,omitempty" doc:"how many bytes the message had, if it was too large for a dead letter and only its beginning is kept"`
}

// DeadLetterAdvice is what an operator should know of a code.
type DeadLetterAdvice struct {
	Cause   string `json:"cause" doc:"what is most likely wrong"`
	Check   string `json:"check" doc:"how to tell, and whether it is fixed"`
	Replay  string `json:"replay" doc:"whether to replay or to discard"`
	Runbook string `json:"runbook" doc:"section of the runbook"`
}

// DeadLetterList is a page of dead letters, newest first. A search for text may
// give a page with few letters, or none, and a cursor.
type DeadLetterList struct {
	Items      []DeadLetter `json:"items"`
	NextCursor string       `json:"next_cursor,omitempty"`
}

// DeadLetterGroup is what letters of one cause have in common.
type DeadLetterGroup struct {
	Fingerprint string           `json:"fingerprint"`
	Count       int64            `json:"count" doc:"letters in the states asked for"`
	Code        string           `json:"code"`
	LastCode    string           `json:"last_code,omitempty"`
	Class       string           `json:"class"`
	App         string           `json:"app,omitempty"`
	Template    string           `json:"template,omitempty"`
	Pattern     string           `json:"pattern,omitempty"`
	ByState     map[string]int64 `json:"by_state" doc:"in every state"`
	Tenants     map[string]int64 `json:"tenants"`
	Queues      map[string]int64 `json:"queues"`
	FirstDeadAt time.Time        `json:"first_dead_at"`
	LastDeadAt  time.Time        `json:"last_dead_at"`
	Sample      string           `json:"sample" doc:"one of its letters"`
	Advice      DeadLetterAdvice `json:"advice"`
}

// DeadLetterExpiry says what retention will soon give up.
type DeadLetterExpiry struct {
	Letters int64      `json:"letters" doc:"parked letters that are given up within the warning time"`
	Within  string     `json:"within" doc:"the warning time, such as 168h0m0s"`
	FirstAt *time.Time `json:"first_at,omitempty" doc:"when the first of them is given up"`
}

// DeadLetterGroups are groups, the largest first.
type DeadLetterGroups struct {
	Items  []DeadLetterGroup `json:"items"`
	Total  int               `json:"total" doc:"groups in all; items has at most limit of them"`
	Expiry *DeadLetterExpiry `json:"expiry,omitempty" doc:"absent without a retention policy"`
}

// DeadLetterStats are sums over letters: by state over all, by anything else over
// the states asked for, parked ones if none were.
type DeadLetterStats struct {
	ByState     map[string]int64  `json:"by_state"`
	ByQueue     map[string]int64  `json:"by_queue"`
	ByCode      map[string]int64  `json:"by_code" doc:"of the last attempt, else of the death"`
	ByClass     map[string]int64  `json:"by_class"`
	ByTenant    map[string]int64  `json:"by_tenant"`
	ByApp       map[string]int64  `json:"by_app"`
	Groups      int               `json:"groups"`
	FirstDeadAt *time.Time        `json:"first_dead_at,omitempty"`
	LastDeadAt  *time.Time        `json:"last_dead_at,omitempty"`
	Expiry      *DeadLetterExpiry `json:"expiry,omitempty" doc:"absent without a retention policy"`
}

// DeadLetterFilter chooses dead letters; what is set must all agree, and the zero
// filter takes all.
type DeadLetterFilter struct {
	IDs          []string   `json:"ids,omitempty" doc:"of letters; at most 1,000" maxItems:"1000"`
	States       []string   `json:"states,omitempty" enum:"parked,replaying,replayed,discarded"`
	Queue        string     `json:"queue,omitempty"`
	Tenant       string     `json:"tenant,omitempty"`
	App          string     `json:"app,omitempty"`
	Code         string     `json:"code,omitempty" doc:"why it is dead, or what the last attempt came to"`
	Class        string     `json:"class,omitempty" doc:"of either code"`
	Fingerprint  string     `json:"fingerprint,omitempty"`
	Notification string     `json:"notification,omitempty" doc:"id of a notification or batch"`
	Replay       string     `json:"replay,omitempty" doc:"id of the replay that claimed it last"`
	Label        string     `json:"label,omitempty" doc:"name, or name=value"`
	Text         string     `json:"text,omitempty" doc:"in the evidence, the ids of user and device, or the labels' values; without regard to case"`
	Older        string     `json:"older,omitempty" doc:"dead for at least that long, such as 2h"`
	Younger      string     `json:"younger,omitempty" doc:"dead for less than that"`
	DeadAfter    *time.Time `json:"dead_after,omitempty"`
	DeadBefore   *time.Time `json:"dead_before,omitempty"`
	StoredBefore *time.Time `json:"stored_before,omitempty"`
}

// DiscardRequest gives parked letters up.
type DiscardRequest struct {
	Filter DeadLetterFilter `json:"filter"`
	All    bool             `json:"all,omitempty" doc:"required for a filter that takes every letter"`
	Reason string           `json:"reason" doc:"kept in the tombstones; at most 500 bytes"`
	Expect int64            `json:"expect,omitempty" doc:"how many letters the caller was shown: if more match now, nothing is discarded"`
	By     string           `json:"by,omitempty" doc:"for the record; at most 100 bytes"`
}

// Discarded answers a discard.
type Discarded struct {
	Discarded int64 `json:"discarded"`
}

// ArchiveResult answers an import of an archive.
type ArchiveResult struct {
	Letters int64       `json:"letters" doc:"in the archive"`
	Stored  int64       `json:"stored" doc:"of those, new to the store"`
	Errors  []LineError `json:"errors,omitempty" doc:"lines that hold no valid letter and were passed over"`
}
