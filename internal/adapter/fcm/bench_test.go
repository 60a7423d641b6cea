package fcm

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"flag"
	"fmt"
	"io"
	"math/big"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"golang.org/x/oauth2"

	"github.com/belfry-push/belfry/internal/adapter/fcm/h2/h2test"
	"github.com/belfry-push/belfry/internal/push"
)

// The benchmark's server is a process of its own, started from this binary, so
// that getrusage tells the client's CPU alone.
var (
	leanServe   = flag.Bool("lean-server", false, "be the server of the benchmarks")
	leanLatency = flag.Duration("lean-latency", 0, "latency of that server")
)

// serveLean prints its address and serves until standard input ends.
func serveLean(latency time.Duration) {
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	form := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "bench"}, NotAfter: time.Now().Add(time.Hour)}
	der, _ := x509.CreateCertificate(rand.Reader, form, form, key.Public(), key)
	ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
		NextProtos:   []string{"h2"}, MinVersion: tls.VersionTLS13, DynamicRecordSizingDisabled: true,
	})
	if err != nil {
		panic(err)
	}
	_, _ = fmt.Fprintln(os.Stdout, ln.Addr())
	go func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			go h2test.ServeLean(nc, latency)
		}
	}()
	_, _ = io.Copy(io.Discard, os.Stdin)
}

func startLean(b *testing.B, latency time.Duration) string {
	b.Helper()
	cmd := exec.Command(os.Args[0], "-lean-server", "-lean-latency", latency.String())
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = in.Close(); _ = cmd.Wait() })
	var addr string
	if _, err := fmt.Fscanln(out, &addr); err != nil {
		b.Fatal(err)
	}
	return addr
}

func cpuTime() time.Duration {
	var ru syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &ru)
	return time.Duration(ru.Utime.Nano() + ru.Stime.Nano())
}

// BenchmarkSend compares the clients of HTTP/2 in one run: 483-byte bodies from
// 800 goroutines over 10 connections, template and all, to a server that answers
// at once or after 50 ms ±20 %.
func BenchmarkSend(b *testing.B) {
	for _, latency := range []time.Duration{0, 50 * time.Millisecond} {
		for _, client := range []string{OwnHTTP, NetHTTP} {
			b.Run("latency="+latency.String()+"/"+client, func(b *testing.B) { benchSend(b, client, startLean(b, latency)) })
		}
	}
}

func benchSend(b *testing.B, client, addr string) {
	b.Helper()
	cfg := Config{
		Endpoint: "https://" + addr + "/v1", Project: "belfry-test", HTTP: client,
		TLS:         &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13},
		TokenSource: oauth2.StaticTokenSource(&oauth2.Token{AccessToken: strings.Repeat("x", 1000)}),
	}
	s, err := New(b.Context(), cfg, zap.NewNop(), NewMetrics(prometheus.NewRegistry()))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = s.Close(context.Background()) }()
	tpl := templateOf(b, `{"notification":{"title":"Belfry","body":"`+strings.Repeat("b", 250)+`"}}`)
	to := strings.Repeat("t", 150)
	for range 100 { // net/http connects with the first requests
		body := tpl.Append(nil, string(push.KindToken), to, time.Time{}, time.Time{})
		if _, err := s.Send(b.Context(), body); err != nil {
			b.Fatal(err)
		}
	}
	var left atomic.Int64
	left.Store(int64(b.N))
	var wg sync.WaitGroup
	b.ReportAllocs()
	before := cpuTime()
	b.ResetTimer()
	for range 800 {
		wg.Go(func() {
			var body []byte
			for left.Add(-1) >= 0 {
				body = tpl.Append(body[:0], string(push.KindToken), to, time.Time{}, time.Time{})
				if name, err := s.Send(b.Context(), body); err != nil || name == "" {
					b.Errorf("name %q, %v", name, err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	used := cpuTime() - before
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "req/s")
	b.ReportMetric(float64(used.Nanoseconds())/1e3/float64(b.N), "cpu-µs/op")
}
