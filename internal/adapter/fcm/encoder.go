package fcm

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"sync"

	"firebase.google.com/go/v4/messaging"
	"google.golang.org/api/option"

	"github.com/belfry-push/belfry/internal/message"
	"github.com/belfry-push/belfry/internal/push"
)

// Encoder encodes messages with Google's own client
// (firebase.google.com/go/v4/messaging). The client is made to believe that it sends: its requests end in a transport that
// keeps them. Nothing reaches the network. It is safe for concurrent use.
type Encoder struct {
	mu      sync.Mutex // one message at a time: the client and its capture belong together
	client  *messaging.Client
	capture capture
}

// marker stands for the address while the client encodes. It must not be empty.
const (
	marker      = "belfry-marker"
	placeholder = `"fid":"` + marker + `"`
)

// NewEncoder returns an encoder.
func NewEncoder(ctx context.Context) (*Encoder, error) {
	e := &Encoder{}
	cfg := argumentOf(messaging.NewClient)
	cfg.ProjectID = "belfry"
	cfg.Opts = []option.ClientOption{option.WithHTTPClient(&http.Client{Transport: &e.capture})}
	client, err := messaging.NewClient(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("FCM encoder: %w", err)
	}
	e.client = client
	return e, nil
}

// argumentOf makes the argument of a constructor without naming its type. messaging.NewClient takes
// a type that only Google's root package may import, and that package imports Firestore, Storage
// and gRPC.
func argumentOf[C any](func(context.Context, *C) (*messaging.Client, error)) *C { return new(C) }

// Encode returns the message as JSON to send, as compact as it goes. m has no
// target and is complete ([message.Complete]). The JSON is that of Google's
// client; where the client would drop or change something, because it does not
// know a field or writes it differently, and where it is stricter than FCM, the
// caller's own JSON goes out untouched. What FCM would refuse, by the
// description that the door has checked the message by, is a [*push.Error] with
// CodePayloadInvalid that says what and where.
func (e *Encoder) Encode(m push.Message) (push.Message, error) {
	given, err := message.Decode(m)
	if err != nil {
		return nil, invalidMessage(err)
	}
	if faults := message.Check(given); len(faults) > 0 {
		return nil, invalidMessage(faultsOf(faults))
	}
	encoded := e.ask(m)
	if got, err := message.Decode(encoded); err != nil || !reflect.DeepEqual(got, given) {
		return compact(m)
	}
	return encoded, nil
}

func faultsOf(faults []message.Fault) push.Faults {
	out := make(push.Faults, len(faults))
	for i, f := range faults {
		out[i] = push.Fault(f)
	}
	return out
}

// compact takes out the spaces between tokens, which a template must not have.
func compact(m push.Message) (push.Message, error) {
	var b bytes.Buffer
	if err := json.Compact(&b, m); err != nil {
		return nil, invalidMessage(err)
	}
	return b.Bytes(), nil
}

// ask returns the client's encoding of a message, or nil if the client cannot read it or refuses
// it. Its types are narrower than FCM's: it cannot read "1.000s" or PRIORITY_UNSPECIFIED, and it is
// stricter about URLs than a phone. What both the client and FCM refuse, [message.Check] has found
// already; the tests compare the two.
func (e *Encoder) ask(m push.Message) (encoded []byte) {
	// The client's decoder dereferences nil for light_settings without a color. No message of a
	// caller may stop the process.
	defer func() {
		if recover() != nil {
			encoded = nil
		}
	}()
	var msg messaging.Message
	if err := json.Unmarshal(m, &msg); err != nil {
		return nil
	}
	relax(&msg)
	msg.Fid = marker
	encoded, err := e.encode(&msg)
	if err != nil {
		return nil
	}
	return encoded
}

// relax removes what FCM allows and the client refuses. The comparison afterwards makes sure that
// the original is sent.
func relax(msg *messaging.Message) {
	if a := msg.Android; a != nil {
		// The reference spells the values NORMAL and HIGH, the client takes
		// lower case only.
		a.Priority = strings.ToLower(a.Priority)
		if n := a.Notification; n != nil {
			// It reads {"red":1} as "#100", and then complains of that.
			n.LightSettings = nil
		}
	}
	if w := msg.Webpush; w != nil && w.FCMOptions != nil && w.FCMOptions.Link == "" {
		// The client wants a link in every fcm_options; FCM also takes an
		// analytics_label alone.
		w.FCMOptions = nil
	}
}

// encode returns the message that the client would send, without its target.
func (e *Encoder) encode(msg *messaging.Message) ([]byte, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.capture.body = nil
	if _, err := e.client.Send(context.Background(), msg); err != nil {
		return nil, err
	}
	return withoutTarget(e.capture.body), nil
}

// withoutTarget cuts the message out of the client's request and the marker out of the message. It
// works on the text, for speed; the comparison with the given message detects a wrong result.
func withoutTarget(request []byte) []byte {
	body := bytes.TrimSuffix(bytes.TrimPrefix(request, []byte(`{"message":`)), []byte("}"))
	// The client writes the target last, after every map that may look like it.
	at := bytes.LastIndex(body, []byte(placeholder))
	if at < 0 {
		return nil
	}
	rest := body[at+len(placeholder):]
	body = bytes.TrimSuffix(body[:at], []byte(","))
	return append(body, rest...)
}

func invalidMessage(err error) *push.Error {
	return &push.Error{Code: push.CodePayloadInvalid, Detail: clip(err.Error())}
}

// capture is a transport that keeps the request's body and answers as FCM does.
type capture struct{ body []byte }

// RoundTrip implements [http.RoundTripper].
func (c *capture) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	_ = r.Body.Close() // a reader over memory
	if err != nil {
		return nil, err
	}
	c.body = body
	return &http.Response{
		StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {"application/json"}}, Request: r,
		Body: io.NopCloser(strings.NewReader(`{"name":"captured"}`)),
	}, nil
}
