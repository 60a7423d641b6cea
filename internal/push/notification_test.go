package push

import (
	"testing"
	"time"
)

func TestUnfinished(t *testing.T) {
	t.Parallel()
	for s, want := range map[State][2]bool{ // not finished, finished
		StateUploading: {false, false}, StateAccepted: {true, true}, StateSending: {true, true}, StateHeld: {true, true},
		StatePaused:    {true, true},
		StateCompleted: {false, false}, StateCancelled: {true, false}, StateDeadLettered: {true, false},
	} {
		for i, finished := range []bool{false, true} {
			p := Progress{State: s, Finished: finished}
			if got := p.Unfinished(); got != want[i] {
				t.Errorf("%s, finished %v: unfinished is %v", s, finished, got)
			}
		}
	}
}

func TestTransitions(t *testing.T) {
	t.Parallel()
	states := []State{StateUploading, StateAccepted, StateSending, StatePaused, StateCompleted, StateCancelled, StateDeadLettered}
	legal := map[State][]bool{ // in the order of states
		StateUploading:    {false, true, false, false, false, true, false},
		StateAccepted:     {false, false, true, true, true, true, true},
		StateSending:      {false, false, false, true, true, true, true},
		StatePaused:       {false, true, true, false, true, true, false},
		StateCompleted:    {false, false, false, false, false, false, false},
		StateCancelled:    {false, false, false, false, false, false, false},
		StateDeadLettered: {false, true, false, false, false, true, false},
	}
	for from, row := range legal {
		final := true
		for i, to := range states {
			if got := CanMove(from, to); got != row[i] {
				t.Errorf("CanMove(%s, %s) = %v", from, to, got)
			}
			final = final && !row[i]
		}
		if from.Final() != final {
			t.Errorf("%s: Final is %v", from, from.Final())
		}
	}
	if CanMove("nonsense", StateAccepted) {
		t.Error("an unknown state may move")
	}
}

func TestDeadline(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name string
		n    Notification
		want time.Time
	}{
		{"by default", Notification{AcceptedAt: at}, at.Add(24 * time.Hour)},
		{"with a ttl", Notification{AcceptedAt: at, TTL: time.Minute}, at.Add(time.Minute)},
		{
			"from a batch's start",
			Notification{AcceptedAt: at, TTL: time.Minute, Progress: Progress{StartedAt: at.Add(time.Hour)}},
			at.Add(61 * time.Minute),
		},
		{"expires_at wins", Notification{AcceptedAt: at, TTL: time.Minute, ExpiresAt: at.Add(time.Hour)}, at.Add(time.Hour)},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := c.n.Deadline(); !got.Equal(c.want) {
				t.Errorf("deadline is %v, want %v", got, c.want)
			}
		})
	}
}

func TestLane(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		priority Priority
		sources  int64
		want     Lane
	}{
		{PriorityHigh, 1_000_000, LaneHigh},
		{PriorityBulk, 1, LaneBulk},
		{PriorityNormal, NormalHighRecipients, LaneHigh},
		{PriorityNormal, NormalHighRecipients + 1, LaneBulk},
		{"", 1, LaneBulk},
	} {
		n := Notification{Priority: c.priority, Progress: Progress{Sources: c.sources}}
		if got := n.Lane(); got != c.want {
			t.Errorf("%q to %d takes %s, want %s", c.priority, c.sources, got, c.want)
		}
	}
}

func TestChunkRef(t *testing.T) {
	t.Parallel()
	ref := ChunkRef{Notification: "bat_x", Seq: 2*ChunksPerPage + 5}
	if ref.Page() != 2 || ref.String() != "bat_x#8197" {
		t.Errorf("page %d of %s", ref.Page(), ref)
	}
	// A page of the shortest lines fills fewer chunks than it has sequences.
	const shortest = len(`{"fid":"a"}` + "\n")
	if chunks := MaxPageBytes / shortest / MaxChunkRecipients; chunks >= ChunksPerPage {
		t.Errorf("a page may need %d chunks, and has %d sequences", chunks, ChunksPerPage)
	}
}

func TestHasOverrides(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		r    Recipient
		want bool
	}{
		{Recipient{Address: Address{KindToken, "a"}, UserID: "u", Locale: "de", Line: 3}, false},
		{Recipient{Data: map[string]string{}}, false},
		{Recipient{Data: map[string]string{"k": "v"}}, true},
		{Recipient{CollapseID: "c"}, true},
	} {
		if got := c.r.HasOverrides(); got != c.want {
			t.Errorf("%+v: %v", c.r, got)
		}
	}
}
