package usage

import (
	"encoding/json"
	"fmt"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

// classes is how many classes of outcome there are, with [push.ClassOpen].
const classes = int(push.ClassDeadLettered) + 1

// Sums is what was used. It is comparable: two equal ones are ==. All numbers are 0 or more.
type Sums struct {
	Requests           int64 // notifications and batches accepted
	Recipients         int64 // deliveries: planned ones, and one for each source that is not planned yet
	Invalid            int64 // upload lines refused; they are in no other number
	ByClass            [classes]int64
	PossibleDuplicates int64 // of Recipients: those that may have got it twice
	Nanodollars        int64 // see [Config.Cost]
}

// Open returns how many recipients have no outcome yet.
func (s *Sums) Open() int64 { return s.ByClass[push.ClassOpen] }

// Billable returns the billable units: a recipient whose message FCM took, or may have taken. What
// was suppressed, expired, cancelled, refused by FCM or dead-lettered is none, and a recipient
// that was asked for several times is one.
func (s *Sums) Billable() int64 { return s.ByClass[push.ClassSent] + s.ByClass[push.ClassAmbiguous] }

// Plus returns the sum of both.
func (s Sums) Plus(o Sums) Sums { return s.with(o, 1) }

// Minus returns s without o, which is a part of it.
func (s Sums) Minus(o Sums) Sums { return s.with(o, -1) }

func (s Sums) with(o Sums, sign int64) Sums {
	s.Requests += sign * o.Requests
	s.Recipients += sign * o.Recipients
	s.Invalid += sign * o.Invalid
	for i, n := range o.ByClass {
		s.ByClass[i] += sign * n
	}
	s.PossibleDuplicates += sign * o.PossibleDuplicates
	s.Nanodollars += sign * o.Nanodollars
	return s
}

// sumsOf returns what one notification used, by its head and the sum of its lines.
func sumsOf(n *push.Notification, c *ledger.Counts, cost func(recipients, billable int64) int64) Sums {
	unplanned := c.Unplanned(n.Progress.Sources)
	s := Sums{
		Requests: 1, Recipients: c.Recipients + unplanned, Invalid: n.Progress.Invalid, PossibleDuplicates: c.PossibleDuplicates,
	}
	for class, k := range c.ByClass() {
		s.ByClass[class] += k
	}
	s.ByClass[push.ClassOpen] += unplanned
	s.Nanodollars = cost(s.Recipients, s.Billable())
	return s
}

// settled reports whether nothing can change what a notification used: it has come to its end,
// every recipient has its outcome, and none is dead-lettered, which alone a replay opens again.
func settled(n *push.Notification, c *ledger.Counts, s *Sums) bool {
	switch n.Progress.State {
	case push.StateCompleted, push.StateCancelled:
	case push.StateUploading, push.StateAccepted, push.StateSending, push.StateHeld, push.StatePaused, push.StateDeadLettered:
		return false
	default: // of a newer program
		return false
	}
	return !n.Progress.Unfinished() && s.Open() == 0 && s.ByClass[push.ClassDeadLettered] == 0 && c.ChunksClosed == c.Chunks
}

// sumsJSON is how sums are stored: what is zero is left out, and classes have their names.
type sumsJSON struct {
	Requests           int64            `json:"requests,omitempty"`
	Recipients         int64            `json:"recipients,omitempty"`
	Invalid            int64            `json:"invalid,omitempty"`
	ByClass            map[string]int64 `json:"by_class,omitempty"`
	PossibleDuplicates int64            `json:"possible_duplicates,omitempty"`
	Nanodollars        int64            `json:"nanodollars,omitempty"`
}

// MarshalJSON implements json.Marshaler.
func (s Sums) MarshalJSON() ([]byte, error) {
	out := sumsJSON{
		Requests: s.Requests, Recipients: s.Recipients, Invalid: s.Invalid, PossibleDuplicates: s.PossibleDuplicates, Nanodollars: s.Nanodollars,
	}
	for i, n := range s.ByClass {
		if n == 0 {
			continue
		}
		if out.ByClass == nil {
			out.ByClass = map[string]int64{}
		}
		out.ByClass[push.Class(i).String()] = n
	}
	return json.Marshal(out)
}

// UnmarshalJSON implements json.Unmarshaler. A class that does not exist is an error: its recipients
// must not go missing.
func (s *Sums) UnmarshalJSON(data []byte) error {
	var in sumsJSON
	if err := json.Unmarshal(data, &in); err != nil {
		return err
	}
	*s = Sums{
		Requests: in.Requests, Recipients: in.Recipients, Invalid: in.Invalid, PossibleDuplicates: in.PossibleDuplicates,
		Nanodollars: in.Nanodollars,
	}
	known := 0
	for _, c := range push.Classes() {
		if n, ok := in.ByClass[c.String()]; ok {
			s.ByClass[c] = n
			known++
		}
	}
	if known < len(in.ByClass) {
		return fmt.Errorf("usage: an outcome class of %v is not known", in.ByClass)
	}
	return nil
}
