package fcm

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"sync"

	"firebase.google.com/go/v4/messaging"
	"google.golang.org/api/option"

	"github.com/belfry-push/belfry/internal/push"
)

// Encoder encodes messages with Google's own client
// (firebase.google.com/go/v4/messaging), which checks them on the way. The
// client is made to believe that it sends: its requests end in a transport that
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

// argumentOf makes the argument of a constructor without naming its type:
// messaging.NewClient takes one of a package that only Google's root package may
// import, and that one brings in Firestore, Storage and gRPC.
func argumentOf[C any](func(context.Context, *C) (*messaging.Client, error)) *C { return new(C) }

// Encode returns a template of the message, which has no target. The JSON is
// that of Google's client; where the client would drop or change something,
// because it does not know a field or writes it differently, the caller's own
// JSON goes out untouched. What the client refuses is a [*push.Error] with
// CodePayloadInvalid, since FCM would refuse it for every recipient.
func (e *Encoder) Encode(m push.Message) (push.Template, error) {
	given, err := decode(m)
	if err != nil {
		return push.Template{}, invalidMessage(err)
	}
	for _, kind := range []string{"token", "fid", "topic", "condition"} {
		if _, has := given[kind]; has {
			return push.Template{}, invalidMessage(fmt.Errorf("message has a target of its own, %q", kind))
		}
	}
	encoded, err := e.ask(m)
	if err != nil {
		return push.Template{}, invalidMessage(err)
	}
	if got, err := decode(encoded); err != nil || !reflect.DeepEqual(got, given) {
		encoded = m
	}
	return push.NewTemplate(encoded), nil
}

// ask returns what Google's client makes of a message, nil if it cannot read it,
// and an error if it refuses it.
func (e *Encoder) ask(m push.Message) (encoded []byte, refusal error) {
	// Of light_settings without a color the client's decoder makes a nil
	// dereference. Nothing that a caller writes may stop the process.
	defer func() {
		if recover() != nil {
			encoded, refusal = nil, nil
		}
	}()
	var msg messaging.Message
	if err := json.Unmarshal(m, &msg); err != nil {
		// The client's types are narrower than FCM's: they refuse "1.000s" and
		// PRIORITY_UNSPECIFIED, for instance. FCM is the judge of those.
		return nil, nil
	}
	relax(&msg)
	msg.Fid = marker
	return e.encode(&msg)
}

// relax hides from the client what FCM allows and the client refuses. The
// comparison afterwards sees to it that the original goes out.
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

// withoutTarget cuts the message out of the client's request and the marker out
// of the message. It works on text, for speed; should that ever go wrong, the
// comparison with what was given shows it.
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

// decode reads a message as a tree with numbers as they are written.
func decode(m []byte) (map[string]any, error) {
	dec := json.NewDecoder(bytes.NewReader(m))
	dec.UseNumber()
	var tree map[string]any
	if err := dec.Decode(&tree); err != nil {
		return nil, fmt.Errorf("not a JSON object: %w", err)
	}
	if tree == nil {
		return nil, errors.New("not a JSON object: null")
	}
	return tree, nil
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
