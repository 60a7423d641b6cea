package deadletters

import (
	"encoding/json"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/httpapi/views"
	"github.com/belfry-push/belfry/internal/letters"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/replay"
)

// letterView shows a letter without its address, like deliveries: a caller can find the
// address in its own records by the hash. An export has the address.
func letterView(l *push.Letter) client.DeadLetter {
	v := client.DeadLetter{
		ID: string(l.ID), State: client.DeadLetterState(l.State), Kind: string(l.Kind), Tenant: l.Tenant, App: l.App, Queue: l.Queue,
		Code: client.Code(l.Code.String()), LastCode: codeName(l.LastCode), Class: client.Class(l.Cause().Class().String()), Detail: l.Detail,
		Attempts: l.Attempts, Series: l.Series, ReplayOf: string(l.ReplayOf), NotificationID: string(l.Notification), Chunk: l.Seq, Index: l.Cell,
		Line: l.Recipient.Line, AddressKind: string(l.Recipient.Address.Kind), UserID: l.Recipient.UserID, DeviceID: string(l.Recipient.DeviceID),
		AcceptedAt: views.Time(l.AcceptedAt), DeadAt: l.DeadAt, StoredAt: l.StoredAt, TraceParent: l.TraceParent, Software: l.Software,
		Labels:      l.Labels,
		Fingerprint: l.Fingerprint, Template: l.Template, Pattern: l.Pattern,
		ReplayID: string(l.Replay), Outcome: codeName(l.Outcome), MovedAt: views.Time(l.MovedAt), Reason: l.Reason, By: l.By,
		BodyBytes: l.Bytes,
	}
	if !l.Recipient.Address.IsZero() {
		v.AddressHash = views.Hash(l.Recipient.Address.Hash())
	}
	return v
}

// codeName returns the name of a code, "" if there is none.
func codeName(c push.Code) client.Code {
	if c == push.CodeOpen {
		return ""
	}
	return client.Code(c.String())
}

func detailView(d *replay.Detail, body bool) client.DeadLetter {
	v := letterView(&d.Letter)
	advice := adviceView(&d.Advice)
	v.Advice, v.Prediction, v.Why = &advice, string(d.Prediction), d.Why
	v.ExpiresAt, v.KeptUntil = views.Time(d.Deadline), views.Time(d.KeptUntil)
	v.Message, v.EditedMessage = json.RawMessage(d.Before), json.RawMessage(d.After)
	switch {
	case d.Kind == push.LetterRecipient && !d.Forgotten:
		v.Ledger = client.Code(d.Ledger.String())
	case d.Kind == push.LetterMessage && body:
		v.Body = d.Body
	}
	for i := range d.Evidence {
		v.Evidence = append(v.Evidence, views.Attempt(&d.Evidence[i]))
	}
	return v
}

func adviceView(a *letters.Advice) client.DeadLetterAdvice {
	return client.DeadLetterAdvice{Cause: a.Cause, Check: a.Check, Replay: a.Replay, Runbook: a.Runbook}
}

// groupView counts the letters in the given states, in parked ones if none are.
func groupView(g *letters.Group, states []push.LetterState) client.DeadLetterGroup {
	if len(states) == 0 {
		states = []push.LetterState{push.LetterParked}
	}
	return client.DeadLetterGroup{
		Fingerprint: g.Fingerprint, Count: g.Count(states...), Code: client.Code(g.Code.String()), LastCode: codeName(g.LastCode),
		Class: client.Class(g.Class.String()),
		App:   g.App, Template: g.Template, Pattern: g.Pattern, ByState: byName[client.DeadLetterState](g.ByState),
		Tenants: byName[string](g.Tenants), Queues: byName[string](g.Queues),
		FirstDeadAt: g.FirstDeadAt, LastDeadAt: g.LastDeadAt, Sample: string(g.Sample), Advice: adviceView(&g.Advice),
		Sources: sourcesView(&g.Sources),
	}
}

// sourcesView shows what is behind letters; it is nil if none was looked at.
func sourcesView(s *letters.Sources) *client.DeadLetterSources {
	if s.Looked == 0 {
		return nil
	}
	v := &client.DeadLetterSources{
		Looked: s.Looked, Notifications: []client.DeadLetterSource{}, Labels: []client.DeadLetterLabel{},
		MoreNotifications: s.MoreNotifications, MoreLabels: s.MoreLabels,
	}
	for _, n := range s.Notifications {
		v.Notifications = append(v.Notifications, client.DeadLetterSource{ID: string(n.Notification), Title: n.Title, Letters: n.Letters})
	}
	for _, l := range s.Labels {
		v.Labels = append(v.Labels, client.DeadLetterLabel{Name: l.Name, Value: l.Value, Letters: l.Letters})
	}
	return v
}

// byName returns counts under their names, without zeros and never nil.
func byName[T, K ~string](m map[K]int64) map[T]int64 {
	out := map[T]int64{}
	for k, n := range m {
		if n != 0 {
			out[T(k)] = n
		}
	}
	return out
}

// byText does the same for keys with a String method.
func byText[T ~string, K interface {
	comparable
	String() string
}](m map[K]int64) map[T]int64 {
	out := map[T]int64{}
	for k, n := range m {
		if n != 0 {
			out[T(k.String())] += n
		}
	}
	return out
}

func statsView(s *letters.Stats) client.DeadLetterStats {
	return client.DeadLetterStats{
		ByState: byName[client.DeadLetterState](s.ByState), ByQueue: byName[string](s.ByQueue), ByCode: byText[client.Code](s.ByCode),
		ByClass:  byText[client.Class](s.ByClass),
		ByTenant: byName[string](s.ByTenant), ByApp: byName[string](s.ByApp), Groups: s.Groups,
		FirstDeadAt: views.Time(s.FirstDeadAt), LastDeadAt: views.Time(s.LastDeadAt), Expiry: expiryView(&s.Expiry),
	}
}

// expiryView shows an expiry; it is nil without a policy.
func expiryView(e *letters.Expiry) *client.DeadLetterExpiry {
	if e.Within == 0 && e.Expiring == 0 {
		return nil
	}
	return &client.DeadLetterExpiry{Letters: e.Expiring, Within: e.Within.String(), FirstAt: views.Time(e.FirstExpiry)}
}

// filterView shows the room's filter as the API has it.
func filterView(f *push.LetterFilter) client.DeadLetterFilter {
	v := client.DeadLetterFilter{
		Queue: f.Queue, Tenant: f.Tenant, App: f.App, Code: codeName(f.Code), Fingerprint: f.Fingerprint,
		Notification: string(f.Notification), Replay: string(f.Replay), Label: f.LabelName, Text: f.Text,
		DeadAfter: views.Time(f.DeadAfter), DeadBefore: views.Time(f.DeadBefore), StoredBefore: views.Time(f.StoredBefore),
	}
	if f.LabelValue != "" {
		v.Label += "=" + f.LabelValue
	}
	if f.Class != push.ClassOpen {
		v.Class = client.Class(f.Class.String())
	}
	for _, id := range f.IDs {
		v.IDs = append(v.IDs, string(id))
	}
	for _, s := range f.States {
		v.States = append(v.States, client.DeadLetterState(s))
	}
	return v
}
