package deadletters

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/httpapi/views"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/strict"
)

// letterParams returns the query parameters of the filter.
func letterParams() []door.Param {
	text := func(name, about string) door.Param { return door.Param{Name: name, About: about, High: door.MaxText} }
	return append(views.LetterParams(),
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

// listed returns the filter of a list, as far as the caller may see.
func listed(x *door.Exchange) (push.LetterFilter, error) {
	f := client.DeadLetterFilter{
		Queue: x.Query.Text("queue"), Tenant: x.Query.Text("tenant"), App: x.Query.Text("app"), Code: client.Code(x.Query.Text("code")),
		Class:       client.Class(x.Query.Text("class")),
		Fingerprint: x.Query.Text("fingerprint"), Notification: x.Query.Text("notification"), Replay: x.Query.Text("replay"),
		Label: x.Query.Text("label"), Text: x.Query.Text("text"), Older: x.Query.Text("older"), Younger: x.Query.Text("younger"),
	}
	if states := x.Query.Text("state"); states != "" {
		for s := range strings.SplitSeq(states, ",") {
			f.States = append(f.States, client.DeadLetterState(s))
		}
	}
	at := func(name string) string {
		if strings.HasPrefix(name, "states/") {
			return "?state" // they are one text here
		}
		return "?" + name
	}
	r := filterReader{at: at, now: x.Now()}
	f.DeadAfter, f.DeadBefore, f.StoredBefore = r.time(x, "dead_after"), r.time(x, "dead_before"), r.time(x, "stored_before")
	out := r.read(&f)
	if err := r.faults.Err(); err != nil {
		return out, err
	}
	return out, scope(x, &out)
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

// oneOf reports whether the value is one of the names, and notes a fault if not.
func (r *filterReader) oneOf(field, got string, names []string) bool {
	known := slices.Contains(names, got)
	if !known {
		r.fault(field, "must be one of %s%s", strings.Join(names, ", "), strict.DidYouMean(got, names))
	}
	return known
}

func (r *filterReader) time(x *door.Exchange, name string) *time.Time {
	text := x.Query.Text(name)
	if text == "" {
		return nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		r.fault(name, "must be a time such as 2030-01-02T15:04:05Z")
	}
	return &t
}

// ago returns the time so long ago; the zero time if text is empty.
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
		Queue: f.Queue, Tenant: f.Tenant, App: f.App, Fingerprint: f.Fingerprint, Notification: push.ID(f.Notification),
		Replay: push.ID(f.Replay), Text: f.Text,
	}
	const most = 1000
	if len(f.IDs) > most {
		r.fault("ids", "must be at most %d (got %d)", most, len(f.IDs))
	}
	for i, id := range f.IDs {
		parsed, err := push.ParseID(id, push.PrefixDeadLetter)
		if err != nil {
			r.fault("ids/"+strconv.Itoa(i), "must be the id of a dead letter, %s_…", push.PrefixDeadLetter)
			break
		}
		out.IDs = append(out.IDs, parsed)
	}
	for i, s := range f.States {
		r.oneOf("states/"+strconv.Itoa(i), string(s), stateNames())
		out.States = append(out.States, push.LetterState(s))
	}
	if f.Queue != "" {
		r.oneOf("queue", f.Queue, push.Queues())
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
	params := views.LetterParams()
	classes, codes := params[0].Choices, params[1].Choices
	if f.Code != "" && r.oneOf("code", string(f.Code), codes) {
		out.Code, _ = push.CodeNamed(string(f.Code))
	}
	if f.Class != "" && r.oneOf("class", string(f.Class), classes) {
		i := slices.IndexFunc(push.Classes(), func(c push.Class) bool { return c.String() == string(f.Class) })
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
func chosen(x *door.Exchange, f *client.DeadLetterFilter) (push.LetterFilter, error) {
	r := filterReader{at: func(field string) string { return "/filter/" + field }, now: x.Now()}
	out := r.read(f)
	return out, r.faults.Err()
}
