package fcm

import (
	"errors"
	"fmt"
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

	"github.com/belfry-push/belfry/internal/adapter/fcm/h2"
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
		stands := newStanding(zap.New(core), gauge)
		if stands.check() == nil {
			t.Error("it stands well before the first token")
		}
		src := &fakeSource{life: time.Hour}
		src.broken.Store(true)
		c := newTokenCache(src, func(token string) *h2.Header { return h2.NewHeader("https", "x", "/", "authorization", token) }, stands)
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

		stands.refuse(credentialError(errors.New("401")))
		stands.refuse(credentialError(errors.New("401")))
		stands.got(time.Now().Add(time.Hour)) // FCM has not said yet that it takes it
		expect("refused by FCM", false, "FCM refuses the credential: nothing can be sent")
		stands.took()
		stands.took()
		expect("taken again", true, "FCM takes the credential again")
	})
}

// Without a token source nothing is asked for, and all is well.
func TestStandingWithoutACredential(t *testing.T) {
	t.Parallel()
	if c := newCache(t, nil); c.stands.check() != nil {
		t.Error(c.stands.check())
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
		{"a deleted key", answering(400, `{"error":"invalid_grant","error_description":"Invalid JWT Signature."}`), "said 400 invalid_grant: Invalid JWT Signature."},
		{"a wrong clock", answering(400, `{"error":"invalid_grant","error_description":"Check your iat and exp values."}`), "this machine's clock is 10m"},
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
