package httpapi

import (
	"context"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/batch"
	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/httpapi/door/doortest"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/internal/worker"
)

// shelf is one batch with a recipient that is open, its pages, and a queue that
// takes everything.
type shelf struct{ n push.Notification }

func (s *shelf) Notification(context.Context, push.ID) (push.Notification, error) { return s.n, nil }

func (s *shelf) Advance(_ context.Context, _ push.ID, next push.Progress) error {
	s.n.Progress = next
	return nil
}

func (s *shelf) Counts(context.Context, push.ID) (ledger.Counts, error) {
	c := ledger.Counts{Recipients: 1, PagesPlanned: 1}
	c.ByCode[push.CodeOpen] = 1
	return c, nil
}

func (s *shelf) PutPage(_ context.Context, _ push.ID, _ push.PageKind, _ int, data []byte) ([]byte, error) {
	return data, nil
}

func (s *shelf) Page(context.Context, push.ID, push.PageKind, int) ([]byte, error) {
	return wire.EncodeUploadPage(&wire.UploadPage{First: 1, Last: 1, Recipients: []push.Recipient{{UserID: "ada", Line: 1}}})
}

func (s *shelf) Send(context.Context, []worker.Outgoing) error { return nil }

// TestStates goes through the table of docs/states.md: every operation in every
// state, over HTTP, on the room itself. What is illegal is answered with what is
// legal, which then works.
func TestStates(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../../docs/states.md")
	if err != nil {
		t.Fatal(err)
	}
	d := newDesk(t)
	var head []string
	seen := map[push.State]bool{}
	for line := range strings.Lines(string(doc)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		switch {
		case len(cells) != 7 || strings.HasPrefix(cells[0], "-"):
			continue
		case cells[0] == "":
			head = cells
			continue
		}
		open := strings.Contains(cells[0], "upload open")
		for _, state := range backquoted(cells[0]) {
			from := push.State(state)
			seen[from] = true
			for i, want := range cells[1:] {
				if wrong := d.ask(t, from, open, head[i+1], want); wrong != "" {
					t.Errorf("%s when %s (%s): want %s, got %s", head[i+1], state, cells[0], want, wrong)
				}
			}
		}
	}
	for _, s := range []push.State{
		push.StateUploading, push.StateAccepted, push.StateSending, push.StateHeld, push.StatePaused, push.StateCompleted, push.StateCancelled,
		push.StateDeadLettered,
	} {
		if !seen[s] {
			t.Errorf("docs/states.md says nothing of what may be asked of a batch that is %s", s)
		}
	}
}

// desk is the door on a room with one batch.
type desk struct {
	*rig
	shelf *shelf
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{shelf: &shelf{}}
	d.rig = setup(t, func(c *Config) {
		c.Batches = batch.New(batch.Config{
			Ledger: d.shelf, Pages: d.shelf, Tasks: d.shelf, Log: zap.NewNop(), Metrics: batch.NewMetrics(prometheus.NewRegistry()), Now: testNow,
		})
	})
	return d
}

// call asks for an operation on a batch in a state.
func (d *desk) call(t *testing.T, from push.State, open bool, op string) doortest.Answer {
	t.Helper()
	d.shelf.n = push.Notification{
		ID: batID, Tenant: access.DefaultName, Priority: push.PriorityBulk, AcceptedAt: testNow(),
		Progress: push.Progress{Version: 1, State: from, Early: open, Sources: 1, Pages: 1, Watermark: 1, Enqueued: true},
	}
	if from == push.StateHeld {
		p := &d.shelf.n.Progress
		p.State = push.StateAccepted
		p.Held[push.PartIOS] = push.Hold{Code: push.CodeFCMThirdPartyAuth, Refused: 20, Since: testNow()}
	}
	switch op {
	case "upload":
		return d.Do(t, http.MethodPost, recipients, `{"token":"t"}`, "Content-Type", door.TypeNDJSON)
	case "start early":
		op = "start?early=true"
	}
	return d.Do(t, http.MethodPost, "/v1/batches/"+batID+"/"+op, "")
}

// ask tries one cell of the table, and says what is wrong with the answer.
func (d *desk) ask(t *testing.T, from push.State, open bool, op, want string) string {
	t.Helper()
	got := d.call(t, from, open, op)
	if want == "409" {
		_, list, told := strings.Cut(got.Problem.Detail, "legal now: ")
		if got.Problem.Code != string(door.CodeState) || !told {
			return got.Body.String()
		}
		for legal := range strings.SplitSeq(list, ", ") {
			if legal == "nothing" {
				continue
			}
			if tried := d.call(t, from, open, legal); tried.Code != http.StatusOK {
				return "that " + legal + " is legal, which is answered " + tried.Body.String()
			}
		}
		return ""
	}
	if got.Code != http.StatusOK {
		return got.Body.String()
	}
	to, stays := []string{string(from)}, open && (want == "✓" || want == "no change")
	if strings.HasPrefix(want, "→") {
		to, stays = backquoted(want), strings.HasSuffix(want, ", open")
	}
	p := d.shelf.n.Progress
	if p.Held.Any() && p.State == push.StateAccepted {
		p.State = push.StateHeld
	}
	if !slices.Contains(to, string(p.State)) || p.Early != stays {
		return got.Body.String()
	}
	return ""
}

// backquoted returns what a cell has in backquotes.
func backquoted(cell string) []string {
	var all []string
	for i, part := range strings.Split(cell, "`") {
		if i%2 == 1 {
			all = append(all, part)
		}
	}
	return all
}
