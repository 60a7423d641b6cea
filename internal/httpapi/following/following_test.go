package following_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/document/documenttest"
	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/httpapi/following"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/sameorigin"
	"github.com/belfry-push/belfry/internal/tail"
	"github.com/belfry-push/belfry/internal/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pipes is a listener within the bubble: a connection holds nothing that nobody reads.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

// Accept implements net.Listener.
func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (p *pipes) Close() error { p.once.Do(func() { close(p.closed) }); return nil }

// Addr implements net.Listener.
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

// keys are callers by their key.
type keys map[string]access.Caller

// Authenticate implements [door.Authenticator].
func (k keys) Authenticate(_ context.Context, p access.Presented) (access.Caller, error) {
	who, ok := k[p.Key]
	if !ok {
		return who, fmt.Errorf("no key %q", p.Key)
	}
	return who, nil
}

// house is a server of the route, with a process whose events it shows.
type house struct {
	*testing.T

	source *tail.Source
	ln     *pipes
}

// open serves the route until the test ends. It is called in a bubble.
func open(t *testing.T, who keys) *house {
	t.Helper()
	docs := &documenttest.Memory{}
	h := &house{
		T: t, source: tail.NewSource(docs, zap.NewNop(), time.Now), ln: &pipes{conns: make(chan net.Conn), closed: make(chan struct{})},
	}
	hub := tail.NewHub(h.source, docs, zap.NewNop(), time.Now)
	pages, err := sameorigin.New(sameorigin.Config{AnyHost: true})
	if err != nil {
		t.Fatal(err)
	}
	d, err := door.New(door.Config{Auth: who, Pages: pages, Registry: prometheus.NewRegistry(), Log: zap.NewNop()}, following.Routes(hub))
	if err != nil {
		t.Fatal(err)
	}
	srv := door.NewServer(d, zap.NewNop())
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { hub.Run(ctx) })
	running.Go(func() { _ = srv.Serve(h.ln) })
	t.Cleanup(func() {
		hub.Stop()
		cancel()
		_ = srv.Close()
		running.Wait()
	})
	return h
}

// reader is a client of one stream.
type reader struct {
	*house

	conn  net.Conn
	lines *bufio.Reader
	id    string // Last-Event-ID
	got   []string
	lost  int // gaps without a number are -1
}

// follow asks for the stream, and reads its beginning.
func (h *house) follow(key, query, from string) *reader {
	h.Helper()
	client, server := net.Pipe()
	h.ln.conns <- server
	h.Cleanup(func() { _ = client.Close() })
	r := &reader{house: h, conn: client, lines: bufio.NewReader(client)}
	const request = "GET /v1/events%s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nLast-Event-ID: %s\r\n\r\n"
	_, err := fmt.Fprintf(client, request, query, key, from)
	if err != nil {
		h.Fatal(err)
	}
	answer, err := http.ReadResponse(r.lines, nil)
	if err != nil {
		h.Fatal(err)
	}
	h.Cleanup(func() {
		_ = client.Close() // first: the body reads what is left of itself when it is closed
		_ = answer.Body.Close()
	})
	if answer.StatusCode != http.StatusOK {
		h.Fatalf("%+v", answer)
	}
	r.lines = bufio.NewReader(answer.Body)
	return r
}

// event reads one event, or returns why there is none.
func (r *reader) event() error {
	name, data := "", ""
	for {
		line, err := r.lines.ReadString('\n')
		if err != nil {
			return err
		}
		field, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch field {
		case "id":
			r.id = value
		case "event":
			name = value
		case "data":
			data = value
		case "":
			if data == "" {
				return nil
			}
			r.take(name, data)
			return nil
		}
	}
}

func (r *reader) take(name, data string) {
	if name == "gap" {
		var gap struct{ Events *int }
		if err := json.Unmarshal([]byte(data), &gap); err != nil || gap.Events == nil {
			r.lost = -1
			return
		}
		r.lost += *gap.Events
		return
	}
	var e struct{ Subject string }
	if err := json.Unmarshal([]byte(data), &e); err != nil {
		r.Error(err)
	}
	r.got = append(r.got, e.Subject)
}

// until reads until the stream has nothing more for now, in the background, and returns when
// everything in the bubble waits.
func (r *reader) drain() {
	synctest.Wait()
	stop := time.Now().Add(time.Millisecond)
	_ = r.conn.SetReadDeadline(stop)
	for r.event() == nil {
	}
	_ = r.conn.SetReadDeadline(time.Time{})
}

func (h *house) tell(n int) {
	h.source.Tell(strconv.Itoa(n), "", wire.Accepted{ID: push.ID(strconv.Itoa(n)), Tenant: "acme", App: "shop"})
}

// A reader that stops reading holds up neither who tells nor other readers. It is told how many it has missed when it reads
// again, is cut off when it does not for ten seconds, and then goes on where it was.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := open(t, keys{"op": {Tenant: "default", Name: "op", May: access.AllPermissions()}})
		slow, fast := h.follow("op", "", ""), h.follow("op", "", "")
		begun := time.Now()
		const first, second = 3000, 500
		var reading sync.WaitGroup
		reading.Go(func() {
			for len(fast.got) < first+second && fast.event() == nil {
			}
		})
		for n := range first {
			h.tell(n)
			synctest.Wait()
		}
		if took := time.Since(begun); took != 0 || len(fast.got) != first || fast.lost != 0 {
			t.Errorf("while one does not read, telling took %v; the other has %d events and misses %d", took, len(fast.got), fast.lost)
		}
		for len(slow.got) == 0 || slow.got[len(slow.got)-1] != strconv.Itoa(first-1) {
			if err := slow.event(); err != nil {
				t.Fatal(err)
			}
		}
		if slow.lost < 1 || len(slow.got)+slow.lost != first || !slices.IsSortedFunc(slow.got, byNumber) {
			t.Errorf("it has %d and is told that it misses %d, of %d", len(slow.got), slow.lost, first)
		}
		slow.got, slow.lost = nil, 0

		for n := range second { // and now it is gone
			h.tell(first + n)
			synctest.Wait()
		}
		time.Sleep(11 * time.Second)
		for slow.event() == nil {
		}
		back := h.follow("op", "", slow.id)
		for len(slow.got)+len(back.got) < second {
			if err := back.event(); err != nil {
				t.Fatalf("%d and %d of %d came: %v", len(slow.got), len(back.got), second, err)
			}
		}
		if all := append(slow.got, back.got...); back.lost != 0 || all[0] != strconv.Itoa(first) || !slices.IsSortedFunc(all, byNumber) ||
			len(slices.Compact(all)) != second {
			t.Errorf("after it was cut off it has %v, and misses %d", all, back.lost)
		}
		reading.Wait()
		if len(fast.got) != first+second {
			t.Errorf("the other has %d", len(fast.got))
		}
	})
}

func byNumber(a, b string) int {
	x, _ := strconv.Atoi(a)
	y, _ := strconv.Atoi(b)
	return x - y
}

// A key sees what is its tenant's, of its app if it is limited to one, and of the kinds that it may read elsewhere; nothing
// that it asks for shows it more.
func TestWhoSeesWhat(t *testing.T) {
	t.Parallel()
	read := access.SetOf(access.PermRead)
	all := access.AllPermissions()
	who := keys{
		"operator": {Tenant: "default", Name: "operator", May: all},
		"reader":   {Tenant: "acme", Name: "reader", May: read},
		"auditor":  {Tenant: "acme", Name: "auditor", May: access.SetOf(access.PermRead, access.PermAudit)},
		"devices":  {Tenant: "acme", Name: "devices", May: access.SetOf(access.PermRead, access.PermReadDevices)},
		"shop":     {Tenant: "acme", App: "shop", Name: "shop", May: read},
		"narrowed": {Tenant: "acme", App: "shop", Name: "narrowed", May: all}, // a platform key that is limited to an app
		"rival":    {Tenant: "rival", Name: "rival", May: access.SetOf(access.PermRead, access.PermAudit, access.PermReadDevices)},
	}
	var told []string
	synctest.Test(t, func(t *testing.T) {
		h := open(t, who)
		readers := map[string]*reader{}
		for name := range who {
			readers[name] = h.follow(name, "", "")
		}
		tell := func(subject string, data wire.Data) {
			told = append(told, subject)
			h.source.Tell(subject, "", data)
		}
		for _, tenant := range []string{"acme", "rival"} {
			for _, app := range []string{"shop", "bank"} {
				of := " " + tenant + "/" + app
				tell("accepted"+of, wire.Accepted{Tenant: tenant, App: app})
				tell("changed"+of, wire.Changed{Tenant: tenant, App: app})
				tell("outcome"+of, wire.Outcome{Tenant: tenant, App: app})
				tell("completed"+of, wire.Completed{Tenant: tenant, App: app})
				tell("held"+of, wire.Held{Tenant: tenant, App: app})
				tell("reconciled"+of, wire.Reconciled{Tenant: tenant, App: app})
				tell("credential"+of, wire.CredentialInvalid{Tenant: tenant, App: app})
			}
			tell("quarantined "+tenant, wire.DeviceQuarantined{Tenant: tenant})
			tell("replay "+tenant, wire.ReplayChanged{Tenant: tenant})
			tell("audit "+tenant, wire.Audited{Tenant: tenant})
		}
		tell("replay of several", wire.ReplayChanged{})
		tell("breaker", wire.BreakerChanged{})
		may := map[string]func(subject string) bool{
			"operator": func(string) bool { return true },
			"reader":   func(s string) bool { return s != "audit acme" && s != "quarantined acme" },
			"auditor":  func(s string) bool { return s != "quarantined acme" },
			"devices":  func(s string) bool { return s != "audit acme" },
			"shop":     func(s string) bool { return strings.HasSuffix(s, "/shop") },
			"narrowed": func(s string) bool { return strings.HasSuffix(s, "/shop") },
			"rival":    func(string) bool { return true },
		}
		for name, r := range readers {
			r.drain()
			var want []string
			for _, s := range told {
				if (name == "operator" || strings.Contains(s, " "+who[name].Tenant)) && may[name](s) {
					want = append(want, s)
				}
			}
			if !slices.Equal(r.got, want) {
				t.Errorf("%s sees\n%q, want\n%q", name, r.got, want)
			}
		}
	})
}

// What no event can have is refused, with what could be meant: whoever waits for it would wait for ever.
func TestFiltersThatChooseNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := open(t, keys{"op": {Tenant: "default", Name: "op", May: access.AllPermissions()}})
		for query, want := range map[string]string{
			"?type=": "accepted", "?type=*": "accepted", "?type=outcomes": "did you mean", "?type=gap": "accepted", "?type=Audit": "accepted",
			"?tenant=": "must have 1..40", "?tenant=*": "no wildcards", "?tenant=Acme": "a-z", "?app=": "must have 1..40",
			"?app=%1b%5b31m": "?app", "?id=": "followed by a UUID", "?id=ntf_1": "followed by a UUID",
			"?id=dev_01890a5d-ac96-774b-bcce-b302099a8057": "ntf_", "?label=": "name=value", "?label=%3Dx": "name=value",
			"?code=": "neither", "?code=fcm.*": "neither", "?code=fcm.": "neither", "?code=open": "neither",
			"?code=fcm.unregisterd": "fcm.unregistered", "?class=": "permanent", "?class=open": "permanent",
			"?class=permanents": "did you mean", "?kind=audit": "unknown query parameter", "?tenant=a&tenant=b": "given once",
		} {
			client, server := net.Pipe()
			h.ln.conns <- server
			_, err := fmt.Fprintf(client, "GET /v1/events%s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer op\r\nConnection: close\r\n\r\n", query)
			if err != nil {
				t.Fatal(err)
			}
			answer, err := http.ReadResponse(bufio.NewReader(client), nil)
			if err != nil {
				t.Fatal(err)
			}
			var p struct {
				Errors []struct{ Pointer, Detail string }
			}
			err = json.NewDecoder(answer.Body).Decode(&p)
			_ = answer.Body.Close()
			text := fmt.Sprint(p.Errors)
			if err != nil || answer.StatusCode/100 != 4 || !strings.Contains(text, want) || strings.ContainsRune(text, 0x1b) {
				t.Errorf("%s: %d %s (%v), want %q", query, answer.StatusCode, text, err, want)
			}
			_ = client.Close()
		}
	})
}
