package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/push"
)

// letterParams are the filter as a query has it.
func letterParams() []param {
	text := func(name, about string) param { return param{name: name, about: about, high: maxTextParam} }
	choices := filterParams()
	choices[0].about = "Only letters whose code, or last attempt's code, is of this class."
	choices[1].about = "Only letters that are dead for this reason, or whose last attempt came to it."
	return append(choices,
		text("state", "Only letters in one of these states, separated by commas: "+strings.Join(stateNames(), ", ")+"."),
		text("queue", "Only letters that died on this source queue."),
		text("tenant", "Only this tenant's letters."),
		text("app", "Only letters of this FCM project."),
		text("fingerprint", "Only letters of this group."),
		text("notification", "Only letters of this notification or batch."),
		text("replay", "Only letters that this replay claimed last."),
		text("label", "Only letters whose notification has this label: name, or name=value."),
		text("text", "Only letters that have this in their evidence, their user's or device's id, or a label's value."),
		text("older", "Dead for at least that long: a duration such as 2h."),
		text("younger", "Dead for less than that."),
		text("dead_after", "Dead since this time (RFC 3339) or later."),
		text("dead_before", "Dead before this time."),
		text("stored_before", "Taken by the store before this time."),
	)
}

func stateNames() []string {
	var names []string
	for _, s := range push.LetterStates() {
		names = append(names, string(s))
	}
	return names
}

// letters returns the filter of a list, as far as the caller may see.
func (a *api) letters(x *exchange) (push.LetterFilter, error) {
	f := client.DeadLetterFilter{
		Queue: x.query.text("queue"), Tenant: x.query.text("tenant"), App: x.query.text("app"), Code: x.query.text("code"), Class: x.query.text("class"),
		Fingerprint: x.query.text("fingerprint"), Notification: x.query.text("notification"), Replay: x.query.text("replay"),
		Label: x.query.text("label"), Text: x.query.text("text"), Older: x.query.text("older"), Younger: x.query.text("younger"),
	}
	if states := x.query.text("state"); states != "" {
		f.States = strings.Split(states, ",")
	}
	r := filterReader{at: func(name string) string { return "?" + strings.TrimSuffix(name, "s") }, now: a.now()} // "states" is "state" here
	f.DeadAfter, f.DeadBefore, f.StoredBefore = r.time(x, "dead_after"), r.time(x, "dead_before"), r.time(x, "stored_before")
	out := r.read(&f)
	if err := r.faults.Err(); err != nil {
		return out, err
	}
	return out, a.scope(x, &out)
}

// filterReader turns the API's filter into the room's and gathers its faults.
type filterReader struct {
	at     func(field string) string // where a field is, for faults
	now    time.Time
	faults push.Faults
}

func (r *filterReader) fault(field, format string, args ...any) {
	r.faults = append(r.faults, push.Fault{Pointer: r.at(field), Code: push.FaultValue, Detail: fmt.Sprintf(format, args...)})
}

func (r *filterReader) time(x *exchange, name string) *time.Time {
	text := x.query.text(name)
	if text == "" {
		return nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		r.fault(name, "must be a time such as 2030-01-02T15:04:05Z")
	}
	return &t
}

// ago returns how long ago something was; the zero time if that was not said.
func (r *filterReader) ago(field, text string) time.Time {
	if text == "" {
		return time.Time{}
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		r.fault(field, "must be a duration such as 90m or 48h")
	}
	return r.now.Add(-d)
}

func (r *filterReader) read(f *client.DeadLetterFilter) push.LetterFilter {
	out := push.LetterFilter{
		Queue: f.Queue, Tenant: f.Tenant, App: f.App, Fingerprint: f.Fingerprint, Notification: push.ID(f.Notification), Replay: push.ID(f.Replay), Text: f.Text,
	}
	const most = 1000
	if len(f.IDs) > most {
		r.fault("ids", "must be at most %d (got %d)", most, len(f.IDs))
	}
	for _, id := range f.IDs {
		parsed, err := push.ParseID(id, push.PrefixDeadLetter)
		if err != nil {
			r.fault("ids", "must be ids of dead letters, %s_…", push.PrefixDeadLetter)
			break
		}
		out.IDs = append(out.IDs, parsed)
	}
	for _, s := range f.States {
		if !slices.Contains(stateNames(), s) {
			r.fault("states", "must be %s", strings.Join(stateNames(), ", "))
		}
		out.States = append(out.States, push.LetterState(s))
	}
	if f.Queue != "" && !slices.Contains(push.Queues(), f.Queue) {
		r.fault("queue", "must be one of %s", strings.Join(push.Queues(), ", "))
	}
	out.LabelName, out.LabelValue, _ = strings.Cut(f.Label, "=")
	if f.Label != "" && out.LabelName == "" {
		r.fault("label", "must be name or name=value")
	}
	r.codes(f, &out)
	r.times(f, &out)
	return out
}

func (r *filterReader) codes(f *client.DeadLetterFilter, out *push.LetterFilter) {
	if f.Code != "" {
		code, known := push.CodeNamed(f.Code)
		if !known {
			r.fault("code", "must be an outcome code")
		}
		out.Code = code
	}
	if f.Class != "" {
		i := slices.IndexFunc(push.Classes(), func(c push.Class) bool { return c.String() == f.Class })
		if i < 0 {
			r.fault("class", "must be a class of outcomes")
			return
		}
		out.Class = push.Classes()[i]
	}
}

func (r *filterReader) times(f *client.DeadLetterFilter, out *push.LetterFilter) {
	out.DeadBefore, out.DeadAfter = r.ago("older", f.Older), r.ago("younger", f.Younger)
	exact := func(field string, t *time.Time, relative string, into *time.Time) {
		switch {
		case t == nil:
		case relative != "":
			r.faults = append(r.faults, push.Fault{Pointer: r.at(field), Code: push.FaultConflict, Detail: "give a time or an age"})
		default:
			*into = t.UTC()
		}
	}
	exact("dead_before", f.DeadBefore, f.Older, &out.DeadBefore)
	exact("dead_after", f.DeadAfter, f.Younger, &out.DeadAfter)
	exact("stored_before", f.StoredBefore, "", &out.StoredBefore)
}

// chosen returns the filter of a body.
func (a *api) chosen(f *client.DeadLetterFilter) (push.LetterFilter, error) {
	r := filterReader{at: func(field string) string { return "/filter/" + field }, now: a.now()}
	out := r.read(f)
	return out, r.faults.Err()
}

// operator tells whether the caller works on every tenant's letters.
func (a *api) operator(x *exchange) bool { return a.cfg.Operator != "" && x.tenant == a.cfg.Operator }

// scope bounds a filter to what the caller may see.
func (a *api) scope(x *exchange, f *push.LetterFilter) error {
	switch {
	case a.operator(x):
	case f.Tenant != "" && f.Tenant != x.tenant:
		return refuse(codeForbidden, "this key works on its own tenant's letters only: leave tenant out")
	default:
		f.Tenant = x.tenant
	}
	return nil
}

// sees tells whether the caller may see what is of a tenant, "" for several.
func (a *api) sees(x *exchange, tenant string) bool { return a.operator(x) || tenant == x.tenant }

// readJSON decodes a body strictly: what the route does not know must not be
// ignored.
func readJSON(body []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	err := dec.Decode(into)
	if err == nil && dec.Decode(new(json.RawMessage)) != io.EOF {
		return push.Faults{{Code: push.FaultSyntax, Detail: "must be one JSON object"}}
	}
	wrong, isType := errors.AsType[*json.UnmarshalTypeError](err)
	name, unknown := "", false
	if err != nil {
		name, unknown = strings.CutPrefix(err.Error(), "json: unknown field ") // the package has no type for it
	}
	switch {
	case err == nil:
		return nil
	case isType:
		return push.Faults{{Pointer: "/" + strings.ReplaceAll(wrong.Field, ".", "/"), Code: push.FaultType, Detail: fmt.Sprintf("must be %s (got %s)", wrong.Type, wrong.Value)}}
	case unknown:
		return push.Faults{{Code: push.FaultUnknown, Detail: "there is no field " + clip(name)}}
	}
	return push.Faults{{Code: push.FaultSyntax, Detail: "must be one JSON object"}}
}
