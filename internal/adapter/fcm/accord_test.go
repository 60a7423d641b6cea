package fcm

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"firebase.google.com/go/v4/messaging"
	fcmapi "google.golang.org/api/fcm/v1"
	"google.golang.org/api/googleapi"
	"pgregory.net/rapid"

	"github.com/belfry-push/belfry/internal/fcmsim"
	"github.com/belfry-push/belfry/internal/fcmsim/fcmsimtest"
	"github.com/belfry-push/belfry/internal/message"
	"github.com/belfry-push/belfry/internal/message/messagetest"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/request"
)

// judges are all who say of a message whether FCM will take it.
type judges struct {
	encoder *Encoder
	client  *http.Client
	sim     string // URL of its send endpoint
}

func newJudges(tb testing.TB) *judges {
	tb.Helper()
	enc, err := NewEncoder(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	sim := fcmsimtest.Start(tb, fcmsim.Config{})
	return &judges{enc, fcmsimtest.Client(tb), sim.URL() + "/projects/belfry-sandbox/messages:send"}
}

// door is what POST /v1/notifications says.
func (j *judges) door(m []byte, audience bool) (request.Request, error) {
	to := `{"tokens":["t"]}`
	if audience {
		to = `{"topic":"t"}`
	}
	body := []byte(`{"to":` + to + `,"priority":"high","ttl":"5m","message":` + string(m) + `}`)
	return request.DecodeRequest(body, false, time.Now())
}

// out is the message as it goes out, encoded.
func (j *judges) out(req *request.Request) (push.Message, error) {
	tree, err := message.Decode(req.Message)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	d := message.Delivery{ID: string(push.NewID(push.PrefixNotification)), High: true, Deadline: now.Add(req.TTL)}
	complete, _ := message.Complete(tree, d, now)
	m, err := message.Encode(complete)
	if err != nil {
		return nil, err
	}
	return j.encoder.Encode(m)
}

// simulator returns its objection, "" for none.
func (j *judges) simulator(m []byte, kind push.Kind) string {
	body := strings.TrimSuffix(string(m), "}")
	if len(body) > 1 {
		body += ","
	}
	answer, err := j.client.Post(j.sim, "application/json", strings.NewReader(`{"message":`+body+`"`+string(kind)+`":"t"}}`))
	if err != nil {
		return err.Error()
	}
	defer func() { _ = answer.Body.Close() }()
	said, err := io.ReadAll(answer.Body)
	if answer.StatusCode == http.StatusOK && err == nil {
		return ""
	}
	return string(said)
}

// google returns the objection of Google's client, "" for none.
func (j *judges) google(m []byte) string {
	var msg messaging.Message
	if err := json.Unmarshal(m, &msg); err != nil {
		return "cannot read it: " + err.Error()
	}
	msg.Fid = marker
	if _, err := j.encoder.encode(&msg); err != nil {
		return err.Error()
	}
	return ""
}

// known is what the door takes knowingly although Google's client would not:
// FCM's reference and its discovery document allow it.
var known = []struct {
	name    string
	says    string                   // part of the client's objection
	example string                   // a message
	holds   func(object string) bool // of the text that the objection quotes, if it is not always this
}{
	{
		"a percent sign in a URL that begins no escape", "invalid image URL", `{"notification":{"image":"https://cdn.example.com/100%_off.png"}}`,
		percent,
	},
	{
		"the same in a link", "invalid link URL", `{"webpush":{"notification":{"title":"t"},"fcm_options":{"link":"https://example.com/50%"}}}`,
		percent,
	},
	{"a fragment right behind the host", "invalid image URL", `{"notification":{"image":"https://example.com#1"}}`, fragment},
	{
		"the same fragment in a link", "invalid link URL",
		`{"webpush":{"notification":{"title":"t"},"fcm_options":{"link":"https://example.com#1"}}}`, fragment,
	},
	{
		"web push options without a link", "invalid link URL", `{"webpush":{"notification":{"title":"t"},"fcm_options":{"analytics_label":"l"}}}`,
		empty,
	},
	{"priority in upper case, as the reference has it", "priority must be", `{"android":{"priority":"HIGH"}}`, nil},
	{"PRIORITY_UNSPECIFIED", "unknown priority value", `{"android":{"notification":{"notification_priority":"PRIORITY_UNSPECIFIED"}}}`, nil},
	{"VISIBILITY_UNSPECIFIED", "unknown visibility value", `{"android":{"notification":{"visibility":"VISIBILITY_UNSPECIFIED"}}}`, nil},
	{"PROXY_UNSPECIFIED", "unknown proxy value", `{"android":{"notification":{"proxy":"PROXY_UNSPECIFIED"}}}`, nil},
	{
		"a time without nine decimals in Zulu time", "parsing time", `{"android":{"notification":{"event_time":"2026-11-21T12:00:00+01:00"}}}`,
		nil,
	},
	{"decimals of a duration that are all zero", "failed to parse", `{"android":{"ttl":"1.000s"}}`, nil},
	{
		"a duration that is too long for the client's type", "must not be negative",
		`{"android":{"notification":{"vibrate_timings":["10000000000s"]}}}`, nil,
	},
	{
		"a light of a colour that the client spells with too few digits", "color must be",
		`{"android":{"notification":{"light_settings":{"color":{"red":1},"light_on_duration":"1s","light_off_duration":"1s"}}}}`, nil,
	},
	{
		"members of aps that the client knows in another type", "json: cannot unmarshal",
		`{"apns":{"payload":{"aps":{"badge":1.5,"content-available":true}}}}`, nil,
	},
	{"members of an alert likewise", "failed to unmarshal alert", `{"apns":{"payload":{"aps":{"alert":{"title":5}}}}}`, nil},
	{"members of a sound likewise", "failed to unmarshal sound", `{"apns":{"payload":{"aps":{"sound":{"critical":true}}}}}`, nil},
	{"members of a web notification likewise", "json: cannot unmarshal", `{"webpush":{"notification":{"vibrate":"long"}}}`, nil},
}

func percent(u string) bool {
	_, err := url.ParseRequestURI(strings.ReplaceAll(u, "%", "%25"))
	return err == nil
}

func fragment(u string) bool {
	before, _, has := strings.Cut(u, "#")
	return has && percent(before)
}

func empty(u string) bool { return u == "" }

// TestKnownDifferences shows each of them: the door, the encoder and the
// simulator take it, Google's client does not, and it goes out as it is.
func TestKnownDifferences(t *testing.T) {
	t.Parallel()
	j := newJudges(t)
	for _, k := range known {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			if says := j.google([]byte(k.example)); !strings.Contains(says, k.says) {
				t.Errorf("Google's client says %q, want %q", says, k.says)
			}
			req, err := j.door([]byte(k.example), false)
			if err != nil {
				t.Fatalf("the door refuses it: %v", err)
			}
			out, err := j.out(&req)
			if err != nil {
				t.Fatalf("the encoder refuses it: %v", err)
			}
			if says := j.simulator(out, push.KindToken); says != "" {
				t.Errorf("the simulator refuses it: %s", says)
			}
			given, went := treeOf(t, []byte(k.example)), treeOf(t, out)
			if !within(given, went) {
				t.Errorf("%v went out as %v", given, went)
			}
		})
	}
}

func treeOf(t interface{ Fatal(args ...any) }, m []byte) map[string]any {
	tree, err := message.Decode(m)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// within reports whether everything in a stands in b.
func within(a, b any) bool {
	x, ok := a.(map[string]any)
	if !ok {
		return reflect.DeepEqual(a, b)
	}
	y, _ := b.(map[string]any)
	for k, v := range x {
		if !within(v, y[k]) {
			return false
		}
	}
	return true
}

// TestOneVerdict holds the four judges against each other over messages that are
// drawn from the description, many of them spoilt: what the encoder, the
// simulator or Google's client refuses, the door has refused, but for the known
// differences.
func TestOneVerdict(t *testing.T) {
	t.Parallel()
	j := newJudges(t)
	taken, refused := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		m := messagetest.Draw(t)
		if rapid.IntRange(0, 2).Draw(t, "spoil") > 0 {
			messagetest.Spoil(t, m)
		}
		text, err := message.Encode(m)
		if err != nil {
			t.Fatal(err)
		}
		audience := rapid.Bool().Draw(t, "to a topic")
		if j.oneVerdict(t, text, audience) {
			taken++
		} else {
			refused++
		}
	})
	if taken == 0 || refused == 0 {
		t.Errorf("%d taken, %d refused: one of them was not tried", taken, refused)
	}
}

// FuzzOneVerdict is the same over bytes.
func FuzzOneVerdict(f *testing.F) {
	for _, m := range messages {
		f.Add([]byte(m.json), false)
	}
	for _, k := range known {
		f.Add([]byte(k.example), true)
	}
	for _, bad := range []string{
		`{"apns":{"headers":{"apns-expiration":"tomorrow"}}}`, `{"webpush":{"headers":{"Urgency":"urgent"}}}`,
		`{"android":{"notification":{"body_loc_args":["a"]}}}`,
		`{"apns":{"payload":{"aps":{"alert":{"subtitle-loc-args":["x"]},"sound":{"volume":2}}}}}`, `{"webpush":{"notification":{"dir":"up"}}}`,
		`{"android":{"data":{"k":"` + strings.Repeat("x", 6000) + `"}}}`, `{"data":{"k":null}}`, `{"fcmOptions":{}}`,
	} {
		f.Add([]byte(bad), false)
	}
	j := newJudges(f)
	f.Fuzz(func(t *testing.T, m []byte, audience bool) {
		var tree map[string]any
		if json.Unmarshal(m, &tree) == nil && tree != nil {
			j.oneVerdict(t, m, audience)
		}
	})
}

// oneVerdict reports whether the door takes a message; if it does, everybody
// must.
func (j *judges) oneVerdict(t interface {
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}, m []byte, audience bool,
) bool {
	req, err := j.door(m, audience)
	if err != nil {
		return false
	}
	kind := push.KindToken
	if audience {
		kind = push.KindTopic
	}
	if says := j.simulator(req.Message, kind); says != "" {
		t.Fatalf("%s\nis taken at the door, but the simulator says\n%s", m, says)
	}
	out, err := j.out(&req)
	if err != nil {
		t.Fatalf("%s\nis taken at the door, but the encoder says\n%v", m, err)
	}
	if says := j.simulator(out, kind); says != "" {
		t.Fatalf("%s\ngoes out as\n%s\nbut the simulator says\n%s", m, out, says)
	}
	if says := j.google(req.Message); says != "" && !expected(says) {
		t.Fatalf("%s\nis taken at the door, but Google's client says\n%s", m, says)
	}
	return true
}

// expected reports whether an objection of Google's client is a known difference.
func expected(says string) bool {
	_, quoted, _ := strings.Cut(says, "URL: ")
	object, _ := strconv.Unquote(quoted)
	for _, k := range known {
		if strings.Contains(says, k.says) && (k.holds == nil || k.holds(object)) {
			return true
		}
	}
	return false
}

// TestDescriptionIsTheDiscoveryDocuments compares the description, field by
// field, with the types that Google generates from the API's discovery document.
func TestDescriptionIsTheDiscoveryDocuments(t *testing.T) {
	t.Parallel()
	// In the reference and in Google's client, not in the document.
	extra := map[string]bool{"message.fid": true, "message.android.notification.bypass_proxy_notification": true}
	compareTypes(t, "message", message.Described(), reflect.TypeFor[fcmapi.Message](), extra)
}

func compareTypes(t *testing.T, at string, of *message.Type, doc reflect.Type, extra map[string]bool) {
	t.Helper()
	documented := map[string]reflect.Type{}
	for f := range doc.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name != "" && name != "-" {
			documented[name] = f.Type
		}
	}
	for _, f := range of.Fields {
		where := at + "." + f.Name
		typ, ok := documented[f.Camel]
		if !ok {
			if !extra[where] {
				t.Errorf("%s is not documented", where)
			}
			continue
		}
		delete(documented, f.Camel)
		if f.Repeated {
			if typ.Kind() != reflect.Slice {
				t.Errorf("%s is %s", where, typ)
				continue
			}
			typ = typ.Elem()
		}
		if f.Kind == message.Object {
			compareTypes(t, where, f.Of, typ.Elem(), extra)
			continue
		}
		want := map[message.Kind]reflect.Type{
			message.String: reflect.TypeFor[string](), message.Duration: reflect.TypeFor[string](), message.Timestamp: reflect.TypeFor[string](),
			message.Enum: reflect.TypeFor[string](), message.Bool: reflect.TypeFor[bool](), message.Int32: reflect.TypeFor[int64](),
			message.Float: reflect.TypeFor[float64](), message.Map: reflect.TypeFor[map[string]string](),
			message.Struct: reflect.TypeFor[googleapi.RawMessage](),
		}[f.Kind]
		if typ != want {
			t.Errorf("%s is documented as %s, described as %s", where, typ, want)
		}
	}
	for name := range documented {
		t.Errorf("%s.%s is documented, and not described", at, name)
	}
}
