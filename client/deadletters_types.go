package client

import (
	"encoding/json"
	"time"
)

// DeadLetter is what could not be delivered or understood, with its story. The
// fields from Advice on are filled for a single letter only.
type DeadLetter struct {
	ID             string            `json:"id" doc:"dlt_ and a UUID"`
	State          DeadLetterState   `json:"state" doc:"where it stands" enum:"parked,replaying,replayed,discarded"`
	Kind           string            `json:"kind" enum:"recipient,message" doc:"one recipient of a chunk, or a whole queue message"`
	Tenant         string            `json:"tenant,omitempty" doc:"absent where a message does not say"`
	App            string            `json:"app,omitempty" doc:"FCM project"`
	Queue          string            `json:"queue" doc:"source queue on which it died"`
	Code           Code              `json:"code" doc:"why it is dead"`
	LastCode       Code              `json:"last_code,omitempty" doc:"what the last attempt came to"`
	Class          Class             `json:"class" doc:"of the last attempt's code, else of code"`
	Detail         string            `json:"detail,omitempty" doc:"last evidence: FCM's words, or an error text"`
	Attempts       int               `json:"attempts" doc:"tries of the last series; of a message, receives"`
	Series         int               `json:"series,omitempty" doc:"replays that this recipient had been through before it died"`
	ReplayOf       string            `json:"replay_of,omitempty" doc:"replay after which it died again"`
	NotificationID string            `json:"notification_id,omitempty" doc:"of the notification or batch; absent where a message does not say"`
	Chunk          int               `json:"chunk" doc:"which part of the notification, from 0"`
	Index          int               `json:"index" doc:"position in the chunk; -1 for a message"`
	Line           int64             `json:"line,omitempty" doc:"upload line, from 1"`
	AddressKind    string            `json:"address_kind,omitempty" doc:"what kind of address it is about"`
	AddressHash    string            `json:"address_hash,omitempty" doc:"first 8 bytes of SHA-256 of kind:value, hex; exports have it whole"`
	UserID         string            `json:"user_id,omitempty" doc:"whose device it is"`
	DeviceID       string            `json:"device_id,omitempty" doc:"the device, if it is registered"`
	AcceptedAt     *time.Time        `json:"accepted_at,omitempty" doc:"of the notification; of a message, when it was first sent"`
	DeadAt         time.Time         `json:"dead_at" doc:"when it was given up"`
	StoredAt       time.Time         `json:"stored_at" doc:"when the dead-letter store took it"`
	TraceParent    string            `json:"traceparent,omitempty" doc:"W3C trace context of the request"`
	Software       string            `json:"software,omitempty" doc:"version of the program that gave up on it"`
	Labels         map[string]string `json:"labels,omitempty" doc:"of the notification"`
	Fingerprint    string            `json:"fingerprint" doc:"of its group"`
	Template       string            `json:"template,omitempty" doc:"of the notification, if it has one"`
	Pattern        string            `json:"pattern,omitempty" doc:"detail with everything folded that differs between letters of a group"`
	ReplayID       string            `json:"replay_id,omitempty" doc:"replay that claimed it last"`
	Outcome        Code              `json:"outcome,omitempty" doc:"what became of it after that"`
	MovedAt        *time.Time        `json:"moved_at,omitempty" doc:"when its state changed last"`
	Reason         string            `json:"reason,omitempty" doc:"of the last move"`
	By             string            `json:"by,omitempty" doc:"who discarded it"`

	Advice        *DeadLetterAdvice `json:"advice,omitempty" doc:"what an operator should know of its code"`
	Prediction    string            `json:"prediction,omitempty" doc:"what a replay would come to now; parked letters only"`
	Why           string            `json:"why,omitempty" doc:"what the prediction rests on"`
	Ledger        Code              `json:"ledger,omitempty" doc:"the recipient's outcome in the ledger now; absent if it is gone from there"`
	Evidence      []Attempt         `json:"evidence,omitempty" doc:"every attempt; 0 is a replay (code open) or an outcome without FCM"`
	ExpiresAt     *time.Time        `json:"expires_at,omitempty" doc:"deadline of its notification: after it only a replay with expire_after sends it"`
	KeptUntil     *time.Time        `json:"kept_until,omitempty" doc:"when retention gives the parked letter up; absent without a policy"`
	Message       json.RawMessage   `json:"message,omitempty" doc:"of its notification"`
	EditedMessage json.RawMessage   `json:"edited_message,omitempty" doc:"as its replay sent it, if it edited it"`
	Body          []byte            `json:"body,omitempty" doc:"of a message, base64; only when asked for, because it may hold addresses"`
	BodyBytes     int               `json:"body_bytes,omitempty" doc:"bytes of a message too large for a dead letter; its beginning is kept"`
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
	Items      []DeadLetter `json:"items" doc:"the letters"`
	NextCursor string       `json:"next_cursor,omitempty" doc:"absent on the last page"`
}

// DeadLetterGroup is what letters of one cause have in common.
type DeadLetterGroup struct {
	Fingerprint string                    `json:"fingerprint" doc:"by which letters of one cause are known"`
	Count       int64                     `json:"count" doc:"letters in the states asked for"`
	Code        Code                      `json:"code" doc:"why they are dead"`
	LastCode    Code                      `json:"last_code,omitempty" doc:"what their last attempts came to"`
	Class       Class                     `json:"class" doc:"of the last attempt's code, else of code"`
	App         string                    `json:"app,omitempty" doc:"FCM project"`
	Template    string                    `json:"template,omitempty" doc:"of their notifications, if they have one"`
	Pattern     string                    `json:"pattern,omitempty" doc:"their detail with everything folded that differs"`
	ByState     map[DeadLetterState]int64 `json:"by_state" doc:"in every state"`
	Tenants     map[string]int64          `json:"tenants" doc:"letters by tenant"`
	Queues      map[string]int64          `json:"queues" doc:"letters by source queue"`
	FirstDeadAt time.Time                 `json:"first_dead_at" doc:"when the first of them was given up"`
	LastDeadAt  time.Time                 `json:"last_dead_at" doc:"when the last of them was given up"`
	Sample      string                    `json:"sample" doc:"one of its letters"`
	Advice      DeadLetterAdvice          `json:"advice" doc:"what an operator should know of the cause"`
	Sources     *DeadLetterSources        `json:"sources,omitempty" doc:"the notifications behind them; of the 20 largest groups"`
}

// DeadLetterSources are the notifications and labels that most dead letters are of.
type DeadLetterSources struct {
	Looked            int64              `json:"looked" doc:"letters that this is of: the newest and the oldest 200; all of them where there are no more"`
	Notifications     []DeadLetterSource `json:"notifications" doc:"at most three, that of most letters first"`
	Labels            []DeadLetterLabel  `json:"labels" doc:"at most three, that of most letters first"`
	MoreNotifications int                `json:"more_notifications,omitempty" doc:"how many others there are"`
	MoreLabels        int                `json:"more_labels,omitempty" doc:"how many others there are"`
}

// DeadLetterSource is a notification that dead letters are of.
type DeadLetterSource struct {
	ID      string `json:"id" doc:"of the notification or batch"`
	Title   string `json:"title,omitempty" doc:"that it shows"`
	Letters int64  `json:"letters" doc:"its letters among those looked at"`
}

// DeadLetterLabel is a label of notifications that dead letters are of.
type DeadLetterLabel struct {
	Name    string `json:"name" doc:"of the label"`
	Value   string `json:"value" doc:"of the label"`
	Letters int64  `json:"letters" doc:"letters with it among those looked at"`
}

// DeadLetterExpiry says what retention will soon give up.
type DeadLetterExpiry struct {
	Letters int64      `json:"letters" doc:"parked letters that are given up within the warning time"`
	Within  string     `json:"within" doc:"the warning time, such as 168h0m0s"`
	FirstAt *time.Time `json:"first_at,omitempty" doc:"when the first of them is given up"`
}

// DeadLetterGroups are groups, the largest first.
type DeadLetterGroups struct {
	Items  []DeadLetterGroup `json:"items" doc:"the groups"`
	Total  int               `json:"total" doc:"groups in all; items has at most limit of them"`
	Expiry *DeadLetterExpiry `json:"expiry,omitempty" doc:"absent without a retention policy"`
}

// DeadLetterStats are sums over letters: by state over all, by anything else over
// the states asked for, parked ones if none were.
type DeadLetterStats struct {
	ByState     map[DeadLetterState]int64 `json:"by_state" doc:"over all letters"`
	ByQueue     map[string]int64          `json:"by_queue" doc:"by source queue"`
	ByCode      map[Code]int64            `json:"by_code" doc:"of the last attempt, else of the death"`
	ByClass     map[Class]int64           `json:"by_class" doc:"of the last attempt's code, else of the death's"`
	ByTenant    map[string]int64          `json:"by_tenant" doc:"by tenant"`
	ByApp       map[string]int64          `json:"by_app" doc:"by FCM project"`
	Groups      int                       `json:"groups" doc:"causes"`
	FirstDeadAt *time.Time                `json:"first_dead_at,omitempty" doc:"when the first of them was given up"`
	LastDeadAt  *time.Time                `json:"last_dead_at,omitempty" doc:"when the last of them was given up"`
	Expiry      *DeadLetterExpiry         `json:"expiry,omitempty" doc:"absent without a retention policy"`
	Sources     *DeadLetterSources        `json:"sources,omitempty" doc:"the notifications behind the letters; absent without any"`
}

// DeadLetterFilter chooses dead letters; what is set must all agree, and the zero
// filter takes all.
type DeadLetterFilter struct {
	IDs          []string          `json:"ids,omitempty" doc:"of letters; at most 1,000" maxItems:"1000"`
	States       []DeadLetterState `json:"states,omitempty" doc:"in one of these states" enum:"parked,replaying,replayed,discarded"`
	Queue        string            `json:"queue,omitempty" doc:"died on this source queue"`
	Tenant       string            `json:"tenant,omitempty" doc:"of this tenant"`
	App          string            `json:"app,omitempty" doc:"of this FCM project"`
	Code         Code              `json:"code,omitempty" doc:"why it is dead, or what the last attempt came to"`
	Class        Class             `json:"class,omitempty" doc:"of either code"`
	Fingerprint  string            `json:"fingerprint,omitempty" doc:"of this group"`
	Notification string            `json:"notification,omitempty" doc:"id of a notification or batch"`
	Replay       string            `json:"replay,omitempty" doc:"id of the replay that claimed it last"`
	Label        string            `json:"label,omitempty" doc:"name, or name=value"`
	Text         string            `json:"text,omitempty" doc:"in the evidence, user id, device id or label values; ignores case"`
	Older        string            `json:"older,omitempty" doc:"dead for at least that long, such as 2h"`
	Younger      string            `json:"younger,omitempty" doc:"dead for less than that"`
	DeadAfter    *time.Time        `json:"dead_after,omitempty" doc:"given up at this time or later"`
	DeadBefore   *time.Time        `json:"dead_before,omitempty" doc:"given up before this time"`
	StoredBefore *time.Time        `json:"stored_before,omitempty" doc:"taken by the store before this time"`
}

// DiscardRequest gives parked letters up.
type DiscardRequest struct {
	Filter DeadLetterFilter `json:"filter" doc:"which letters"`
	All    bool             `json:"all,omitempty" doc:"required for a filter that takes every letter"`
	Reason string           `json:"reason" doc:"kept in the tombstones; at most 500 bytes"`
	Expect int64            `json:"expect,omitempty" doc:"how many letters the caller was shown: if more match now, nothing is discarded"`
	By     string           `json:"by,omitempty" doc:"for the record; at most 100 bytes"`
}

// Discarded answers a discard.
type Discarded struct {
	Discarded int64 `json:"discarded" doc:"letters that were given up"`
}

// Drained says what was moved from the dead-letter queues into the store.
type Drained struct {
	Messages int64 `json:"messages" doc:"taken from the dead-letter queues"`
	Letters  int64 `json:"letters" doc:"found in them"`
	Stored   int64 `json:"stored" doc:"of those, new to the store"`
	Left     int64 `json:"left" doc:"messages of a newer program, left on their queue"`
	Mended   int64 `json:"mended,omitempty" doc:"letters that held others which had been moved off their queue: they are letters of their own again"`
	More     bool  `json:"more,omitempty" doc:"time was up before the queues were empty: drain again"`
}

// ArchiveResult answers an import of an archive.
type ArchiveResult struct {
	Letters int64       `json:"letters" doc:"in the archive"`
	Stored  int64       `json:"stored" doc:"of those, new to the store"`
	Errors  []LineError `json:"errors,omitempty" doc:"lines that hold no valid letter and were passed over"`
}
