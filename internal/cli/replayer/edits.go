package replayer

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/cli/display"
	"github.com/belfry-push/belfry/internal/request"
	"github.com/belfry-push/belfry/internal/strict"
)

// edits are what a replay changes about the letters that it sends.
type edits struct {
	ExpireAfter time.Duration   `group:"edit" placeholder:"TIME" help:"New deadline of every letter, counted from when it is sent; without it expired letters stay."`
	Priority    client.Priority `group:"edit" placeholder:"P" help:"high, normal or bulk: the lane; default the replay lane, behind live traffic."`
	Set         []string        `group:"edit" sep:"none" placeholder:"KEY=VALUE" help:"priority, expire_after, or a field of the message such as notification.title; KEY:=JSON for what is no text. Repeatable."`
	Patch       string          `group:"edit" placeholder:"FILE" help:"RFC 6902 JSON Patch that is applied to each message, before what --set changes in it."`
}

// given tells whether there are any.
func (e *edits) given() bool {
	return e.ExpireAfter != 0 || e.Priority != "" || len(e.Set) > 0 || e.Patch != ""
}

// operation is one of RFC 6902.
type operation struct {
	Op    string          `json:"op"`
	Path  string          `json:"path"`
	Value json.RawMessage `json:"value"`
}

// read returns what the flags say; nil for no edits.
func (e edits) read() (*client.ReplayEdits, error) {
	out := client.ReplayEdits{Priority: e.Priority}
	if e.ExpireAfter > 0 {
		out.ExpireAfter = e.ExpireAfter.String()
	}
	var patch []json.RawMessage
	if e.Patch != "" {
		b, err := os.ReadFile(e.Patch)
		if err != nil {
			return nil, display.Usagef("--patch: %v", err)
		}
		b = strict.TrimBOM(b)
		if bad := request.CheckJSON(b); bad != nil {
			return nil, display.Usagef("--patch: %s: %s", e.Patch, bad)
		}
		if err := json.Unmarshal(b, &patch); err != nil { //nolint:forbidigo // it was checked: only its type can be wrong
			return nil, display.Usagef("--patch: %s must be a JSON array of operations", e.Patch)
		}
	}
	seen := map[string]bool{}
	for _, s := range e.Set {
		key, _, _ := strings.Cut(s, "=")
		if key = strings.TrimSuffix(key, ":"); seen[key] {
			return nil, display.Usagef("--set: %s is given twice", key)
		}
		seen[key] = true
		op, err := setting(s, &out)
		if err != nil {
			return nil, err
		}
		if op != nil {
			patch = append(patch, op)
		}
	}
	if len(patch) > 0 {
		b, err := json.Marshal(patch)
		if err != nil {
			return nil, fmt.Errorf("encode the patch: %w", err)
		}
		out.Patch = b
	}
	if out.Priority == "" && out.ExpireAfter == "" && out.Patch == nil {
		return nil, nil //nolint:nilnil // the API's word for no edits
	}
	return &out, nil
}

// setting applies one --set: to the edits themselves, or as an operation on the
// message. "add" replaces what is there (RFC 6902 §4.1).
func setting(s string, out *client.ReplayEdits) (json.RawMessage, error) {
	key, value, ok := strings.Cut(s, "=")
	if !ok || key == "" || key == ":" {
		return nil, display.Usagef("--set: must be KEY=VALUE or KEY:=JSON (got %q)", s)
	}
	switch key {
	case "priority":
		out.Priority = client.Priority(value)
		return nil, nil
	case "expire_after":
		out.ExpireAfter = value
		return nil, nil
	}
	var encoded json.RawMessage
	if field, is := strings.CutSuffix(key, ":"); is {
		key, encoded = field, json.RawMessage(value)
		if bad := request.CheckJSON(encoded); bad != nil {
			return nil, display.Usagef("--set: %s: the value must be JSON (got %q): %s", key, value, bad)
		}
	} else {
		var err error
		if encoded, err = json.Marshal(value); err != nil {
			return nil, fmt.Errorf("encode %s: %w", key, err)
		}
	}
	steps := strings.Split(key, ".")
	for i := range steps {
		steps[i] = strings.NewReplacer("~", "~0", "/", "~1").Replace(steps[i]) // RFC 6901 §3
	}
	op, err := json.Marshal(operation{Op: "add", Path: "/" + strings.Join(steps, "/"), Value: encoded})
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", key, err)
	}
	return op, nil
}

// share is a part of a whole: 1% or 0.01.
type share float64

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *share) UnmarshalText(b []byte) error {
	text, percent := strings.CutSuffix(strings.TrimSpace(string(b)), "%")
	v, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if percent {
		v /= 100
	}
	if err != nil || !(v >= 0 && v <= 1) {
		return fmt.Errorf("must be a share such as 1%% or 0.01 (got %q)", b)
	}
	*s = share(v)
	return nil
}
