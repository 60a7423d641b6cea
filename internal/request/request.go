package request

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/belfry-push/belfry/internal/message"
	"github.com/belfry-push/belfry/internal/push"
)

// Request is the body of POST /v1/notifications, of a
// push.notification.requested.v1 event, and, without its target, of
// POST /v1/batches.
type Request struct {
	App          string // of the tenant; "" is its default one
	Target       push.Target
	Message      push.Message
	Priority     push.Priority
	Guarantee    push.Guarantee
	CollapseID   string
	Labels       map[string]string
	ExpiresAt    time.Time     // zero if not given
	TTL          time.Duration // 0 if not given
	PerSecond    int           // batch: throttle.per_second, 0 if not given
	ValidateOnly bool
	// Which of App, Priority and Guarantee the request gives: the others have their defaults.
	AppGiven, PriorityGiven, GuaranteeGiven bool
	Warnings                                push.Faults // what should be looked at, though it is taken
}

// Limits of a request's small fields.
const (
	maxLabels       = 20
	MaxCollapseID   = message.MaxCollapseID // bytes
	maxUserIDBytes  = 256
	maxSafeSeconds  = int64(push.MaxTTL / time.Second)
	maxSafeDeadline = 366 * 24 * time.Hour
)

// DecodeRequest reads and checks the body of a send request; for a batch the
// target must be absent. All faults come back at once as [Faults]. What it says
// of a body does not depend on the time, unless now is given: then a deadline is
// checked as by [Request.CheckDeadline].
func DecodeRequest(body []byte, batch bool, now time.Time) (Request, error) {
	tree, faults := decodeTree(body)
	if faults != nil {
		return Request{}, faults
	}
	w := &walker{}
	top, ok := tree.(map[string]any)
	if !ok {
		w.wantType("an object", tree)
		return Request{}, w.faults
	}
	object(requestFields(batch))(w, tree)
	if _, ok := top["message"]; !ok {
		w.fault(push.FaultMissing, "message is required: the FCM message to deliver, without its target")
	}
	checkTarget(w, top, batch)
	if top["ttl"] != nil && top["expires_at"] != nil {
		w.at("ttl", func() { w.fault(push.FaultConflict, "give either ttl or expires_at") })
	}
	if len(w.faults) > 0 {
		return Request{}, w.faults
	}
	req, err := unmarshalRequest(tree)
	if err != nil {
		return Request{}, err
	}
	if !now.IsZero() {
		if err := req.CheckDeadline(now); err != nil {
			return Request{}, err
		}
	}
	req.Warnings = literalPlaceholders(top["message"])
	d, limit := message.Delivery{CollapseID: req.CollapseID}, message.LimitOf(req.Target.Audience())
	w.at("message", func() { checkMessageSize(w, top["message"], d, limit) })
	return req, w.faults.Err()
}

func requestFields(batch bool) map[string]rule {
	fields := map[string]rule{
		"app":                appName,
		"message":            checkMessage,
		"priority":           oneOf(string(push.PriorityHigh), string(push.PriorityNormal), string(push.PriorityBulk)),
		"delivery_guarantee": oneOf(string(push.AtLeastOnce), string(push.AtMostOnce)),
		"collapse_id":        collapseID,
		"expires_at":         instant,
		"ttl":                ttl,
		"labels":             labels,
		"send_at":            refuse(push.FaultUnsupported, "scheduled sends do not exist yet: send the request when it is due"),
		"template":           refuse(push.FaultUnsupported, "templates do not exist yet: put the text into message"),
		"sandbox":            refuse(push.FaultUnsupported, "per-request sandbox does not exist yet: run a server with --sandbox"),
	}
	if batch {
		fields["to"] = refuse(push.FaultConflict, "a batch takes its recipients by upload: POST them to its upload_url")
		fields["throttle"] = throttle
		fields["validate_only"] = refuse(push.FaultConflict,
			"only a notification can be validated without being accepted: POST it to /v1/notifications, to one of the recipients")
		return fields
	}
	fields["throttle"] = refuse(push.FaultConflict,
		"only a batch has a throttle; a notification, of at most 1,000 recipients, goes out at once: start a batch to spread it")
	fields["validate_only"] = boolean
	fields["to"] = object(map[string]rule{
		"tokens": list(addressOf(push.KindToken)), "fids": list(addressOf(push.KindFID)),
		"user_ids": list(userID), "device_ids": list(deviceID),
		"topic": addressOf(push.KindTopic), "condition": addressOf(push.KindCondition),
		"segment": refuse(push.FaultUnsupported, "segments do not exist yet: send to user_ids or start a batch"),
	})
	return fields
}

// checkTarget wants exactly one non-empty kind of target.
func checkTarget(w *walker, top map[string]any, batch bool) {
	if batch {
		return
	}
	const kinds = "tokens, fids, user_ids, device_ids, topic or condition"
	to, ok := top["to"].(map[string]any)
	if !ok {
		if top["to"] == nil {
			w.fault(push.FaultMissing, "to is required: one of %s", kinds)
		}
		return
	}
	w.at("to", func() {
		switch names := sortedKeys(to); {
		case len(names) == 0:
			w.fault(push.FaultMissing, "must have one of %s", kinds)
		case len(names) > 1:
			w.fault(push.FaultConflict, "must have exactly one of %s (got %s)", kinds, push.Clip(strings.Join(names, ", ")))
		default:
			if items, ok := to[names[0]].([]any); ok && len(items) == 0 {
				w.at(names[0], func() { w.fault(push.FaultMissing, "must not be empty") })
			}
		}
	})
}

type requestJSON struct {
	App          string            `json:"app"`
	To           push.Target       `json:"to"`
	Message      push.Message      `json:"message"`
	Priority     push.Priority     `json:"priority"`
	Guarantee    push.Guarantee    `json:"delivery_guarantee"`
	CollapseID   string            `json:"collapse_id"`
	Labels       map[string]string `json:"labels"`
	ExpiresAt    time.Time         `json:"expires_at"`
	TTL          any               `json:"ttl"`
	Throttle     throttleJSON      `json:"throttle"`
	ValidateOnly bool              `json:"validate_only"`
}

func unmarshalRequest(tree any) (Request, error) {
	var in requestJSON
	if err := readTree(tree, &in); err != nil {
		return Request{}, err
	}
	req := Request{
		Target: in.To, Message: in.Message, Priority: in.Priority, Guarantee: in.Guarantee, CollapseID: in.CollapseID,
		Labels: in.Labels, ExpiresAt: in.ExpiresAt, PerSecond: in.Throttle.PerSecond, ValidateOnly: in.ValidateOnly,
		AppGiven: in.App != "", PriorityGiven: in.Priority != "", GuaranteeGiven: in.Guarantee != "",
	}
	if in.App != push.DefaultApp {
		req.App = in.App
	}
	if req.Priority == "" {
		req.Priority = push.PriorityNormal
	}
	if req.Guarantee == "" {
		req.Guarantee = push.AtLeastOnce
	}
	switch t := in.TTL.(type) {
	case float64:
		req.TTL = time.Duration(t) * time.Second
	case string:
		req.TTL, _ = time.ParseDuration(t) // checked by the ttl rule
	}
	return req, nil
}

// CheckDeadline refuses, as [Faults], a deadline that is past or more than a year
// away.
func (r *Request) CheckDeadline(now time.Time) error {
	if !r.ExpiresAt.IsZero() && !r.ExpiresAt.After(now) {
		return push.Faults{
			{
				Pointer: "/expires_at", Code: push.FaultValue, Detail: fmt.Sprintf("must be in the future (now is %s)", now.UTC().Format(time.RFC3339)),
			},
		}
	}
	return r.CheckReach(now)
}

// CheckReach refuses, as [Faults], a deadline that is more than a year away.
func (r *Request) CheckReach(now time.Time) error {
	if r.ExpiresAt.After(now.Add(maxSafeDeadline)) {
		return push.Faults{{Pointer: "/expires_at", Code: push.FaultValue, Detail: "must be within a year"}}
	}
	return nil
}

func addressOf(k push.Kind) rule {
	return func(w *walker, v any) {
		s, ok := v.(string)
		if !ok {
			w.wantType("a string", v)
			return
		}
		if why := push.CheckAddress(k, s); why != "" {
			w.fault(push.FaultValue, "%s", why)
		}
	}
}

// bounded takes a string of 1 to most bytes.
func bounded(most int) rule {
	return func(w *walker, v any) {
		s, ok := v.(string)
		if !ok {
			w.wantType("a string", v)
			return
		}
		if s == "" || len(s) > most {
			w.fault(push.FaultValue, "must have 1..%d bytes (got %d)", most, len(s))
		}
		noNUL(w, s)
	}
}

// noNUL refuses U+0000 in what names something: databases, logs and C libraries
// end a text there, so that two names would look like one.
func noNUL(w *walker, s string) {
	if at := strings.IndexByte(s, 0); at >= 0 {
		w.fault(push.FaultValue, "must not have the character U+0000 (byte %d)", at)
	}
}

// appName takes the name of an app of the tenant.
func appName(w *walker, v any) {
	s, ok := v.(string)
	if !ok {
		w.wantType("a string", v)
		return
	}
	if why := push.CheckName(s); why != "" {
		w.fault(push.FaultValue, "%s", why)
	}
}

func userID(w *walker, v any) { bounded(maxUserIDBytes)(w, v) }

func deviceID(w *walker, v any) {
	s, ok := v.(string)
	if !ok {
		w.wantType("a string", v)
		return
	}
	if why := push.CheckDeviceID(s); why != "" {
		w.fault(push.FaultValue, "%s", why)
	}
}

// instant takes a time that [time.Time] reads from JSON as well, and RFC 3339 has:
// Go reads a comma before the fraction, too.
func instant(w *walker, v any) {
	s, ok := v.(string)
	if !ok {
		w.wantType("a string", v)
		return
	}
	if err := new(time.Time).UnmarshalText([]byte(s)); err != nil || strings.Contains(s, ",") {
		w.fault(push.FaultValue, "must be an RFC 3339 time such as 2030-01-02T15:04:05Z (got %q)", push.Clip(s))
	}
}

// ttl takes seconds as a number, or a duration as in "90s" or "24h".
func ttl(w *walker, v any) {
	const want = `must be whole seconds or a duration such as "90s" or "24h", from 1 second to 28 days`
	switch t := v.(type) {
	case json.Number:
		if n, err := strconv.ParseInt(t.String(), 10, 64); err == nil && n >= 1 && n <= maxSafeSeconds {
			return
		}
		w.fault(push.FaultValue, "%s (got %s)", want, push.Clip(t.String()))
	case string:
		if d, err := time.ParseDuration(t); err == nil && d >= time.Second && d <= push.MaxTTL {
			return
		}
		w.fault(push.FaultValue, "%s (got %q)", want, push.Clip(t))
	default:
		w.wantType("a number or a string", v)
	}
}

func labels(w *walker, v any) {
	stringMap(nil)(w, v)
	m, ok := v.(map[string]any)
	if !ok {
		return
	}
	if len(m) > maxLabels {
		w.fault(push.FaultTooLarge, "must have at most %d labels (got %d)", maxLabels, len(m))
	}
	for _, k := range slices.Sorted(maps.Keys(m)) {
		s, _ := m[k].(string)
		w.at(k, func() {
			if code, why := push.CheckLabel(k, s); code != "" {
				w.fault(code, "%s", why)
			}
		})
	}
}
