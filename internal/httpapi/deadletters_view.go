package httpapi

import (
	"encoding/json"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/replay"
)

// letterView shows a letter without its address, as deliveries are shown: its
// hash finds it in one's own records. An export has the address.
func letterView(l *push.Letter) client.DeadLetter {
	v := client.DeadLetter{
		ID: string(l.ID), State: string(l.State), Kind: string(l.Kind), Tenant: l.Tenant, App: l.App, Queue: l.Queue,
		Code: l.Code.String(), LastCode: codeName(l.LastCode), Class: l.Cause().Class().String(), Detail: l.Detail,
		Attempts: l.Attempts, Series: l.Series, ReplayOf: string(l.ReplayOf), NotificationID: string(l.Notification), Chunk: l.Seq, Index: l.Cell,
		Line: l.Recipient.Line, AddressKind: string(l.Recipient.Address.Kind), UserID: l.Recipient.UserID, DeviceID: string(l.Recipient.DeviceID),
		AcceptedAt: timeOrNil(l.AcceptedAt), DeadAt: l.DeadAt, StoredAt: l.StoredAt, TraceParent: l.TraceParent, Software: l.Software, Labels: l.Labels,
		Fingerprint: l.Fingerprint, Template: l.Template, Pattern: l.Pattern,
		ReplayID: string(l.Replay), Outcome: codeName(l.Outcome), MovedAt: timeOrNil(l.MovedAt), Reason: l.Reason, By: l.By,
		BodyBytes: l.Bytes,
	}
	if !l.Recipient.Address.IsZero() {
		v.AddressHash = hashText(l.Recipient.Address.Hash())
	}
	return v
}

// codeName is "" where there is no code.
func codeName(c push.Code) string {
	if c == push.CodeOpen {
		return ""
	}
	return c.String()
}

func detailView(d *replay.Detail, body bool) client.DeadLetter {
	v := letterView(&d.Letter)
	advice := adviceView(&d.Advice)
	v.Advice, v.Prediction, v.Why = &advice, string(d.Prediction), d.Why
	v.Message, v.EditedMessage = json.RawMessage(d.Before), json.RawMessage(d.After)
	switch {
	case d.Kind == push.LetterRecipient && !d.Forgotten:
		v.Ledger = d.Ledger.String()
	case d.Kind == push.LetterMessage && body:
		v.Body = d.Body
	}
	for i := range d.Evidence {
		v.Evidence = append(v.Evidence, attemptView(&d.Evidence[i]))
	}
	return v
}

func adviceView(a *replay.Advice) client.DeadLetterAdvice {
	return client.DeadLetterAdvice{Cause: a.Cause, Check: a.Check, Replay: a.Replay, Runbook: a.Runbook}
}

// groupView counts the letters in the given states, in parked ones if none are.
func groupView(g *replay.Group, states []push.LetterState) client.DeadLetterGroup {
	if len(states) == 0 {
		states = []push.LetterState{push.LetterParked}
	}
	return client.DeadLetterGroup{
		Fingerprint: g.Fingerprint, Count: g.Count(states...), Code: g.Code.String(), LastCode: codeName(g.LastCode), Class: g.Class.String(),
		App: g.App, Template: g.Template, Pattern: g.Pattern, ByState: byName(g.ByState), Tenants: byName(g.Tenants), Queues: byName(g.Queues),
		FirstDeadAt: g.FirstDeadAt, LastDeadAt: g.LastDeadAt, Sample: string(g.Sample), Advice: adviceView(&g.Advice),
	}
}

// byName returns counts under their names, without zeros and never nil.
func byName[K ~string](m map[K]int64) map[string]int64 {
	out := map[string]int64{}
	for k, n := range m {
		if n != 0 {
			out[string(k)] = n
		}
	}
	return out
}

// byText does the same for what has a name only when printed.
func byText[K interface {
	comparable
	String() string
}](m map[K]int64) map[string]int64 {
	out := map[string]int64{}
	for k, n := range m {
		if n != 0 {
			out[k.String()] += n
		}
	}
	return out
}

func statsView(s *replay.Stats) client.DeadLetterStats {
	return client.DeadLetterStats{
		ByState: byName(s.ByState), ByQueue: byName(s.ByQueue), ByCode: byText(s.ByCode), ByClass: byText(s.ByClass),
		ByTenant: byName(s.ByTenant), ByApp: byName(s.ByApp), Groups: s.Groups,
		FirstDeadAt: timeOrNil(s.FirstDeadAt), LastDeadAt: timeOrNil(s.LastDeadAt), Expiry: expiryView(&s.Expiry),
	}
}

// expiryView is nil without a policy.
func expiryView(e *replay.Expiry) *client.DeadLetterExpiry {
	if e.Within == 0 && e.Expiring == 0 {
		return nil
	}
	return &client.DeadLetterExpiry{Letters: e.Expiring, Within: e.Within.String(), FirstAt: timeOrNil(e.FirstExpiry)}
}

// filterView is the room's filter as the API says it.
func filterView(f *push.LetterFilter) client.DeadLetterFilter {
	v := client.DeadLetterFilter{
		Queue: f.Queue, Tenant: f.Tenant, App: f.App, Code: codeName(f.Code), Fingerprint: f.Fingerprint,
		Notification: string(f.Notification), Replay: string(f.Replay), Label: f.LabelName, Text: f.Text,
		DeadAfter: timeOrNil(f.DeadAfter), DeadBefore: timeOrNil(f.DeadBefore), StoredBefore: timeOrNil(f.StoredBefore),
	}
	if f.LabelValue != "" {
		v.Label += "=" + f.LabelValue
	}
	if f.Class != push.ClassOpen {
		v.Class = f.Class.String()
	}
	for _, id := range f.IDs {
		v.IDs = append(v.IDs, string(id))
	}
	for _, s := range f.States {
		v.States = append(v.States, string(s))
	}
	return v
}
