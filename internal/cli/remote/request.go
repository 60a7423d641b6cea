package remote

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/cli/display"
	"github.com/belfry-push/belfry/internal/request"
	"github.com/belfry-push/belfry/internal/strict"
)

// stdinName stands for standard input where a file is asked for.
const stdinName = "-"

// content is what to send, for single notifications and batches alike.
type content struct {
	App     string `placeholder:"NAME" group:"what" help:"The app of your tenant whose credential it is sent with. Default: default."`
	Message string `placeholder:"FILE" group:"what" help:"FCM v1 message without its target, as JSON; - reads standard input."`
	Title   string `placeholder:"TEXT" group:"what" help:"Instead of --message: the notification's title."`
	Body    string `placeholder:"TEXT" group:"what" help:"With --title: its text."`

	Priority   client.Priority `placeholder:"LANE" group:"what" help:"high, normal or bulk: the lane it waits in. high is high on the phone too. Default: normal."`
	TTL        string          `placeholder:"TIME" group:"what" help:"Not sent, and not delivered by the platforms, later than this after the start, such as 90s or 24h. Default: tried for 24h."`
	ExpiresAt  string          `placeholder:"TIME" group:"what" help:"Instead of --ttl: a point in time, such as 2030-01-02T15:04:05Z."`
	CollapseID string          `placeholder:"ID" group:"what" help:"A later notification with the same id replaces this one on the device."`
	Labels     pairs           `name:"label" placeholder:"KEY=VALUE" group:"what" help:"For filters and reports; may be repeated."`
	AtMostOnce bool            `group:"what" help:"Never try again what may have been delivered."`

	IdempotencyKey string `placeholder:"KEY" group:"what" help:"Running the same command again within 72 hours does nothing twice."`
}

// request builds the request, without its target.
func (c content) request(in io.Reader) (client.Request, error) {
	req := client.Request{App: c.App, Priority: c.Priority, TTL: c.TTL, CollapseID: c.CollapseID, Labels: c.Labels}
	if c.AtMostOnce {
		req.Guarantee = client.AtMostOnce
	}
	if c.Priority != "" && !slices.Contains(client.Priorities(), c.Priority) {
		return req, display.Usagef("--priority: must be high, normal or bulk (got %q)", c.Priority)
	}
	if c.TTL != "" && c.ExpiresAt != "" {
		return req, display.Usagef("--ttl and --expires-at: give one of them")
	}
	if c.TTL != "" {
		if d, err := time.ParseDuration(c.TTL); err != nil || d <= 0 {
			return req, display.Usagef("--ttl: must be a duration such as 90s or 24h (got %q)", c.TTL)
		}
	}
	if c.ExpiresAt != "" {
		at, err := time.Parse(time.RFC3339, c.ExpiresAt)
		if err != nil {
			return req, display.Usagef("--expires-at: must be a time such as 2030-01-02T15:04:05Z (got %q)", c.ExpiresAt)
		}
		req.ExpiresAt = &at
	}
	var err error
	req.Message, err = c.message(in)
	return req, err
}

func (c content) message(in io.Reader) (json.RawMessage, error) {
	switch {
	case c.Message == "" && c.Title == "":
		return nil, display.Usagef("nothing to send: give --message FILE, or --title TEXT")
	case c.Message != "" && (c.Title != "" || c.Body != ""):
		return nil, display.Usagef("--message and --title: give one of them")
	case c.Message == "":
		text := map[string]string{"title": c.Title}
		if c.Body != "" {
			text["body"] = c.Body
		}
		return json.Marshal(map[string]any{"notification": text})
	}
	raw, err := readAll(c.Message, in)
	if err != nil {
		return nil, fmt.Errorf("--message: %w", err)
	}
	return unwrap(raw, c.Message)
}

// unwrap checks that the text is a JSON object. FCM's own documentation shows
// messages as {"message": {…}}, so that is taken too.
func unwrap(raw []byte, name string) (json.RawMessage, error) {
	raw = strict.TrimBOM(raw)
	if bad := request.CheckJSON(raw); bad != nil {
		return nil, display.Usagef("--message: %s: %s", name, bad)
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil || fields == nil { //nolint:forbidigo // it was checked: only its type can be wrong
		return nil, display.Usagef("--message: %s must be a JSON object", name)
	}
	if inner, ok := fields["message"]; ok && len(fields) == 1 {
		return inner, nil
	}
	return bytes.TrimSpace(raw), nil
}

// maxMessageFile is far beyond any message that FCM takes (4,096 bytes), and
// stops a mistaken file name from filling the memory.
const maxMessageFile = 1 << 20

func readAll(name string, in io.Reader) ([]byte, error) {
	if name != stdinName {
		f, err := os.Open(name) //nolint:gosec // the caller's own file
		if err != nil {
			return nil, err
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	raw, err := io.ReadAll(io.LimitReader(in, maxMessageFile+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if len(raw) > maxMessageFile {
		return nil, fmt.Errorf("%s: must be at most %d bytes", name, maxMessageFile)
	}
	return raw, nil
}

// target is whom to send to, where few are meant.
type target struct {
	Tokens    []string `name:"to-token" sep:"none" placeholder:"TOKEN" group:"target" help:"FCM registration token; may be repeated, as may the next three."`
	FIDs      []string `name:"to-fid" sep:"none" placeholder:"FID" group:"target" help:"Firebase installation id."`
	Users     []string `name:"to-user" sep:"none" placeholder:"ID" group:"target" help:"User: every registered device of theirs."`
	Devices   []string `name:"to-device" sep:"none" placeholder:"ID" group:"target" help:"Registered device."`
	Topic     string   `name:"to-topic" placeholder:"NAME" group:"target" help:"FCM topic."`
	Condition string   `name:"to-condition" placeholder:"EXPR" group:"target" help:"Condition over topics, such as \"'a' in topics\"."`
}

// kinds counts how many kinds of recipients were given.
func (t target) kinds() (n int) {
	for _, given := range []bool{
		len(t.Tokens) > 0, len(t.FIDs) > 0, len(t.Users) > 0, len(t.Devices) > 0, t.Topic != "", t.Condition != "",
	} {
		if given {
			n++
		}
	}
	return n
}

func (t target) target() *client.Target {
	return &client.Target{
		Tokens: t.Tokens, FIDs: t.FIDs, UserIDs: t.Users, DeviceIDs: t.Devices, Topic: t.Topic, Condition: t.Condition,
	}
}
