package client

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"strconv"
	"time"
)

// Trace explains a notification's deliveries to one recipient.
type Trace struct {
	Notification string           `json:"notification" doc:"id of the notification or batch"`
	State        State            `json:"state" doc:"of the notification"`
	TraceID      string           `json:"trace_id,omitempty" doc:"of the request; absent if it had none"`
	Deliveries   []TracedDelivery `json:"deliveries" doc:"all to this recipient, in the order of the plan; or those that were asked for, the slowest first"`
	More         bool             `json:"more,omitempty" doc:"there are others than these 100"`
	Refused      *LineError       `json:"refused,omitempty" doc:"the upload line that was asked for, if it was refused: nothing was sent for it"`
	Waiting      *Waiting         `json:"waiting,omitempty" doc:"what the notification waits for; absent if nothing of it waits"`
	Notes        []string         `json:"notes,omitempty" doc:"what could not be told, and why"`
}

// TracedDelivery is one delivery and its story.
type TracedDelivery struct {
	Delivery   Delivery    `json:"delivery" doc:"how it stands"`
	DeviceID   string      `json:"device_id,omitempty" doc:"while the plan is kept"`
	UserID     string      `json:"user_id,omitempty" doc:"of a recipient that was addressed by user, while the plan is kept"`
	TraceID    string      `json:"trace_id,omitempty" doc:"in which it was sent; of a batch a trace of its chunk's own, and only while the server is traced"`
	TookMS     *float64    `json:"took_ms,omitempty" doc:"from the start of a batch, else from the acceptance, to the answer that decided it; absent if none did"`
	ChunkState string      `json:"chunk_state" doc:"where its chunk stands" enum:"planned,claimed,waiting,parked,closed"`
	Meaning    string      `json:"meaning,omitempty" doc:"of the outcome's code, for people"`
	Steps      []TraceStep `json:"steps" doc:"what happened, in order"`
}

// TraceStep is one thing that happened to a delivery.
type TraceStep struct {
	Step      string     `json:"step" doc:"what happened" enum:"accepted,started,queued,expanded,taken,attempt,replayed,waiting,outcome,event"`
	At        *time.Time `json:"at,omitempty" doc:"absent where it was not recorded"`
	Attempt   int        `json:"attempt,omitempty" doc:"from 1, for each replay anew"`
	Class     Class      `json:"class,omitempty" doc:"of the code"`
	Code      Code       `json:"code,omitempty" doc:"of an attempt or the outcome"`
	LatencyMS *float64   `json:"latency_ms,omitempty" doc:"from the request to FCM's answer"`
	WaitedMS  *float64   `json:"waited_ms,omitempty" doc:"of expanded and taken: how long the message for that had been on its queue"`
	TraceID   string     `json:"trace_id,omitempty" doc:"of replayed: the trace in which it was sent again, while the server is traced"`
	Detail    string     `json:"detail,omitempty" doc:"FCM's message name or words, or what else is known"`
}

// TraceKey names a recipient for [Client.Trace]. A string of your own, such as a
// bare token, is one too: the server then tries what it may be.
type TraceKey string

// TokenKey names a registration token without telling it: it goes as a hash, so
// that no proxy on the way logs it.
func TokenKey(token string) TraceKey { return hashKey("token", token) }

// FIDKey names a Firebase installation id, as a hash too.
func FIDKey(fid string) TraceKey { return hashKey("fid", fid) }

// DeviceKey names a registered device.
func DeviceKey(id string) TraceKey { return TraceKey("device:" + id) }

// UserKey names a user: every delivery to their devices.
func UserKey(id string) TraceKey { return TraceKey("user:" + id) }

// LineKey names a line of a batch's upload, from 1.
func LineKey(n int64) TraceKey { return TraceKey("line:" + strconv.FormatInt(n, 10)) }

// hashKey is the row's address_hash: the first 8 bytes of SHA-256 over
// kind:value.
func hashKey(kind, value string) TraceKey {
	sum := sha256.Sum256([]byte(kind + ":" + value))
	return TraceKey("hash:" + hex.EncodeToString(sum[:8]))
}

// Trace explains a notification's or batch's deliveries to one recipient: when
// it was accepted, into which chunk it went, each request to FCM with its answer
// and latency, and the outcome. A recipient that it has no delivery to is a
// [*Problem] with the code not_found.
func (c *Client) Trace(ctx context.Context, id string, key TraceKey) (Trace, error) {
	var t Trace
	err := c.do(ctx, get("/v1/notifications/"+url.PathEscape(id)+"/deliveries/"+url.PathEscape(string(key)), nil), &t)
	return t, err
}

// TraceChoice says which deliveries [Client.Traces] explains.
type TraceChoice string

// The choices.
const (
	TraceSlowest TraceChoice = "slowest" // what is still open, the most often tried first, then those whose answer came last
	TraceFailed  TraceChoice = "failed"  // permanent, ambiguous, expired and dead-lettered ones: of each code one, then of each a second
)

// Traces explains up to limit (1..20; 0 means 5) deliveries of a notification or batch, like
// [Client.Trace]. It costs the server what counting its deliveries does, and what explaining
// so many does.
func (c *Client) Traces(ctx context.Context, id string, of TraceChoice, limit int) (Trace, error) {
	q := url.Values{"of": {string(of)}}
	if limit > 0 {
		q.Set("limit", strconv.Itoa(limit))
	}
	var t Trace
	err := c.do(ctx, get("/v1/notifications/"+url.PathEscape(id)+"/traces", q), &t)
	return t, err
}
