package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/adapter/sqlite"
	"github.com/belfry-push/belfry/internal/app/allinone"
	"github.com/belfry-push/belfry/internal/app/deadletters"
	"github.com/belfry-push/belfry/internal/config"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/sameorigin"
	"github.com/belfry-push/belfry/internal/worker"
	"github.com/belfry-push/belfry/test/sandbox"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(int) { http.DefaultClient.CloseIdleConnections() }))
}

const secretToken = "registration-token-of-alice"

// victim is a sandbox on the loopback interface without a key, as README starts
// it, with something to read and something to lose.
type victim struct {
	allinone.Addresses
	client *client.Client
	logs   *observer.ObservedLogs
	open   string // a notification that is not sent yet
}

func newVictim(t *testing.T) *victim {
	t.Helper()
	core, logs := observer.New(zap.DebugLevel)
	box := sandbox.Start(t, 3, zap.New(core))
	v := &victim{Addresses: box.Addresses, logs: logs}
	ctx := t.Context()
	var err error
	if v.client, err = client.New(v.API, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := v.client.PutDevice(ctx, "phone", client.Device{Token: secretToken, Platform: "android", UserID: "alice"}); err != nil {
		t.Fatal(err)
	}
	open, err := v.client.CreateBatch(ctx, client.Request{Message: json.RawMessage(`{"notification":{"title":"x"}}`)})
	if err != nil {
		t.Fatal(err)
	}
	v.open = open.ID
	v.leaveDeadLetter(ctx, t, box.Store)
	return v
}

// leaveDeadLetter sends an event that is none, which becomes a dead letter.
func (v *victim) leaveDeadLetter(ctx context.Context, t *testing.T, store config.Store) {
	t.Helper()
	b, err := sqlite.Open(ctx, store.Data, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	q, err := b.Queue(ctx, push.QueueEvents, sqlite.QueueConfig{})
	if err == nil {
		err = q.Send(ctx, []worker.Outgoing{{Body: []byte(`{"not":"an event"}`)}})
	}
	if closeErr := b.Close(); err != nil || closeErr != nil {
		t.Fatal(err, closeErr)
	}
	room, stop, err := deadletters.OpenLetters(ctx, store, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stop(ctx) }()
	for v.letters(ctx, t) == 0 { // until the worker has given the event up
		if _, err := room.Drain(ctx); err != nil {
			t.Fatal(err)
		}
	}
}

func (v *victim) letters(ctx context.Context, t *testing.T) int64 {
	t.Helper()
	s, err := v.client.DeadLetterStats(ctx, client.DeadLetterFilter{})
	if err != nil {
		t.Fatal(err)
	}
	return s.ByState["parked"]
}

// state is everything that a page could want to change.
func (v *victim) state(t *testing.T) string {
	t.Helper()
	count := 0
	for _, err := range v.client.Notifications(t.Context(), client.NotificationFilter{}) {
		if err != nil {
			t.Fatal(err)
		}
		count++
	}
	n, err := v.client.Batch(t.Context(), v.open)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.client.Device(t.Context(), "phone"); err != nil {
		t.Fatal(err)
	}
	res, err := http.Get(v.Sim + "/_sim/stats")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	sim, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("letters %d, notifications %d, the batch %s, simulator %s", v.letters(t.Context(), t), count, n.State, sim)
}

// attack is what a page can try: every way in which the web platform sends
// something to another origin without asking it for leave, the ways that ask,
// and those that read.
const attack = `
const api = %q, sim = %q, batch = %q;
const discard = JSON.stringify({all: true, reason: 'because'}), send = JSON.stringify({to: {tokens: ['x']}, message: {data: {a: 'b'}}});
const outage = JSON.stringify({status: 0});
const quietly = async (what, url, init) => {
	try {
		const r = await fetch(url, init);
		say(what, 'answered', r.type, r.status, await r.text());
	} catch (e) { say(what, 'failed') }
};
const untyped = text => new Blob([text]);
const form = text => { const f = new FormData(); f.set('x', text); return f };
for (const [what, url, text] of [
	['discard', api + '/v1/dead-letters/discard', discard], ['send', api + '/v1/notifications', send], ['event', api + '/v1/events', send],
	['cancel', api + '/v1/batches/' + batch + '/cancel', undefined],
	['outage', sim + '/_sim/outage', outage], ['reset', sim + '/_sim/reset', undefined],
	['fcm', sim + '/v1/projects/p/messages:send', JSON.stringify({message: {token: 't'}})],
]) {
	for (const [how, body] of text === undefined ? [['nothing', undefined]] : [
		['a blob', untyped(text)], ['a text', text], ['a form', form(text)], ['parameters', new URLSearchParams({x: text})],
	]) await quietly(what + ' with ' + how, url, {method: 'POST', mode: 'no-cors', body});
	await quietly(what + ' with leave', url, {method: 'POST', headers: {'Content-Type': 'application/json'}, body: text ?? '{}'});
	say(what, 'beacon', navigator.sendBeacon(url, untyped(text ?? '')));
	await new Promise(done => {
		const frame = document.createElement('iframe'); frame.name = 'f' + Math.random(); document.body.append(frame);
		const f = document.createElement('form'); f.method = 'POST'; f.enctype = 'text/plain'; f.action = url; f.target = frame.name;
		const i = document.createElement('input'); i.name = (text ?? '{}').slice(0, -1) + ',"z":"'; i.value = '"}';
		f.append(i); document.body.append(f);
		frame.onload = done; f.submit(); setTimeout(done, 3000);
	});
}
await quietly('delete', api + '/v1/devices/phone', {method: 'DELETE'});
const secrets = api + '/v1/devices?user_id=alice';
await quietly('read', secrets, {});
await quietly('read blindly', secrets, {mode: 'no-cors'});
await quietly('read the simulator', sim + '/_sim/accepted', {});
await quietly('read metrics', api + '/metrics', {});
const load = (what, e, url) => new Promise(done => {
	e.onload = () => { say(what, 'loaded'); done() };
	e.onerror = () => { say(what, 'failed'); done() };
	e.src = url;
	document.body.append(e);
});
await load('script', document.createElement('script'), secrets);
await load('image', document.createElement('img'), secrets);
await new Promise(done => {
	const e = new EventSource(api + '/v1/batches/' + batch + '/events');
	const end = how => () => { say('events', how); e.close(); done() };
	e.onmessage = e.onopen = end('opened');
	e.onerror = end('failed');
});
`

// A page of another origin, be that another port of this machine or its other
// name, changes nothing and reads nothing of a server without a key, of its
// metrics or of the simulator.
func TestPageOfAnotherOrigin(t *testing.T) {
	t.Parallel()
	chromium(t)
	port := func(url string) string { return url[strings.LastIndexByte(url, ':'):] }
	for _, c := range []struct{ name, page, victim string }{
		{"another port", "127.0.0.1", "127.0.0.1"},
		{"another name", "localhost", "127.0.0.1"},
		{"the name the page is at", "localhost", "localhost"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			v := newVictim(t)
			before, seen := v.state(t), v.logs.Len()
			p := newPage(t, fmt.Sprintf(attack, "http://"+c.victim+port(v.API), "http://"+c.victim+port(v.Sim), v.open))
			said := p.visit(t, "http://"+c.page+":"+p.port+"/")
			for _, line := range said {
				if strings.Contains(line, "page is broken") || strings.Contains(line, secretToken) || strings.Contains(line, "loaded") ||
					strings.Contains(line, "opened") {
					t.Errorf("the page says: %s", line)
				}
				if strings.Contains(line, " answered ") && !strings.Contains(line, "answered opaque 0") {
					t.Errorf("the page reads an answer: %s", line)
				}
			}
			if after := v.state(t); after != before {
				t.Errorf("before the page:\n%s\nafter it:\n%s", before, after)
			}
			refused := 0
			for _, l := range v.logs.FilterMessage("request").All()[seen:] {
				if l.ContextMap()["status"] == int64(http.StatusForbidden) {
					refused++
				}
			}
			if refused < 10 {
				t.Errorf("only %d requests came and were refused: the page does not attack: %q", refused, said)
			}
		})
	}
}

// A page that has its own name resolve to this machine reads nothing either.
func TestPageThatRebindsItsName(t *testing.T) {
	t.Parallel()
	chromium(t)
	v := newVictim(t)
	const rule = "--host-resolver-rules=MAP rebound.example 127.0.0.1"
	for base, path := range map[string]string{v.API: "/v1/devices?user_id=alice", v.Sim: "/_sim/stats"} {
		rebound := strings.Replace(base, "127.0.0.1", "rebound.example", 1) + path
		if shown := dump(t, rebound, rule); !strings.Contains(shown, sameorigin.Setting) || strings.Contains(shown, secretToken) {
			t.Errorf("%s shows %s", rebound, shown)
		}
		// The same, by the server's own name, is what the person asked for.
		if shown := dump(t, base+path, rule); strings.Contains(shown, sameorigin.Setting) {
			t.Errorf("%s shows %s", base+path, shown)
		}
	}
}
