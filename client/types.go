// Package client is the public Go client of Belfry's HTTP API v1, and the home
// of the API's types: the server answers with exactly these.
//
// It has more than 2,500 lines, because every call takes and returns the API's types:
// with types and calls in two packages, each user would import both for a single call,
// and moving a type later breaks every user. A third of the lines are those types with
// the descriptions that the API document is generated from.
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
	App          string            `json:"app,omitempty" doc:"the app whose credential it is sent with; default: the tenant's app default"`
	To           *Target           `json:"to,omitempty" doc:"whom it is for; not of a batch"`
	Message      json.RawMessage   `json:"message" doc:"FCM v1 Message object without its target"`
	Priority     Priority          `json:"priority,omitempty" enum:"high,normal,bulk" doc:"the lane; high also on the phone; default normal"`
	Guarantee    Guarantee         `json:"delivery_guarantee,omitempty" enum:"at_least_once,at_most_once" doc:"default at_least_once"`
	CollapseID   string            `json:"collapse_id,omitempty" doc:"a later one with the same id replaces it on the device; up to 64 bytes"`
	ExpiresAt    *time.Time        `json:"expires_at,omitempty" doc:"nothing is sent after this; FCM gets what is left as TTL"`
	TTL          string            `json:"ttl,omitempty" doc:"instead of expires_at: 90s, 24h; without either, Belfry tries for 24h"`
	Labels       map[string]string `json:"labels,omitempty" doc:"at most 20, for filters and reports"`
	Throttle     *Throttle         `json:"throttle,omitempty" doc:"batch only: its pace"`
	ValidateOnly bool              `json:"validate_only,omitempty" doc:"only checks: state valid, with a preview and the message as it would go out"`
}

// Throttle is the pace of a batch.
type Throttle struct {
	PerSecond int `json:"per_second" minimum:"1" maximum:"1000000" doc:"recipients sent to in a second, at most"`
}

// Notification is the state of a notification or, with the fields from Received
// on, of a batch.
type Notification struct {
	ID          string            `json:"id" doc:"empty for validate_only"`
	State       State             `json:"state" doc:"where it stands; valid answers validate_only: nothing was accepted"`
	Priority    Priority          `json:"priority" doc:"its lane"`
	Title       string            `json:"title,omitempty" doc:"what the message shows as its title; absent if it shows none"`
	App         string            `json:"app,omitempty" doc:"the app whose credential it is sent with; absent for the tenant's app default"`
	Sender      string            `json:"sender,omitempty" doc:"who asked for it: key: and the first 8 hexadecimal digits of the API key's SHA-256, anonymous where no key is needed, or the source of its event"`
	Labels      map[string]string `json:"labels,omitempty" doc:"those of the request"`
	AcceptedAt  time.Time         `json:"accepted_at" doc:"when it was durable"`
	StartedAt   *time.Time        `json:"started_at,omitempty" doc:"when a batch was started, or sending began"`
	CompletedAt *time.Time        `json:"completed_at,omitempty" doc:"when nothing was open any more"`
	ExpiresAt   *time.Time        `json:"expires_at,omitempty" doc:"absent until a batch is started"`
	KeepDays    int               `json:"keep_days,omitempty" doc:"for how many days after its last change it is kept at most, settled when it was accepted; absent: as long as the server keeps what nobody bounded"`
	Recipients  int64             `json:"recipients" doc:"deliveries known so far: planned ones, and one for every source not planned yet"`
	Counts      *Counts           `json:"counts,omitempty" doc:"deliveries by outcome"`
	Held        []Hold            `json:"held,omitempty" doc:"waits for an operator, because FCM refused it for everybody: resume or cancel"`
	Waiting     *Waiting          `json:"waiting,omitempty" doc:"what it waits for; absent if nothing of it waits"`
	Deferred    bool              `json:"deferred,omitempty" doc:"it counts against its tenant's quotas when it starts, and starts when they have room: it was accepted over one, or is a batch of a tenant that has chosen so"`
	BrakeOff    bool              `json:"brake_off,omitempty" doc:"it was resumed with brake=off: nothing of it is held"`
	Message     json.RawMessage   `json:"message,omitempty" doc:"of GET on one: the message that was asked for, without its target; of validate_only: as it would go out now"`
	Warnings    []Warning         `json:"warnings,omitempty" doc:"in the answer to the request: what was taken, and is probably not meant"`
	Preview     *Preview          `json:"preview,omitempty" doc:"of validate_only: whom it would go to now, and what was not checked"`
	// Batch only.
	Received       *int64     `json:"received,omitempty" doc:"upload lines that are durable"`
	Invalid        *int64     `json:"invalid,omitempty" doc:"upload lines refused"`
	Blank          int64      `json:"blank,omitempty" doc:"empty upload lines: received = invalid + blank + lines that name a recipient"`
	Duplicates     *int64     `json:"duplicates,omitempty" doc:"upload lines whose recipient an earlier line names; they end as suppressed"`
	UncheckedFrom  *int64     `json:"duplicates_unchecked_from,omitempty" doc:"upload line from which on repetitions may have gone unnoticed"`
	UploadOpen     bool       `json:"upload_open,omitempty" doc:"it was started early: recipients may still be added"`
	Rate           *float64   `json:"rate,omitempty" doc:"deliveries decided by sending, per second since the first outcome; absent in its first second, and if nothing was sent"`
	ETASeconds     *float64   `json:"eta_seconds,omitempty" doc:"until nothing is open, at that rate; absent while too little is known, while it waits for anything but its throttle, and while uploading"`
	Throttle       *Throttle  `json:"throttle,omitempty" doc:"its pace; absent if it has no limit of its own"`
	Links          Links      `json:"links" doc:"what belongs to it"`
	UploadURL      string     `json:"upload_url,omitempty" doc:"where to POST recipients"`
	FirstOutcomeAt *time.Time `json:"first_activity_at,omitempty" doc:"when the first outcome was known"`
	LastOutcomeAt  *time.Time `json:"last_activity_at,omitempty" doc:"when the last outcome so far was known"`
}

// Preview says whom a notification would go to if it were sent now, as the device registry
// has them: sends + quarantined + duplicates + no_device = the recipients.
type Preview struct {
	Sends         int64          `json:"sends" doc:"messages that FCM would be asked to take: one for each device, or one for the topic or condition"`
	ByPlatform    PlatformCounts `json:"by_platform" doc:"sends, by what the device runs"`
	Unrecorded    int64          `json:"unrecorded" doc:"of sends: tokens and fids that the registry does not know; they are sent to all the same"`
	Quarantined   int64          `json:"quarantined" doc:"devices that would not be sent to, because their address was called dead or invalid"`
	Duplicates    int64          `json:"duplicates" doc:"devices that are addressed again; each is sent to once"`
	NoDevice      int64          `json:"no_device" doc:"users and device ids without a registered device; nothing is sent for them"`
	NoDeviceNames []string       `json:"no_device_names,omitempty" doc:"the first 20 of those, each once"`
	Sizes         []MessageSize  `json:"sizes" doc:"how large the message is on each platform"`
	NotChecked    []string       `json:"not_checked" doc:"what only a send shows, in words for people"`
}

// PlatformCounts are numbers of messages by platform.
type PlatformCounts struct {
	Android int64 `json:"android" doc:"Android devices"`
	IOS     int64 `json:"ios" doc:"Apple devices"`
	Web     int64 `json:"web" doc:"browsers"`
	Unknown int64 `json:"unknown" doc:"devices whose platform nobody has told"`
	Topic   int64 `json:"topic" doc:"topics and conditions, whose devices only FCM knows"`
}

// MessageSize is what one platform gets of a message.
type MessageSize struct {
	Platform Platform `json:"platform" enum:"android,ios,web" doc:"which one"`
	Bytes    int      `json:"bytes" doc:"of data and notification together, ids included, as Belfry counts them"`
	Limit    int      `json:"limit" doc:"the most that FCM takes: 4096 bytes to a device, 2048 to a topic or condition"`
}

// Waiting says what a notification waits for, the first that holds of what may hold it up.
type Waiting struct {
	Reason WaitReason `json:"reason" doc:"what holds it up"`
	Until  *time.Time `json:"until,omitempty" doc:"when it is looked at again; absent if that is not known"`
	Code   Code       `json:"code,omitempty" doc:"the answer of FCM that is the cause"`
	Text   string     `json:"text" doc:"for people, such as: breaker open until 12:56:34 UTC (fcm.unavailable)"`
}

// Hold is a part of a notification that waits for an operator: so many of it were
// refused for a reason which is not about their tokens that the others are expected
// to be. All of them are open, those who were refused included.
type Hold struct {
	Platform  Platform  `json:"platform" enum:"unknown,android,ios,web,topic" doc:"whose recipients; unknown: devices without a platform"`
	Code      Code      `json:"code" doc:"the refusal, such as fcm.third_party_auth"`
	Meaning   string    `json:"meaning" doc:"one sentence on the code"`
	Refused   int       `json:"refused" doc:"recipients that had been refused when it was held"`
	Since     time.Time `json:"since" doc:"since when it waits"`
	Scattered bool      `json:"scattered,omitempty" doc:"others of the platform get the message: only who is refused with the code waits"`
}

// Counts add up at every moment: accepted = the sum of by_class, in which open
// has what is not decided.
type Counts struct {
	Accepted           int64          `json:"accepted" doc:"deliveries known: the sum of the others, but for possible_duplicates"`
	Open               int64          `json:"open" doc:"not decided yet"`
	Sent               int64          `json:"sent" doc:"FCM accepted it"`
	Permanent          int64          `json:"permanent" doc:"the recipient cannot get this message"`
	Ambiguous          int64          `json:"ambiguous" doc:"may have been delivered"`
	Suppressed         int64          `json:"suppressed" doc:"Belfry chose not to send"`
	Expired            int64          `json:"expired" doc:"too late before it could be sent"`
	Cancelled          int64          `json:"cancelled" doc:"by the caller"`
	DeadLettered       int64          `json:"dead_lettered" doc:"given up"`
	ByCode             map[Code]int64 `json:"by_code" doc:"outcomes by code; open ones are not in it"`
	PossibleDuplicates int64          `json:"possible_duplicates" doc:"recipients who may have been sent to twice"`
}

// Links are the URLs of related resources, relative to the server.
type Links struct {
	Self       string `json:"self" doc:"itself"`
	Deliveries string `json:"deliveries,omitempty" doc:"a row for each recipient"`
	Events     string `json:"events,omitempty" doc:"server-sent events until it is done"`
	Recipients string `json:"recipients,omitempty" doc:"where to upload recipients; of a batch"`
	Start      string `json:"start,omitempty" doc:"where to start it; of a batch"`
	Cancel     string `json:"cancel,omitempty" doc:"where to cancel it"`
}

// NotificationList is a page of notifications, newest first.
type NotificationList struct {
	Items      []Notification `json:"items" doc:"the notifications"`
	NextCursor string         `json:"next_cursor,omitempty" doc:"absent on the last page"`
}

// Delivery is one recipient's row. In a report it may also be an upload line
// that was refused: then its class is [ClassInvalid], it has a Pointer and a
// Detail, and there is no chunk.
type Delivery struct {
	Line              int64     `json:"line,omitempty" doc:"upload line, from 1"`
	Chunk             int       `json:"chunk" required:"false" doc:"absent of a refused line"`
	Index             int       `json:"index" required:"false" doc:"position in the chunk; absent of a refused line"`
	Class             Class     `json:"class" doc:"of the outcome; invalid: the upload line was refused"`
	Code              Code      `json:"code" doc:"of the outcome; of a refused line, the kind of fault"`
	Pointer           string    `json:"pointer,omitempty" doc:"of a refused line: what is wrong, as a JSON pointer"`
	Detail            string    `json:"detail,omitempty" doc:"why: of a refused line, and of an outcome that was decided without asking FCM"`
	PossibleDuplicate bool      `json:"possible_duplicate,omitempty" doc:"the recipient may have been sent to twice"`
	DuplicateOf       int64     `json:"duplicate_of,omitempty" doc:"code duplicate: the upload line with the same recipient"`
	UserID            string    `json:"user_id,omitempty" doc:"of a recipient that was addressed by user, while the plan is kept"`
	DeviceID          string    `json:"device_id,omitempty" doc:"where devices were looked up, while the plan is kept"`
	AddressHash       string    `json:"address_hash,omitempty" doc:"first 8 bytes of SHA-256 over kind:value, hex"`
	Attempts          []Attempt `json:"attempts,omitempty" doc:"requests to FCM, in order"`
}

// Attempt is one request to FCM.
type Attempt struct {
	Attempt   int       `json:"attempt" doc:"from 1, for each replay anew"`
	At        time.Time `json:"at" doc:"when it began"`
	Code      Code      `json:"code" doc:"what it came to"`
	LatencyMS float64   `json:"latency_ms" doc:"from the request to FCM's answer"`
	Detail    string    `json:"detail,omitempty" doc:"FCM's message name, or its words"`
}

// DeliveryList is a page of deliveries in the order of the plan.
type DeliveryList struct {
	Items      []Delivery `json:"items" doc:"the deliveries"`
	NextCursor string     `json:"next_cursor,omitempty" doc:"absent on the last page"`
}

// UploadResult answers an upload part. Bad lines are reported, good ones kept:
// the part's lines = accepted + invalid + skipped.
type UploadResult struct {
	Accepted   int64       `json:"accepted" doc:"lines of this request that were good and are durable"`
	Duplicates int64       `json:"duplicates" doc:"of accepted, lines whose recipient an earlier line names; they end as suppressed"`
	Invalid    int64       `json:"invalid" doc:"lines of this request that were refused"`
	Skipped    int64       `json:"skipped" doc:"lines that were blank, or durable already"`
	Watermark  int64       `json:"watermark" doc:"lines durable in all; continue with offset=watermark+1"`
	Errors     []LineError `json:"errors,omitempty" doc:"the first 100 refused lines"`
	Warned     int64       `json:"warned,omitempty" doc:"lines taken without a value that is not understood, such as a locale"`
	Warnings   []LineError `json:"warnings,omitempty" doc:"the first 100 of those"`
}

// LineError says what is wrong with one line.
type LineError struct {
	Line    int64  `json:"line" doc:"number in the whole upload, from 1"`
	Pointer string `json:"pointer" doc:"what is wrong, as a JSON pointer into the line"`
	Code    string `json:"code" doc:"the kind of fault, for programs"`
	Detail  string `json:"detail" doc:"what is wrong and what is allowed, for people"`
}

// Device is a registration. On PUT it is the full state.
type Device struct {
	ID            string            `json:"id,omitempty" doc:"the id that your app gives it; on PUT that of the path"`
	Token         string            `json:"token,omitempty" doc:"FCM registration token; give token or fid"`
	FID           string            `json:"fid,omitempty" doc:"Firebase installation id"`
	Platform      Platform          `json:"platform,omitempty" doc:"what it runs" enum:"android,ios,web"`
	UserID        string            `json:"user_id,omitempty" doc:"whose it is, as your app knows its users"`
	Locale        string            `json:"locale,omitempty" doc:"as the client reports it, stored as BCP 47; else left out, with a warning"`
	Timezone      string            `json:"timezone,omitempty" doc:"as the client reports it, stored as IANA name or offset; else left out"`
	AppVersion    string            `json:"app_version,omitempty" doc:"of your app on it"`
	Attributes    map[string]string `json:"attributes,omitempty" doc:"what else you want to know of it"`
	State         DeviceState       `json:"state,omitempty" enum:"active,quarantined" doc:"set by the server" readOnly:"true"`
	Source        string            `json:"source,omitempty" doc:"set by the server: api, import or send" readOnly:"true"`
	QuarantinedAt *time.Time        `json:"quarantined_at,omitempty" doc:"since when nothing is sent to it" readOnly:"true"`
	LastSuccessAt *time.Time        `json:"last_success_at,omitempty" doc:"may lag by up to 7 days" readOnly:"true"`
	LastFailureAt *time.Time        `json:"last_failure_at,omitempty" doc:"when a send to it failed last" readOnly:"true"`
	LastFailure   Code              `json:"last_failure,omitempty" doc:"outcome code" readOnly:"true"`
	CreatedAt     *time.Time        `json:"created_at,omitempty" doc:"when it was registered" readOnly:"true"`
	UpdatedAt     *time.Time        `json:"updated_at,omitempty" doc:"when its registration changed last" readOnly:"true"`
	MovedFrom     string            `json:"moved_from,omitempty" doc:"of PUT and PATCH: had the address before, and is removed" readOnly:"true"`
	Warnings      []Warning         `json:"warnings,omitempty" doc:"of PUT and PATCH: what was left out of the registration" readOnly:"true"`
}

// DevicePatch changes a part of a registration: what is nil stays as it is, and an
// empty text removes what there is. Write new("alice") for a value.
type DevicePatch struct {
	Token      *string            `json:"token,omitempty" doc:"the new registration token; cannot be removed"`
	FID        *string            `json:"fid,omitempty" doc:"the new Firebase installation id, instead of a token"`
	Platform   *Platform          `json:"platform,omitempty" doc:"what it runs" nullable:"true" enum:"android,ios,web,"`
	UserID     *string            `json:"user_id,omitempty" doc:"whose it is; empty for nobody's" nullable:"true"`
	Locale     *string            `json:"locale,omitempty" doc:"as the client reports it" nullable:"true"`
	Timezone   *string            `json:"timezone,omitempty" doc:"as the client reports it" nullable:"true"`
	AppVersion *string            `json:"app_version,omitempty" doc:"of your app on it" nullable:"true"`
	Attributes map[string]*string `json:"attributes,omitempty" doc:"to set by name; null removes one" nullable:"true"`
	State      *DeviceState       `json:"state,omitempty" enum:"active,quarantined" doc:"whether it is sent to: active ends a quarantine"`
}

// Warning says what should be looked at in a request that was taken all the same.
type Warning struct {
	Pointer string `json:"pointer" doc:"where: a JSON pointer into the body"`
	Code    string `json:"code" doc:"stable, for programs"`
	Detail  string `json:"detail" doc:"what was done about it, for people"`
}

// DeviceList is a page of devices.
type DeviceList struct {
	Items      []Device `json:"items" doc:"the devices"`
	NextCursor string   `json:"next_cursor,omitempty" doc:"absent on the last page"`
}

// ImportResult answers a device import.
type ImportResult struct {
	Imported int64       `json:"imported" doc:"lines that were registered"`
	Invalid  int64       `json:"invalid" doc:"lines that were refused"`
	Errors   []LineError `json:"errors,omitempty" doc:"the first 100 refused lines"`
	Warned   int64       `json:"warned,omitempty" doc:"lines that were imported without a locale or time zone that is not understood"`
	Warnings []LineError `json:"warnings,omitempty" doc:"the first 100 of those"`
}

// Problem is an RFC 9457 problem document, the body of every error answer.
//
//nolint:errname // the name of the format; as an error it is what the server said
type Problem struct {
	Type      string         `json:"type" doc:"where the kind of problem is explained, relative to the server"`
	Title     string         `json:"title" doc:"the kind of problem, in words that do not change"`
	Status    int            `json:"status" doc:"HTTP status of the answer"`
	Detail    string         `json:"detail,omitempty" doc:"what is wrong in this case, for people"`
	Code      string         `json:"code" doc:"stable, for programs"`
	RequestID string         `json:"request_id" doc:"the X-Request-Id of the answer: the server's log has more under it"`
	Errors    []ProblemError `json:"errors,omitempty" doc:"each fault of the request"`

	// Of the code quota_exceeded.
	Quota            QuotaName `json:"quota,omitempty" doc:"the quota that is used up"`
	Limit            int64     `json:"limit,omitempty" doc:"how much that quota is"`
	ViolatedPolicies []string  `json:"violated-policies,omitempty" doc:"its name in RateLimit-Policy"` //nolint:tagliatelle // the draft's name
}

// ProblemError is one fault of a request.
type ProblemError struct {
	Pointer string `json:"pointer" doc:"where: a JSON pointer into the body, or ?name of a query parameter"`
	Code    string `json:"code" doc:"the kind of fault, for programs"`
	Detail  string `json:"detail" doc:"what is wrong and what is allowed, for people"`
}

// Error implements error.
func (p *Problem) Error() string {
	var b strings.Builder
	b.WriteString(cmp.Or(p.Detail, p.Title, p.Code))
	for _, e := range p.Errors {
		b.WriteString("\n  ")
		if e.Pointer != "" { // it is about a part of the request, not all of it
			b.WriteString(e.Pointer + ": ")
		}
		b.WriteString(e.Detail)
	}
	return b.String()
}
