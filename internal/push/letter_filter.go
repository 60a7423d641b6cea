package push

import (
	"slices"
	"strings"
	"time"
)

// LetterFilter chooses dead letters. The zero filter takes all of them; fields
// that are set must all agree. Stores narrow down with what they have indexes
// for, and [LetterFilter.Match] decides.
type LetterFilter struct {
	IDs         []ID          `json:"ids,omitempty"`
	States      []LetterState `json:"states,omitempty"`
	Queue       string        `json:"queue,omitempty"`
	Tenant      string        `json:"tenant,omitempty"`
	App         string        `json:"app,omitempty"`
	Code        Code          `json:"code,omitzero"`  // why it is dead, or what the last attempt came to
	Class       Class         `json:"class,omitzero"` // of either code; ClassOpen takes all
	Fingerprint string        `json:"fingerprint,omitempty"`

	Notification ID     `json:"notification,omitempty"` // a batch is one too
	Replay       ID     `json:"replay,omitempty"`       // that claimed it last
	Awaiting     bool   `json:"awaiting,omitempty"`     // see [Letter.Awaiting]
	LabelName    string `json:"label_name,omitempty"`   // with LabelValue, of the notification
	LabelValue   string `json:"label_value,omitempty"`
	// Text is looked for in the evidence, the ids of user and device, and the
	// labels' values, without regard to case.
	Text string `json:"text,omitempty"`

	DeadAfter    time.Time `json:"dead_after,omitzero"`
	DeadBefore   time.Time `json:"dead_before,omitzero"`
	StoredBefore time.Time `json:"stored_before,omitzero"`
	MovedBefore  time.Time `json:"moved_before,omitzero"`

	// OldestFirst lists in the order of arrival, otherwise the newest come first.
	OldestFirst bool `json:"oldest_first,omitempty"`
}

// IsZero reports whether the filter takes every letter.
func (f *LetterFilter) IsZero() bool {
	return len(f.IDs) == 0 && len(f.States) == 0 && f.GroupsOnly() && f.Tenant == "" && f.Queue == "" && f.App == "" &&
		f.Code == CodeOpen && f.Class == ClassOpen && f.Fingerprint == ""
}

// GroupsOnly reports whether the filter asks for nothing but what all letters of
// a [LetterGroup] have in common; states aside.
func (f *LetterFilter) GroupsOnly() bool {
	return len(f.IDs) == 0 && f.Notification == "" && f.Replay == "" && !f.Awaiting && !f.Searches() &&
		f.DeadAfter.IsZero() && f.DeadBefore.IsZero() && f.StoredBefore.IsZero() && f.MovedBefore.IsZero()
}

// OfGroups returns the filter without what [LetterFilter.GroupsOnly] forbids: it
// takes every letter that f takes, and others of their groups.
func (f *LetterFilter) OfGroups() LetterFilter {
	return LetterFilter{
		States: f.States, Queue: f.Queue, Tenant: f.Tenant, App: f.App, Code: f.Code, Class: f.Class, Fingerprint: f.Fingerprint,
		OldestFirst: f.OldestFirst,
	}
}

// Searches reports whether the filter looks into evidence or labels, for which no
// store has an index.
func (f *LetterFilter) Searches() bool { return f.Text != "" || f.LabelName != "" }

// Match reports whether the filter takes the letter.
func (f *LetterFilter) Match(l *Letter) bool {
	g := LetterGroup{Fingerprint: l.Fingerprint, Tenant: l.Tenant, Queue: l.Queue, App: l.App, Code: l.Code, LastCode: l.LastCode}
	return f.MatchGroup(&g) && f.MatchState(l.State) &&
		(len(f.IDs) == 0 || slices.Contains(f.IDs, l.ID)) &&
		(f.Notification == "" || f.Notification == l.Notification) &&
		(f.Replay == "" || f.Replay == l.Replay) &&
		(!f.Awaiting || l.Awaiting()) &&
		(f.DeadAfter.IsZero() || !l.DeadAt.Before(f.DeadAfter)) &&
		(f.DeadBefore.IsZero() || l.DeadAt.Before(f.DeadBefore)) &&
		(f.StoredBefore.IsZero() || l.StoredAt.Before(f.StoredBefore)) &&
		(f.MovedBefore.IsZero() || l.MovedAt.Before(f.MovedBefore)) && f.MatchText(l)
}

// MatchText reports whether the letter has what the filter searches for.
func (f *LetterFilter) MatchText(l *Letter) bool {
	return (f.LabelName == "" || hasLabel(l.Labels, f.LabelName, f.LabelValue)) && (f.Text == "" || l.mentions(f.Text))
}

// MatchState reports whether the filter takes letters in the state.
func (f *LetterFilter) MatchState(s LetterState) bool {
	return len(f.States) == 0 || slices.Contains(f.States, s)
}

// MatchGroup reports whether the filter may take letters of the group.
func (f *LetterFilter) MatchGroup(g *LetterGroup) bool {
	return (f.Tenant == "" || f.Tenant == g.Tenant) && (f.Queue == "" || f.Queue == g.Queue) && (f.App == "" || f.App == g.App) &&
		(f.Fingerprint == "" || f.Fingerprint == g.Fingerprint) &&
		(f.Code == CodeOpen || f.Code == g.Code || f.Code == g.LastCode) &&
		(f.Class == ClassOpen || f.Class == g.Code.Class() || f.Class == g.LastCode.Class())
}

func hasLabel(labels map[string]string, name, value string) bool {
	v, ok := labels[name]
	return ok && (value == "" || v == value)
}

// mentions reports whether the letter's text has the words.
func (l *Letter) mentions(words string) bool {
	words = strings.ToLower(words)
	has := func(s string) bool { return strings.Contains(strings.ToLower(s), words) }
	if has(l.Detail) || has(l.Recipient.UserID) || has(string(l.Recipient.DeviceID)) || has(l.Reason) {
		return true
	}
	for _, v := range l.Labels {
		if has(v) {
			return true
		}
	}
	return false
}

// LetterGroup counts the letters of one fingerprint, tenant and queue.
type LetterGroup struct {
	Fingerprint string
	Tenant      string
	Queue       string
	App         string
	Code        Code
	LastCode    Code
	Template    string
	Pattern     string
	Sample      ID // one of its letters; it may be gone by now

	ByState                 map[LetterState]int64 // states without letters may be absent
	FirstDeadAt, LastDeadAt time.Time
}

// LetterTally counts the letters that one replay claimed last.
type LetterTally struct {
	Replaying int64          // claimed, perhaps sent
	Returned  int64          // messages sent back to their queues
	ByOutcome map[Code]int64 // recipients sent again; CodeOpen are those without an outcome yet
}

// Sent returns how many letters were sent again.
func (t *LetterTally) Sent() int64 {
	n := t.Returned
	for _, k := range t.ByOutcome {
		n += k
	}
	return n
}

// Awaiting returns how many letters were sent again and have no outcome yet.
func (t *LetterTally) Awaiting() int64 { return t.ByOutcome[CodeOpen] }

// Refailed returns how many recipients have an outcome of their replay, and how
// many of them failed again: dead once more, or permanently.
func (t *LetterTally) Refailed() (failed, known int64) {
	for c, n := range t.ByOutcome {
		if c.Class() == ClassOpen {
			continue
		}
		if known += n; c.Refailed() {
			failed += n
		}
	}
	return failed, known
}
