package push

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/belfry-push/belfry/internal/message"
)

// MaxInlineTargets is how many addresses, users or devices one request may
// name; more is a batch.
const MaxInlineTargets = 1000

// Target is whom a notification goes to. Exactly one field is set; a batch has
// none.
type Target struct {
	Tokens    []Token  `json:"tokens,omitempty"`
	FIDs      []Token  `json:"fids,omitempty"`
	UserIDs   []string `json:"user_ids,omitempty"`
	DeviceIDs []ID     `json:"device_ids,omitempty"`
	Topic     string   `json:"topic,omitempty"`
	Condition string   `json:"condition,omitempty"`
}

// Count returns how many sources the target names: tokens, users, devices, or
// 1 for a topic or condition.
func (t *Target) Count() int {
	n := len(t.Tokens) + len(t.FIDs) + len(t.UserIDs) + len(t.DeviceIDs)
	if t.Topic != "" || t.Condition != "" {
		n++
	}
	return n
}

// Recipients returns one unresolved recipient per source, in order.
func (t *Target) Recipients() []Recipient {
	out := make([]Recipient, 0, t.Count())
	for _, v := range t.Tokens {
		out = append(out, Recipient{Address: Address{KindToken, v}})
	}
	for _, v := range t.FIDs {
		out = append(out, Recipient{Address: Address{KindFID, v}})
	}
	for _, u := range t.UserIDs {
		out = append(out, Recipient{UserID: u})
	}
	for _, d := range t.DeviceIDs {
		out = append(out, Recipient{DeviceID: d})
	}
	if t.Topic != "" {
		out = append(out, Recipient{Address: Address{KindTopic, Token(t.Topic)}})
	}
	if t.Condition != "" {
		out = append(out, Recipient{Address: Address{KindCondition, Token(t.Condition)}})
	}
	for i := range out {
		out[i].Line = int64(i) + 1
	}
	return out
}

// Request is the body of POST /v1/notifications, of a
// push.notification.requested.v1 event, and, without its target, of
// POST /v1/batches.
type Request struct {
	Target       Target
	Message      Message
	Priority     Priority
	Guarantee    Guarantee
	CollapseID   string
	Labels       map[string]string
	ExpiresAt    time.Time     // zero if not given
	TTL          time.Duration // 0 if not given
	PerSecond    int           // batch: throttle.per_second, 0 if not given
	ValidateOnly bool
}

// Limits of a request's small fields.
const (
	maxLabels       = 20
	maxLabelBytes   = 128
	MaxCollapseID   = message.MaxCollapseID // bytes
	maxUserIDBytes  = 256
	maxSafeSeconds  = int64(MaxTTL / time.Second)
	maxSafeDeadline = 366 * 24 * time.Hour
)

// DecodeRequest reads and checks the body of a send request; for a batch the
// target must be absent. All faults come back at once as [Faults].
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
		w.fault(FaultMissing, "message is required: the FCM message to deliver, without its target")
	}
	checkTarget(w, top, batch)
	if top["ttl"] != nil && top["expires_at"] != nil {
		w.at("ttl", func() { w.fault(FaultConflict, "give either ttl or expires_at") })
	}
	if len(w.faults) > 0 {
		return Request{}, w.faults
	}
	req, err := unmarshalRequest(tree)
	if err != nil {
		return Request{}, err
	}
	if err := req.checkTimes(now); err != nil {
		return Request{}, err
	}
	limit := message.Limit
	if req.Target.audience() {
		limit = message.TopicLimit
	}
	w.at("message", func() { checkMessageSize(w, top["message"], message.Delivery{CollapseID: req.CollapseID}, limit) })
	return req, w.faults.Err()
}

func (t *Target) audience() bool { return t.Topic != "" || t.Condition != "" }

func requestFields(batch bool) map[string]rule {
	fields := map[string]rule{
		"message":            checkMessage,
		"priority":           oneOf(string(PriorityHigh), string(PriorityNormal), string(PriorityBulk)),
		"delivery_guarantee": oneOf(string(AtLeastOnce), string(AtMostOnce)),
		"collapse_id":        collapseID,
		"expires_at":         instant,
		"ttl":                ttl,
		"labels":             labels,
		"send_at":            refuse(FaultUnsupported, "scheduled sends do not exist yet: send the request when it is due"),
		"template":           refuse(FaultUnsupported, "templates do not exist yet: put the text into message"),
		"sandbox":            refuse(FaultUnsupported, "per-request sandbox does not exist yet: run a server with --sandbox"),
	}
	if batch {
		fields["to"] = refuse(FaultConflict, "a batch takes its recipients by upload: POST them to its upload_url")
		fields["throttle"] = throttle
		return fields
	}
	fields["throttle"] = refuse(FaultConflict, "only a batch has a throttle; a notification, of at most 1,000 recipients, goes out at once: start a batch to spread it")
	fields["validate_only"] = boolean
	fields["to"] = object(map[string]rule{
		"tokens": list(addressOf(KindToken)), "fids": list(addressOf(KindFID)),
		"user_ids": list(userID), "device_ids": list(deviceID),
		"topic": addressOf(KindTopic), "condition": addressOf(KindCondition),
		"segment": refuse(FaultUnsupported, "segments do not exist yet: send to user_ids or start a batch"),
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
			w.fault(FaultMissing, "to is required: one of %s", kinds)
		}
		return
	}
	w.at("to", func() {
		switch names := sortedKeys(to); {
		case len(names) == 0:
			w.fault(FaultMissing, "must have one of %s", kinds)
		case len(names) > 1:
			w.fault(FaultConflict, "must have exactly one of %s (got %s)", kinds, clip(strings.Join(names, ", ")))
		default:
			if items, ok := to[names[0]].([]any); ok && len(items) == 0 {
				w.at(names[0], func() { w.fault(FaultMissing, "must not be empty") })
			}
		}
	})
}

type requestJSON struct {
	To           Target            `json:"to"`
	Message      Message           `json:"message"`
	Priority     Priority          `json:"priority"`
	Guarantee    Guarantee         `json:"delivery_guarantee"`
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
	}
	if req.Priority == "" {
		req.Priority = PriorityNormal
	}
	if req.Guarantee == "" {
		req.Guarantee = AtLeastOnce
	}
	switch t := in.TTL.(type) {
	case float64:
		req.TTL = time.Duration(t) * time.Second
	case string:
		req.TTL, _ = time.ParseDuration(t) // checked by the ttl rule
	}
	return req, nil
}

func (r *Request) checkTimes(now time.Time) error {
	if r.ExpiresAt.IsZero() {
		return nil
	}
	if !r.ExpiresAt.After(now) {
		return Faults{{"/expires_at", FaultValue, fmt.Sprintf("must be in the future (now is %s)", now.UTC().Format(time.RFC3339))}}
	}
	if r.ExpiresAt.After(now.Add(maxSafeDeadline)) {
		return Faults{{"/expires_at", FaultValue, "must be within a year"}}
	}
	return nil
}

func addressOf(k Kind) rule {
	return func(w *walker, v any) {
		s, ok := v.(string)
		if !ok {
			w.wantType("a string", v)
			return
		}
		if why := CheckAddress(k, s); why != "" {
			w.fault(FaultValue, "%s", why)
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
			w.fault(FaultValue, "must have 1..%d bytes (got %d)", most, len(s))
		}
		noNUL(w, s)
	}
}

// noNUL refuses U+0000 in what names something: databases, logs and C libraries
// end a text there, so that two names would look like one.
func noNUL(w *walker, s string) {
	if at := strings.IndexByte(s, 0); at >= 0 {
		w.fault(FaultValue, "must not have the character U+0000 (byte %d)", at)
	}
}

func userID(w *walker, v any) { bounded(maxUserIDBytes)(w, v) }

func deviceID(w *walker, v any) {
	s, ok := v.(string)
	if !ok {
		w.wantType("a string", v)
		return
	}
	if why := CheckDeviceID(s); why != "" {
		w.fault(FaultValue, "%s", why)
	}
}

// CheckDeviceID returns what is wrong with a device id, or "". Callers may
// choose their own ids.
func CheckDeviceID(id string) string {
	const most = 64
	if id == "" || len(id) > most {
		return fmt.Sprintf("must have 1..%d characters (got %d)", most, len(id))
	}
	for i := range len(id) {
		c := id[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && strings.IndexByte("._:-", c) < 0 {
			return fmt.Sprintf("must consist of letters, digits and ._:- (byte %d is 0x%02x)", i, c)
		}
	}
	return ""
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
		w.fault(FaultValue, "must be an RFC 3339 time such as 2030-01-02T15:04:05Z (got %q)", clip(s))
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
		w.fault(FaultValue, "%s (got %s)", want, clip(t.String()))
	case string:
		if d, err := time.ParseDuration(t); err == nil && d >= time.Second && d <= MaxTTL {
			return
		}
		w.fault(FaultValue, "%s (got %q)", want, clip(t))
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
		w.fault(FaultTooLarge, "must have at most %d labels (got %d)", maxLabels, len(m))
	}
	for _, k := range slices.Sorted(maps.Keys(m)) {
		s, _ := m[k].(string)
		w.at(k, func() {
			if k == "" || len(k) > maxLabelBytes || len(s) > maxLabelBytes {
				w.fault(FaultTooLarge, "label names and values must have at most %d bytes, and a name at least 1", maxLabelBytes)
			}
			noNUL(w, k+s)
		})
	}
}
