package tail

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/document/documenttest"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// process is one of an installation.
type process struct {
	*testing.T

	source *Source
	hub    *Hub
	stop   func()
}

// start starts a process on the documents that it shares with others. It is called in a bubble.
func start(t *testing.T, docs document.Store) *process {
	t.Helper()
	p := &process{T: t}
	p.source = NewSource(docs, zap.NewNop(), time.Now)
	p.hub = NewHub(p.source, docs, zap.NewNop(), time.Now)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{}, 2)
	for _, run := range []func(context.Context){p.source.Run, p.hub.Run} {
		go func() { run(ctx); ended <- struct{}{} }()
	}
	p.stop = sync.OnceFunc(func() { p.hub.Stop(); cancel(); <-ended; <-ended })
	t.Cleanup(p.stop)
	return p
}

// operator sees everything.
func operator() Sight { return Sight{All: true, Tenant: "default", Kinds: Kinds()} }

func (p *process) listen(s Sight, f Filter, from string) *Listener {
	p.Helper()
	l, err := p.hub.Listen(p.Context(), s, f, from)
	if err != nil {
		p.Fatal(err)
	}
	return l
}

// tell tells that notifications of a tenant were accepted, and lets that arrive.
func (p *process) tell(tenant string, ids ...string) {
	p.Helper()
	for _, id := range ids {
		p.source.Tell(id, "", wire.Accepted{ID: push.ID(id), Tenant: tenant, App: "default", Lane: "high"})
		synctest.Wait()
	}
}

// settle is long enough for whatever one process tells another.
func settle() {
	time.Sleep(5 * time.Second)
	synctest.Wait()
}

// got lists what a listener was given: ids, and gap:n.
func got(t *testing.T, l *Listener) (all []string, pos string) {
	t.Helper()
	synctest.Wait()
	items, pos, err := l.Take()
	if err != nil {
		t.Fatal(err)
	}
	for _, it := range items {
		if it.Gap {
			all = append(all, fmt.Sprintf("gap:%d", it.Lost))
			continue
		}
		e, err := wire.DecodeOutgoing(it.Body)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e.Subject)
	}
	return all, pos
}

func expect(t *testing.T, what string, l *Listener, want ...string) (pos string) {
	t.Helper()
	have, pos := got(t, l)
	if !slices.Equal(have, want) {
		t.Errorf("%s: got %v, want %v", what, have, want)
	}
	return pos
}

// What is told in one process is followed in it at once, and in another one soon; whoever comes back, to either, goes on
// where it was.
func TestResume(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		docs := &documenttest.Memory{}
		ingest, dispatcher, other := start(t, docs), start(t, docs), start(t, docs)
		ingest.tell("acme", "nobody-listens")
		l := ingest.listen(operator(), Filter{}, "")
		settle() // the dispatcher finds out
		ingest.tell("acme", "a1", "a2")
		expect(t, "at once", l, "a1", "a2")
		dispatcher.tell("acme", "d1", "d2")
		settle()
		pos := expect(t, "of another process", l, "d1", "d2")
		l.Close()

		ingest.tell("acme", "a3")
		dispatcher.tell("acme", "d3")
		settle()
		l = ingest.listen(operator(), Filter{}, pos)
		expect(t, "back within the window", l, "a3", "d3")
		// What the first process told while only its own hub listened is not in the store.
		elsewhere := other.listen(operator(), Filter{}, pos)
		settle()
		have, _ := got(t, elsewhere)
		if !slices.Contains(have, "d3") || slices.Contains(have, "d2") || !slices.ContainsFunc(have, isGap) {
			t.Errorf("in another process: %v", have)
		}
		ingest.tell("acme", "a4")
		dispatcher.tell("acme", "d4")
		settle()
		expect(t, "here", l, "a4", "d4")
		have, _ = got(t, elsewhere)
		slices.Sort(have)
		if !slices.Equal(have, []string{"a4", "d4"}) {
			t.Errorf("there: %v", have)
		}
		l.Close()
		elsewhere.Close()
	})
}

func isGap(s string) bool { return strings.HasPrefix(s, "gap:") }

// Whoever comes back too late, or with a position that no hub wrote, is told of a gap, and of how many if that is known.
func TestGap(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := start(t, &documenttest.Memory{})
		l := p.listen(operator(), Filter{}, "")
		p.tell("acme", "a1")
		pos := expect(t, "first", l, "a1")
		l.Close()
		for i := range mostWindow + 7 {
			p.tell("acme", strconv.Itoa(i))
		}
		l = p.listen(operator(), Filter{}, pos)
		have, _ := got(t, l)
		if len(have) == 0 || len(have) != mostQueued+1 || !isGap(have[0]) {
			t.Errorf("%d came, first %v", len(have), have[:1])
		}
		l.Close()

		time.Sleep(linger + time.Minute) // nobody listens any more
		p.tell("acme", "unheard")
		for _, from := range []string{pos, "zz.1", "nonsense"} {
			l = p.listen(operator(), Filter{}, from)
			expect(t, "from "+from, l, "gap:-1")
			l.Close()
		}
	})
}

// A listener that does not read loses the oldest, is told how many of its own those were, and holds up nobody.
func TestSlowListener(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := start(t, &documenttest.Memory{})
		slow := p.listen(Sight{Tenant: "acme", Kinds: Kinds()}, Filter{}, "")
		fast := p.listen(operator(), Filter{}, "")
		const more = 10
		for i := range mostQueued + more {
			p.tell("acme", strconv.Itoa(i))
			p.tell("zoo", "other")
			if have, _ := got(t, fast); len(have) != 2 {
				t.Fatalf("who reads got %v", have)
			}
		}
		have, _ := got(t, slow)
		if len(have) != mostQueued+1 || have[0] != fmt.Sprintf("gap:%d", more) || have[1] != strconv.Itoa(more) {
			t.Errorf("%d came, first %v", len(have), have[:2])
		}
		slow.Close()
		fast.Close()
	})
}

// A burst beyond what a process writes in a second shows as a gap with its number in other processes.
func TestBurst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		docs := &documenttest.Memory{}
		ingest, dispatcher := start(t, docs), start(t, docs)
		l := ingest.listen(operator(), Filter{}, "")
		settle()
		const burst = mostFlushed + 20
		for i := range burst {
			dispatcher.source.Tell(strconv.Itoa(i), "", wire.Accepted{ID: "x", Tenant: "acme"})
		}
		settle()
		have, _ := got(t, l)
		if len(have) != mostFlushed+1 || have[0] != "gap:20" || have[mostFlushed] != strconv.Itoa(burst-1) {
			t.Errorf("%d came, first %v", len(have), have[:min(2, len(have))])
		}
		l.Close()
	})
}

// While nobody listens a process keeps and writes nothing.
func TestNobodyListens(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var writes atomic.Int64
		docs := documenttest.Around{Store: &documenttest.Memory{}, Do: func(op string, effect func() error) error {
			if op == "PutDocument" {
				writes.Add(1)
			}
			return effect()
		}}
		p := start(t, docs)
		for range 100 {
			p.tell("acme", "x")
		}
		settle()
		if held, _, last := p.source.since(0); writes.Load() != 0 || len(held) != 0 || last != 0 || p.source.Listening() {
			t.Errorf("%d writes, %d events held, number %d", writes.Load(), len(held), last)
		}
		l := p.listen(operator(), Filter{}, "")
		p.tell("acme", "y")
		settle()
		expect(t, "alone", l, "y")
		l.Close()
		before := writes.Load()
		if before != 1 {
			t.Errorf("one process alone wrote %d documents in a few seconds, want 1: that it listens", before)
		}
		time.Sleep(linger + 10*time.Second)
		synctest.Wait()
		if p.source.Listening() {
			t.Error("it goes on although nobody listens")
		}
	})
}

// While the store is away what happens in the process itself is followed all the same; when it is back, the rest is, too.
func TestStoreAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var away atomic.Bool
		docs := documenttest.Around{Store: &documenttest.Memory{}, Do: func(_ string, effect func() error) error {
			if away.Load() {
				return errors.New("no store")
			}
			return effect()
		}}
		ingest, dispatcher := start(t, docs), start(t, docs)
		l := ingest.listen(operator(), Filter{}, "")
		settle()
		away.Store(true)
		dispatcher.tell("acme", "d1")
		ingest.tell("acme", "a1")
		settle()
		expect(t, "without a store", l, "a1")
		away.Store(false)
		dispatcher.tell("acme", "d2")
		settle()
		expect(t, "with it again", l, "d1", "d2")
		l.Close()
	})
}

// What a process that is gone left in the store is removed by whoever listens.
func TestLeftBehind(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		docs := &documenttest.Memory{}
		ingest, gone := start(t, docs), start(t, docs)
		l := ingest.listen(operator(), Filter{}, "")
		settle()
		gone.tell("acme", "d1")
		settle()
		expect(t, "its last words", l, "d1")
		gone.stop()
		time.Sleep(forgetAfter + time.Minute)
		l.Close()
		for _, kind := range []string{kindHead, kindPart} {
			if left, _, err := docs.Documents(t.Context(), kind, "", 10); err != nil || len(left) > 0 {
				t.Errorf("%d documents %s are left, %v", len(left), kind, err)
			}
		}
	})
}

func TestFilters(t *testing.T) {
	t.Parallel()
	a := about{
		Tenant: "acme", App: "shop", ID: "bat_1", Labels: map[string]string{"team": "orders"}, ByCode: map[string]int64{"fcm.unregistered": 2},
	}
	for _, c := range []struct {
		name string
		f    Filter
		want bool
	}{
		{"all", Filter{}, true},
		{"kind", Filter{Kinds: []Kind{KindOutcome, KindHeld}}, true},
		{"other kind", Filter{Kinds: []Kind{KindAccepted}}, false},
		{"tenant", Filter{Tenant: "acme"}, true},
		{"other tenant", Filter{Tenant: "zoo"}, false},
		{"other app", Filter{App: "default"}, false},
		{"id", Filter{IDs: []string{"ntf_2", "bat_1"}}, true},
		{"other id", Filter{IDs: []string{"ntf_2"}}, false},
		{"label", Filter{Labels: []push.Label{{Name: "team", Value: "orders", HasValue: true}, {Name: "team"}}}, true},
		{"other label", Filter{Labels: []push.Label{{Name: "team", Value: "ads", HasValue: true}}}, false},
		{"no such label", Filter{Labels: []push.Label{{Name: "campaign"}}}, false},
		{"code", Filter{Codes: []string{"fcm.unregistered"}}, true},
		{"codes of a family", Filter{Codes: []string{"fcm"}}, true},
		{"other code", Filter{Codes: []string{"fcm.un"}}, false},
		{"class", Filter{Classes: []push.Class{push.ClassPermanent}}, true},
		{"other class", Filter{Classes: []push.Class{push.ClassSent}}, false},
		{"class of another code", Filter{Codes: []string{"sent"}, Classes: []push.Class{push.ClassPermanent}}, false},
	} {
		if c.f.takes(KindOutcome, &a) != c.want {
			t.Errorf("%s: %v", c.name, !c.want)
		}
	}
	for _, c := range []struct {
		name string
		s    Sight
		want bool
	}{
		{"operator", operator(), true},
		{"own", Sight{Tenant: "acme", Kinds: Kinds()}, true},
		{"other tenant", Sight{Tenant: "zoo", Kinds: Kinds()}, false},
		{"own app", Sight{Tenant: "acme", App: "shop", Kinds: Kinds()}, true},
		{"other app", Sight{Tenant: "acme", App: "default", Kinds: Kinds()}, false},
		{"without permission", Sight{All: true, Kinds: []Kind{KindAccepted}}, false},
	} {
		if c.s.sees(KindOutcome, &a) != c.want {
			t.Errorf("sight of %s: %v", c.name, !c.want)
		}
	}
}

// No stream has the user of a device, whoever listens.
func TestUserLeftOut(t *testing.T) {
	t.Parallel()
	quarantined := wire.DeviceQuarantined{DeviceID: "phone-1", Tenant: "acme", UserID: "ada@example.com"}
	e, err := wire.NewEvent("belfry", "phone-1", "", time.Now(), quarantined)
	if err != nil {
		t.Fatal(err)
	}
	body, err := encodeSieved(&e)
	if err != nil || bytes.Contains(body, []byte("ada@")) || !bytes.Contains(body, []byte("phone-1")) {
		t.Errorf("%s, %v", body, err)
	}
}

// Every type of event has a kind, and every kind is of some type.
func TestKinds(t *testing.T) {
	t.Parallel()
	var have []Kind
	for _, d := range slices.Concat(wire.Outgoing(), wire.Live()) {
		have = append(have, kindOf(d.EventType()))
	}
	want := Kinds()
	slices.Sort(have)
	slices.Sort(want)
	if !slices.Equal(have, want) {
		t.Errorf("types of event have the kinds %v, want %v", have, want)
	}
}

func TestPositions(t *testing.T) {
	t.Parallel()
	p := position{"b": 40, "a": 0}
	back, ok := parsePosition(p.String())
	if p.String() != "a.0~b.14" || !ok || back.String() != p.String() {
		t.Errorf("%s, %v, %v", p, back, ok)
	}
	for _, bad := range []string{"", "a", "a.", ".1", "a.-1", "a.1~", "a.!", "A.1", "\n.1", strings.Repeat("a.1~", mostPosition)} {
		if _, ok := parsePosition(bad); ok {
			t.Errorf("%q is taken", bad)
		}
	}
}
