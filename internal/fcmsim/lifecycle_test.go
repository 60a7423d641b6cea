package fcmsim_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/belfry-push/belfry/internal/fcmsim"
	"github.com/belfry-push/belfry/internal/fcmsim/fcmsimtest"
)

func TestNewReportsAllFaults(t *testing.T) {
	t.Parallel()
	_, err := fcmsim.New(fcmsim.Config{
		Lean: true, ListenTLS: "127.0.0.1:0", QuotaPerMinute: -1, MaxStreams: -1, TokenTTL: -1, Keep: -1,
		Latency: fcmsim.Latency{Median: -1, Sigma: -1},
	})
	if err == nil {
		t.Fatal("took it")
	}
	for _, word := range []string{"lean", "quota", "streams", "TTL", "keep", "median", "sigma"} {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("no word of %s: %v", word, err)
		}
	}
}

func TestStartAndStop(t *testing.T) {
	t.Parallel()
	sim, err := fcmsim.New(fcmsim.Config{ListenTLS: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	if sim.URL() != "" || sim.URLTLS() != "" || sim.CertPEM() != nil {
		t.Error("an address before the start")
	}
	if err := sim.Start(); err != nil {
		t.Fatal(err)
	}
	if err := sim.Start(); err == nil {
		t.Error("started twice")
	}
	u, err := url.Parse(sim.URL())
	if err != nil {
		t.Fatal(err)
	}
	if other, err := fcmsim.New(fcmsim.Config{Listen: u.Host}); err != nil || other.Start() == nil {
		t.Errorf("two simulators on one address: %v", err)
	}
	if other, err := fcmsim.New(fcmsim.Config{ListenTLS: u.Host}); err != nil || other.Start() == nil {
		t.Errorf("two simulators on one address: %v", err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	if a := post(t, client, sim.URL()+sendPath, toToken("t")); a.status != 200 {
		t.Errorf("%d", a.status)
	}
	for range 2 {
		if err := sim.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if _, err := tryPost(t, client, sim.URL()+sendPath, toToken("t")); err == nil {
		t.Error("still there")
	}
	if err := sim.Start(); err == nil {
		t.Error("started after the stop")
	}
	sim.GoAway() // of no effect, but no harm either
}

func TestStopLetsRequestsFinish(t *testing.T) {
	t.Parallel()
	sim, err := fcmsim.New(fcmsim.Config{Latency: fcmsim.Latency{Median: 100 * time.Millisecond}})
	if err != nil {
		t.Fatal(err)
	}
	if err := sim.Start(); err != nil {
		t.Fatal(err)
	}
	client := fcmsimtest.Client(t)
	done := make(chan answer, 1)
	go func() {
		a, _ := tryPost(t, client, sim.URL()+sendPath, toToken("t"))
		done <- a
	}()
	for sim.Stats().Accepted == 0 {
		<-time.NewTimer(time.Millisecond).C
	}
	if err := sim.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if a := <-done; a.status != 200 {
		t.Errorf("status %d", a.status)
	}
}

func TestStopCutsOffWhatDoesNotFinish(t *testing.T) {
	t.Parallel()
	sim, err := fcmsim.New(fcmsim.Config{Latency: fcmsim.Latency{Median: time.Minute}})
	if err != nil {
		t.Fatal(err)
	}
	if err := sim.Start(); err != nil {
		t.Fatal(err)
	}
	client := fcmsimtest.Client(t)
	done := make(chan error, 1)
	go func() {
		_, err := tryPost(t, client, sim.URL()+sendPath, toToken("t"))
		done <- err
	}()
	for sim.Stats().Accepted == 0 {
		<-time.NewTimer(time.Millisecond).C
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := sim.Stop(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("stop: %v", err)
	}
	if <-done == nil {
		t.Error("answered")
	}
}
