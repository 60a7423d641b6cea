package fcm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	"golang.org/x/oauth2"

	"github.com/belfry-push/belfry/internal/adapter/fcm/transport"
	"github.com/belfry-push/belfry/internal/push"
)

// Every change of the credential is logged, once, and shown; nothing has to be
// sent for that.
func TestStandingTellsOfChanges(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.InfoLevel)
		gauge, reg := prometheus.NewGauge(prometheus.GaugeOpts{Name: "ok"}), prometheus.NewRegistry()
		reg.MustRegister(gauge)
		shown := func() float64 {
			all, err := reg.Gather()
			if err != nil {
				t.Fatal(err)
			}
			return all[0].GetMetric()[0].GetGauge().GetValue()
		}
		stands := newCredentialState(zap.New(core), gauge)
		if stands.check() == nil {
			t.Error("it stands well before the first token")
		}
		src := &fakeSource{life: time.Hour}
		src.broken.Store(true)
		c := newTokenCache(src, func(token string) *transport.Header {
			return transport.NewHeader("https", "x", "/", "authorization", token)
		}, stands)
		defer c.close()
		expect := func(when string, ok bool, lines ...string) {
			t.Helper()
			synctest.Wait()
			if err := stands.check(); (err == nil) != ok || shown() == 1 != ok {
				t.Errorf("%s: it stands %v, the gauge at %v", when, err, shown())
			}
			var got []string
			for _, l := range logs.TakeAll() {
				got = append(got, l.Message)
			}
			if fmt.Sprint(got) != fmt.Sprint(lines) {
				t.Errorf("%s: logged %q, want %q", when, got, lines)
			}
		}
		expect("no token", false, "no FCM access token: nothing can be sent")
		for range 50 { // deliveries keep asking
			time.Sleep(2 * failureHolds)
			if _, err := c.get(t.Context()); push.CodeOf(err) != push.CodeCredential {
				t.Fatal(err)
			}
		}
		expect("still none", false)
		src.broken.Store(false)
		time.Sleep(refreshRetry) // though nobody asks
		expect("a token", true, "FCM access token received")
		src.broken.Store(true)
		time.Sleep(57 * time.Minute)
		expect("the next is late", true, "FCM access token could not be renewed; the present one is still valid")
		src.broken.Store(false)
		time.Sleep(time.Minute)
		expect("it came in time", true, "FCM access token received")
		time.Sleep(10 * time.Hour)
		expect("hours later", true)

		stands.rejected(credentialError(errors.New("401")))
		stands.rejected(credentialError(errors.New("401")))
		stands.received(time.Now().Add(time.Hour)) // FCM has not said yet that it takes it
		expect("refused by FCM", false, "FCM refuses the credential: nothing can be sent")
		stands.accepted()
		stands.accepted()
		expect("taken again", true, "FCM takes the credential again")
	})
}

// Without a token source nothing is asked for, and all is well.
func TestStandingWithoutACredential(t *testing.T) {
	t.Parallel()
	if c := newCache(t, nil); c.credential.check() != nil {
		t.Error(c.credential.check())
	}
}

// Who said what, when no token comes.
func TestWhoSaidWhat(t *testing.T) {
	t.Parallel()
	var late atomic.Int64
	answering := func(status int, body string) string {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Date", time.Now().Add(-time.Duration(late.Load())).UTC().Format(http.TimeFormat))
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}))
		t.Cleanup(srv.Close)
		return srv.URL
	}
	encrypted := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(encrypted.Close)
	cut := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	t.Cleanup(cut.Close)
	late.Store(int64(10 * time.Minute))
	for _, c := range []struct{ name, url, want string }{
		{
			"a deleted key", answering(400, `{"error":"invalid_grant","error_description":"Invalid JWT Signature."}`),
			"said 400 invalid_grant: Invalid JWT Signature.",
		},
		{
			"a wrong clock", answering(400, `{"error":"invalid_grant","error_description":"Check your iat and exp values."}`),
			"this machine's clock is 10m",
		},
		{"a page", answering(502, "<html>"), "said 502"},
		{"nobody there", "http://127.0.0.1:1/token", "this machine could not connect to 127.0.0.1:1"},
		{"no such name", "https://token.invalid/token", "DNS said, about token.invalid"},
		{"a certificate of somebody else's", encrypted.URL, "this machine's own check of"},
		{"cut off", cut.URL, "the connection to"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := Credentials(t.Context(), serviceAccount(t, c.url, nil))
			if err != nil {
				t.Fatal(err)
			}
			_, err = got.Tokens.Token()
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want one that says %q", err, c.want)
			}
		})
	}
}

// The same trouble is told once, whatever port its connection had and however
// the clock is off to the second.
func TestTheSameTroubleIsToldOnce(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, first, again, other string }{
		{
			"a broken connection", "the connection to a:443 broke: read tcp 10.0.0.7:40000->10.0.0.1:443: read: connection reset by peer",
			"the connection to a:443 broke: read tcp 10.0.0.7:40001->10.0.0.1:443: read: connection reset by peer",
			"the connection to a:443 broke: read tcp 10.0.0.7:40002->10.0.0.1:443: i/o timeout",
		},
		{
			"a resolver", "DNS said, about a: lookup a on 10.0.0.2:53: read udp 10.0.0.7:5000->10.0.0.2:53: i/o timeout",
			"DNS said, about a: lookup a on 10.0.0.2:53: read udp [fe80::1]:5001->10.0.0.2:53: i/o timeout",
			"DNS said, about a: lookup a on 10.0.0.2:53: no such host",
		},
		{
			"a clock", "the token endpoint (a) said 400 invalid_grant; this machine's clock is 10m0s behind its",
			"the token endpoint (a) said 400 invalid_grant; this machine's clock is 9m59s behind its",
			"the token endpoint (a) said 401 invalid_client; this machine's clock is 9m59s behind its",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			core, logs := observer.New(zap.InfoLevel)
			stands := newCredentialState(zap.New(core), nil)
			for _, said := range []string{c.first, c.again, c.first} {
				stands.fetchFailed(credentialError(errors.New(said)))
			}
			if n := logs.Len(); n != 1 {
				t.Errorf("%d lines of one trouble: %v", n, logs.All())
			}
			stands.fetchFailed(credentialError(errors.New(c.other)))
			if n := logs.Len(); n != 2 {
				t.Errorf("%d lines of two troubles", n)
			}
		})
	}
}

// A token endpoint that takes the connection and says nothing costs a fetch its
// limit, each time with the same words, and whoever closes waits no longer.
func TestMuteTokenEndpoint(t *testing.T) {
	t.Parallel()
	file := serviceAccount(t, "http://127.0.0.1:1/token", nil)
	synctest.Test(t, func(t *testing.T) {
		mute := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
			ours, theirs := net.Pipe()
			go func() { _, _ = io.Copy(io.Discard, theirs) }()
			return ours, nil
		}}
		defer mute.CloseIdleConnections()
		ctx := context.WithValue(t.Context(), oauth2.HTTPClient, &http.Client{Transport: mute})
		got, err := Credentials(ctx, file)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			begun := time.Now()
			_, err := got.Tokens.Token()
			if took := time.Since(begun); took != fetchTimeout || err == nil || err.Error() != "127.0.0.1:1 did not answer in time" {
				t.Errorf("%v after %s", err, took)
			}
		}
		c := newCache(t, got.Tokens)
		begun := time.Now()
		if _, err := c.get(t.Context()); push.CodeOf(err) != push.CodeCredential || time.Since(begun) != fetchTimeout {
			t.Errorf("who waits for a token got %v after %s", err, time.Since(begun))
		}
	})
}
