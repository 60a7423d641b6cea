package httpapi

import (
	"bufio"
	"bytes"
	"context"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/report"
)

// books are the ledger of one batch of four in one chunk.
type books struct {
	mu   sync.Mutex
	n    push.Notification
	line ledger.Line
}

func newBooks() *books {
	ref := push.ChunkRef{Notification: batID}
	return &books{
		n: push.Notification{ID: batID, Tenant: access.DefaultName, Priority: push.PriorityBulk, AcceptedAt: testNow(), Progress: push.Progress{
			Version: 1, State: push.StateSending, StartedAt: testNow(), Sources: 4, Pages: 1,
		}},
		line: ledger.NewLine(ledger.Plan{Ref: ref, Last: true, Sources: 4, Cells: make([]ledger.Cell, 4)}, testNow()),
	}
}

func (b *books) Notification(_ context.Context, id push.ID) (push.Notification, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if id != b.n.ID {
		return push.Notification{}, push.ErrNotFound
	}
	return b.n, nil
}

func (b *books) Notifications(context.Context, string, string, int) ([]push.Notification, string, error) {
	return nil, "", nil
}

func (b *books) Behind(time.Time, push.ID) string { return "" }

func (b *books) Counts(context.Context, push.ID) (ledger.Counts, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.line.Tally(), nil
}

func (b *books) settle(cells ...int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, i := range cells {
		b.line.Settle(i, push.CodeSent, false)
	}
}

func (b *books) move(to push.State) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.n.Progress.State = to
	b.n.Progress.Version++
}

// pipes is a network in memory without any buffer: a client that does not read
// stops the server's write. In a synctest bubble its time-outs are virtual.
type pipes struct {
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), done: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.done) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes", Net: "unix"} }

// get sends a request on a connection of its own and returns that.
func (p *pipes) get(t *testing.T, path string, headers ...string) net.Conn {
	t.Helper()
	client, server := net.Pipe()
	p.conns <- server
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1"+path, nil)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	if err := r.Write(client); err != nil {
		t.Fatal(err)
	}
	return client
}

// station is a server with the real room on the books.
type station struct {
	*rig
	*pipes
	*books
	room   *report.Reader
	server *http.Server
}

func newStation(t *testing.T) *station {
	t.Helper()
	s := &station{rig: setup(t), pipes: newPipes(), books: newBooks()}
	s.room = report.New(report.Config{Notifications: s.books, Log: zap.NewNop()})
	s.reports.closeups = s.room
	s.server = door.NewServer(s, zap.NewNop())
	served := make(chan error, 1)
	go func() { served <- s.server.Serve(s.pipes) }()
	t.Cleanup(func() { _ = s.server.Close(); <-served })
	return s
}

// stream reads the events of an answer: id, name and what is sent, a word each.
type stream struct {
	*http.Response
	in *bufio.Reader
}

func open(t *testing.T, c net.Conn) *stream {
	t.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(c), nil) //nolint:bodyclose // see below
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() }) // closing the body would read it to its end
	return &stream{resp, bufio.NewReader(resp.Body)}
}

// next returns an event's lines joined by spaces, with the data cut down to
// state and number sent, or the error that ended the stream.
func (s *stream) next() string {
	var parts []string
	for {
		line, err := s.in.ReadString('\n')
		if err != nil {
			return err.Error()
		}
		line = strings.TrimSuffix(line, "\n")
		if line == "" {
			return strings.Join(parts, " ")
		}
		if data, ok := strings.CutPrefix(line, "data: "); ok {
			line = field(data, "state")
			if strings.Contains(data, `"counts"`) {
				line += "/" + field(data, "sent")
			}
		}
		parts = append(parts, line)
	}
}

// field cuts the value of a member out of JSON that is known.
func field(data, name string) string {
	_, rest, _ := strings.Cut(data, `"`+name+`":`)
	end := strings.IndexAny(rest, ",}")
	return strings.Trim(rest[:max(end, 0)], `"`)
}

func (s *stream) all() (events []string) {
	for {
		e := s.next()
		if events = append(events, e); e == "EOF" || strings.Contains(e, "unexpected") {
			return events
		}
	}
}

const events = "/v1/batches/" + batID + "/events"

func TestEvents(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStation(t)
		// Between two looks: one that comes between two changes sees the first alone.
		const later = 100 * time.Millisecond
		time.AfterFunc(10*time.Second+later, func() { s.settle(0, 1) })
		time.AfterFunc(30*time.Second+later, func() { s.move(push.StatePaused) })
		time.AfterFunc(40*time.Second+later, func() { s.move(push.StateSending); s.settle(2, 3) })
		in := open(t, s.get(t, events))
		if kind := in.Header.Get("Content-Type"); in.StatusCode != http.StatusOK || kind != door.TypeEvents {
			t.Errorf("status %d, %s", in.StatusCode, kind)
		}
		want := []string{
			"retry: 1000",
			"id: 2 event: state sending", "id: 2 event: progress sending/0",
			"id: 4 event: progress sending/2",
			":",
			"id: 5 event: state paused", "id: 5 event: progress paused/2",
			"id: 8 event: state completed", "id: 8 event: progress completed/4", "id: 8.done event: done completed/4",
			"EOF",
		}
		if got := in.all(); !slices.Equal(got, want) {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	})
}

// A client that comes back gets what it has not seen, or how it stands, and
// nothing older; after the end it is told to stay away.
func TestEventsResumed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		last  string
		ended bool
		want  string
	}{
		"from the same state":    {"4", false, "id: 4 event: state sending"},
		"from an older state":    {"3", false, "id: 4 event: state sending"},
		"from what is no number": {"abc", false, "id: 4 event: state sending"},
		"from a negative number": {"-4", false, "id: 4 event: state sending"},
		"from a newer state":     {"6", false, "id: 6 event: state completed"},
		"before the end":         {"6", true, "id: 6 event: state completed"},
		"after the end":          {"6.done", true, "204"},
		"after an earlier end":   {"5.done", true, "id: 6 event: state completed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newStation(t)
				s.settle(0, 1)
				finish := func() { s.settle(2, 3) }
				if c.ended {
					finish()
				} else {
					time.AfterFunc(3*time.Second, finish)
				}
				in := open(t, s.get(t, events, "Last-Event-ID", c.last))
				got := strconv.Itoa(in.StatusCode)
				if in.StatusCode == http.StatusOK {
					_ = in.next() // retry
					got = in.next()
					in.all()
				}
				if got != c.want {
					t.Errorf("got %s, want %s", got, c.want)
				}
			})
		})
	}
}

// Who does not read is cut off in the time that is stated; the others notice
// nothing.
func TestEventsCutSlowReaders(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStation(t)
		begun := time.Now()
		slow, quick := s.get(t, events), open(t, s.get(t, events))
		in := open(t, slow)
		_, _ = in.next(), in.next() // and then it stops reading
		time.AfterFunc(5*time.Second, func() { s.settle(0) })
		time.AfterFunc(time.Minute, func() { s.settle(1, 2, 3) })
		for e := ""; e != "id: 3 event: progress sending/1"; e = quick.next() {
			if e == "EOF" {
				t.Fatal("the quick reader was cut off")
			}
		}
		for len(s.logs.FilterField(zap.Bool("cut", true)).All()) == 0 && time.Since(begun) < 50*time.Second {
			time.Sleep(time.Second)
		}
		if took := time.Since(begun); took > 5*time.Second+lookAndWrite {
			t.Errorf("it was cut off after %v", took)
		}
		if rest := quick.all(); len(rest) < 2 || rest[len(rest)-2] != "id: 6.done event: done completed/4" {
			t.Errorf("the quick reader got %q", rest)
		}
		_ = slow.Close()
	})
}

// lookAndWrite is how long a look, a write that nobody takes (10 s), and this test's
// own look at the log may take.
const lookAndWrite = time.Second + 10*time.Second + 2*time.Second

// When the process stops, streams end well, without done, and no other begins.
func TestEventsAtShutdown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStation(t)
		in := open(t, s.get(t, events))
		time.AfterFunc(70*time.Second, func() {
			if err := s.room.Stop(t.Context()); err != nil {
				t.Error(err)
			}
		})
		got := in.all()
		if tail := got[len(got)-2:]; tail[0] != ": come back" || tail[1] != "EOF" || slices.Index(got, ":") != 3 {
			t.Errorf("got %q", got)
		}
		late := open(t, s.get(t, events))
		if late.StatusCode != http.StatusServiceUnavailable || late.Header.Get("Retry-After") == "" {
			t.Errorf("a late watcher got %d", late.StatusCode)
		}
		if err := s.server.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// A client that hangs up frees what it held.
func TestEventsHungUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStation(t)
		c := s.get(t, events)
		in := open(t, c)
		_ = in.next()
		_, _ = in.next(), in.next()
		_ = c.Close()
		time.Sleep(time.Second)
		if n := len(s.logs.FilterMessage("request").All()); n != 1 || s.logs.FilterField(zap.Bool("cut", true)).Len() != 0 {
			t.Errorf("%d requests are over, cut: %v", n, s.logs.All())
		}
	})
}

func TestEventsOfNothing(t *testing.T) {
	t.Parallel()
	g := setup(t)
	g.Do(t, "GET", events, "").Want(t, http.StatusNotFound, door.CodeNotFound)
	g.Do(t, "GET", "/v1/batches/"+ntfID+"/events", "").Want(t, http.StatusNotFound, door.CodeNotFound)
	g.Do(t, "GET", events+"?from=1", "").Want(t, http.StatusUnprocessableEntity, door.CodeInvalid)
	room := report.New(report.Config{Notifications: newBooks(), Log: zap.NewNop()})
	g.reports.closeups = room
	if got := g.Do(t, "HEAD", events, ""); got.Code != http.StatusOK || got.Body.Len() != 0 ||
		got.Header().Get("Content-Type") != door.TypeEvents {
		t.Errorf("HEAD: %d, %q", got.Code, got.Body)
	}
	if err := room.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

// What a watcher is told is what GET says.
func TestEventHasTheBodyOfGet(t *testing.T) {
	t.Parallel()
	b := newBooks()
	b.settle(0, 1, 2, 3)
	room := report.New(report.Config{Notifications: b, Log: zap.NewNop()})
	g := setup(t)
	v, err := room.Notification(t.Context(), access.DefaultName, batID)
	if err != nil {
		t.Fatal(err)
	}
	g.reports.view, g.reports.closeups = v, room
	body := g.Do(t, "GET", "/v1/batches/"+batID, "").Want(t, http.StatusOK, "").Body.Bytes()
	got := g.Do(t, "GET", events, "").Want(t, http.StatusOK, "").Body.Bytes()
	for _, name := range []string{"progress", "done"} {
		if !bytes.Contains(got, append([]byte("event: "+name+"\ndata: "), body...)) {
			t.Errorf("%s has not the body of GET %s:\n%s", name, body, got)
		}
	}
}
