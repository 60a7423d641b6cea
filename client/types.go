// Package client is the public Go client of Belfry's HTTP API v1, and the home
// of the API's types: the server answers with exactly these.
package client

import (
	"cmp"
	"encoding/json"
	"strings"
	"time"
)

// Target is whom a notification goes to; exactly one field is set. At most
// 1,000 items; more is a batch.
type Target struct {
	Tokens    []string `json:"tokens,omitempty" doc:"FCM registration tokens"`
	FIDs      []string `json:"fids,omitempty" doc:"Firebase installation ids"`
	UserIDs   []string `json:"user_ids,omitempty" doc:"users; every active device of each"`
	DeviceIDs []string `json:"device_ids,omitempty" doc:"ids of registered devices"`
	Topic     string   `json:"topic,omitempty" doc:"FCM topic name, without /topics/"`
	Condition string   `json:"condition,omitempty" doc:"boolean expression over at most five topics"`
}

// Request is the body of POST /v1/notifications and, without To, of
// POST /v1/batches.
type Request struct {
	To           *Target           `json:"to,omitempty"`
	Message      json.RawMessage   `json:"message" doc:"FCM v1 Message object without its target"`
	Priority     string            `json:"priority,omitempty" enum:"high,normal,bulk" doc:"lane; high is high on the way to the phone too, unless the message says otherwise; default normal"`
	Guarantee    string            `json:"delivery_guarantee,omitempty" enum:"at_least_once,at_most_once" doc:"default at_least_once"`
	CollapseID   string            `json:"collapse_id,omitempty" doc:"later notifications with the same id replace earlier ones on the device; at most 64 bytes"`
	ExpiresAt    *time.Time        `json:"expires_at,omitempty" doc:"nothing is sent after this time, and what is left of it goes out as android.ttl, apns-expiration and web push TTL, unless the message has its own"`
	TTL          string            `json:"ttl,omitempty" doc:"instead of expires_at: a duration such as 90s or 24h. Without either Belfry tries for 24h, and the platforms keep their own defaults"`
	Labels       map[string]string `json:"labels,omitempty" doc:"at most 20, for filters and reports"`
	Throttle     *Throttle         `json:"throttle,omitempty" doc:"batch only: its pace"`
	ValidateOnly bool              `json:"validate_only,omitempty" doc:"check only; nothing is accepted, and the answer has the message as it would go out"`
}

// Throttle is the pace of a batch.
type Throttle struct {
	PerSecond int `json:"per_second" minimum:"1" maximum:"1000000" doc:"recipients sent to in a second, at most"`
}

// Notification is the state of a notification or, with the fields from Received
// on, of a batch.
type Notification struct {
	ID          string            `json:"id" doc:"empty for validate_only"`
	State       string            `json:"state" enum:"uploading,accepted,sending,paused,completed,cancelled,dead_lettered,valid" doc:"valid answers validate_only: nothing was accepted"`
	Priority    string            `json:"priority"`
	Labels      map[string]string `json:"labels,omitempty"`
	AcceptedAt  time.Time         `json:"accepted_at"`
	StartedAt   *time.Time        `json:"started_at,omitempty"`
	CompletedAt *time.Time        `json:"completed_at,omitempty"`
	ExpiresAt   *time.Time        `json:"expires_at,omitempty" doc:"absent until a batch is started"`
	Recipients  int64             `json:"recipients" doc:"deliveries known so far: planned ones, and one for every source not planned yet"`
	Counts      *Counts           `json:"counts,omitempty"`
	Message     json.RawMessage   `json:"message,omitempty" doc:"of validate_only: the message as it would go out now, without its target"`
	// Batch only.
	Received       *int64     `json:"received,omitempty" doc:"upload lines that are durable"`
	Invalid        *int64     `json:"invalid,omitempty" doc:"upload lines refused"`
	Blank          int64      `json:"blank,omitempty" doc:"upload lines with nothing on them: received = invalid + blank + lines that name a recipient"`
	Duplicates     *int64     `json:"duplicates,omitempty" doc:"upload lines whose recipient an earlier line has named; they end as suppressed"`
	UncheckedFrom  *int64     `json:"duplicates_unchecked_from,omitempty" doc:"warning: repetitions of upload lines from this one on may have gone unnoticed, because the batch is larger than what the server remembers"`
	UploadOpen     bool       `json:"upload_open,omitempty" doc:"it was started early: recipients may still be added"`
	Rate           *float64   `json:"rate,omitempty" doc:"outcomes per second since the first"`
	ETASeconds     *float64   `json:"eta_seconds,omitempty" doc:"estimate until nothing is open, at that rate; absent while it is paused, or its upload goes on"`
	Throttle       *Throttle  `json:"throttle,omitempty" doc:"its pace; absent if it has no limit of its own"`
	Links          Links      `json:"links"`
	UploadURL      string     `json:"upload_url,omitempty" doc:"where to POST recipients"`
	FirstOutcomeAt *time.Time `json:"first_activity_at,omitempty"`
	LastOutcomeAt  *time.Time `json:"last_activity_at,omitempty"`
}

// Counts add up at every moment: accepted = the sum of by_class, in which open
// has what is not decided.
type Counts struct {
	Accepted           int64            `json:"accepted"`
	Open               int64            `json:"open"`
	Sent               int64            `json:"sent"`
	Permanent          int64            `json:"permanent"`
	Ambiguous          int64            `json:"ambiguous"`
	Suppressed         int64            `json:"suppressed"`
	Expired            int64            `json:"expired"`
	Cancelled          int64            `json:"cancelled"`
	DeadLettered       int64            `json:"dead_lettered"`
	ByCode             map[string]int64 `json:"by_code" doc:"outcomes by code; open ones are not in it"`
	PossibleDuplicates int64            `json:"possible_duplicates"`
}

// Links are the URLs of related resources, relative to the server.
type Links struct {
	Self       string `json:"self"`
	Deliveries string `json:"deliveries,omitempty"`
	Events     string `json:"events,omitempty" doc:"server-sent events until it is done"`
	Recipients string `json:"recipients,omitempty"`
	Start      string `json:"start,omitempty"`
	Cancel     string `json:"cancel,omitempty"`
}

// NotificationList is a page of notifications, newest first.
type NotificationList struct {
	Items      []Notification `json:"items"`
	NextCursor string         `json:"next_cursor,omitempty" doc:"absent on the last page"`
}

// Delivery is one recipient's row. In a report it may also be an upload line
// that was refused: then its class is [ClassInvalid], it has a Pointer and a
// Detail, and there is no chunk.
type Delivery struct {
	Line              int64     `json:"line,omitempty" doc:"upload line, from 1"`
	Chunk             int       `json:"chunk" required:"false" doc:"absent of a refused line"`
	Index             int       `json:"index" required:"false" doc:"position in the chunk; absent of a refused line"`
	Class             string    `json:"class" doc:"of the outcome; invalid: the upload line was refused"`
	Code              string    `json:"code" doc:"of the outcome; of a refused line, the kind of fault"`
	Pointer           string    `json:"pointer,omitempty" doc:"of a refused line: what is wrong, as a JSON pointer"`
	Detail            string    `json:"detail,omitempty" doc:"why: of a refused line, and of an outcome that was decided without asking FCM"`
	PossibleDuplicate bool      `json:"possible_duplicate,omitempty"`
	DuplicateOf       int64     `json:"duplicate_of,omitempty" doc:"code duplicate: the upload line with the same recipient"`
	AddressHash       string    `json:"address_hash,omitempty" doc:"first 8 bytes of SHA-256 over kind:value, hex"`
	Attempts          []Attempt `json:"attempts,omitempty"`
}

// ClassInvalid is the class of a report's rows that are refused lines.
const ClassInvalid = "invalid"

// Attempt is one request to FCM.
type Attempt struct {
	Attempt   int       `json:"attempt"`
	At        time.Time `json:"at"`
	Code      string    `json:"code"`
	LatencyMS float64   `json:"latency_ms"`
	Detail    string    `json:"detail,omitempty" doc:"FCM's message name, or its words"`
}

// DeliveryList is a page of deliveries in the order of the plan.
type DeliveryList struct {
	Items      []Delivery `json:"items"`
	NextCursor string     `json:"next_cursor,omitempty"`
}

// UploadResult answers an upload part. Bad lines are reported, good ones kept:
// the part's lines = accepted + invalid + skipped.
type UploadResult struct {
	Accepted   int64       `json:"accepted" doc:"lines of this request that were good and are durable"`
	Duplicates int64       `json:"duplicates" doc:"those of accepted whose recipient an earlier line of the batch has named; they end as suppressed"`
	Invalid    int64       `json:"invalid" doc:"lines of this request that were refused"`
	Skipped    int64       `json:"skipped" doc:"lines that were blank, or durable already"`
	Watermark  int64       `json:"watermark" doc:"lines durable in all; continue with offset=watermark+1"`
	Errors     []LineError `json:"errors,omitempty" doc:"the first 100 refused lines"`
}

// LineError says what is wrong with one line.
type LineError struct {
	Line    int64  `json:"line" doc:"number in the whole upload, from 1"`
	Pointer string `json:"pointer"`
	Code    string `json:"code"`
	Detail  string `json:"detail"`
}

// Device is a registration. On PUT it is the full state.
type Device struct {
	ID            string            `json:"id,omitempty"`
	Token         string            `json:"token,omitempty" doc:"FCM registration token; give token or fid"`
	FID           string            `json:"fid,omitempty" doc:"Firebase installation id"`
	Platform      string            `json:"platform,omitempty" enum:"android,ios,web"`
	UserID        string            `json:"user_id,omitempty"`
	Locale        string            `json:"locale,omitempty" doc:"BCP 47"`
	Timezone      string            `json:"timezone,omitempty" doc:"IANA name"`
	AppVersion    string            `json:"app_version,omitempty"`
	Attributes    map[string]string `json:"attributes,omitempty"`
	State         string            `json:"state,omitempty" enum:"active,quarantined" doc:"set by the server" readOnly:"true"`
	Source        string            `json:"source,omitempty" doc:"set by the server: api, import or send" readOnly:"true"`
	QuarantinedAt *time.Time        `json:"quarantined_at,omitempty" readOnly:"true"`
	LastSuccessAt *time.Time        `json:"last_success_at,omitempty" doc:"may lag by up to 7 days" readOnly:"true"`
	LastFailureAt *time.Time        `json:"last_failure_at,omitempty" readOnly:"true"`
	LastFailure   string            `json:"last_failure,omitempty" doc:"outcome code" readOnly:"true"`
	CreatedAt     *time.Time        `json:"created_at,omitempty" readOnly:"true"`
	UpdatedAt     *time.Time        `json:"updated_at,omitempty" readOnly:"true"`
}

// DeviceList is a page of devices.
type DeviceList struct {
	Items      []Device `json:"items"`
	NextCursor string   `json:"next_cursor,omitempty"`
}

// ImportResult answers a device import.
type ImportResult struct {
	Imported int64       `json:"imported"`
	Invalid  int64       `json:"invalid"`
	Errors   []LineError `json:"errors,omitempty" doc:"the first 100 refused lines"`
}

// Problem is an RFC 9457 problem document, the body of every error answer.
//
//nolint:errname // the name of the format; as an error it is what the server said
type Problem struct {
	Type      string         `json:"type"`
	Title     string         `json:"title"`
	Status    int            `json:"status"`
	Detail    string         `json:"detail,omitempty"`
	Code      string         `json:"code" doc:"stable, for programs"`
	RequestID string         `json:"request_id"`
	Errors    []ProblemError `json:"errors,omitempty"`
}

// ProblemError is one fault of a request.
type ProblemError struct {
	Pointer string `json:"pointer"`
	Code    string `json:"code"`
	Detail  string `json:"detail"`
}

// Error implements error.
func (p *Problem) Error() string {
	var b strings.Builder
	b.WriteString(cmp.Or(p.Detail, p.Title, p.Code))
	for _, e := range p.Errors {
		b.WriteString("\n  " + e.Pointer + ": " + e.Detail)
	}
	return b.String()
}
