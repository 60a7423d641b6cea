package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/config"
	"github.com/belfry-push/belfry/internal/connlimit"
	"github.com/belfry-push/belfry/internal/httpapi"
	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/sameorigin"
)

// Listen serves handler on addr, with no more connections than the settings
// allow, until the stack unwinds. It returns the address that it got.
func (s *Service) Listen(ctx context.Context, name, addr string, c config.Listeners, handler http.Handler) (string, error) {
	inner, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return "", fmt.Errorf("%s: listen on %s: %w", name, addr, err)
	}
	ln := connlimit.New(inner, cmp.Or(c.MaxConnections, config.DefaultMaxConnections), connlimit.Busy, s.Log)
	if err := registerConnections(s.Reg, name, ln); err != nil {
		return "", errors.Join(err, ln.Close())
	}
	srv := door.NewServer(handler, s.Log)
	served := make(chan struct{})
	go func() {
		defer close(served)
		if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			s.Fail(fmt.Errorf("%s: %w", name, err))
		}
	}()
	const grace = 10 * time.Second
	s.Stack.OnStop(name, grace, func(ctx context.Context) error { return stopServer(ctx, srv, served) })
	return ln.Addr().String(), nil
}

// stopServer lets requests under way end until ctx does, then cuts them off, and
// waits for Serve to return. The error says that requests were cut off, and what
// closing their connections came to.
func stopServer(ctx context.Context, srv *http.Server, served <-chan struct{}) error {
	err := srv.Shutdown(ctx)
	if err != nil {
		err = errors.Join(fmt.Errorf("requests cut off: %w", err), srv.Close())
	}
	<-served // the listener is closed
	return err
}

// registerConnections shows how many connections a listener has, and how many it
// had to refuse.
func registerConnections(reg prometheus.Registerer, name string, ln *connlimit.Listener) error {
	labels := prometheus.Labels{"listener": name}
	return errors.Join(
		reg.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "belfry_connections_open", Help: "Open connections of a listener.", ConstLabels: labels,
		}, func() float64 { return float64(ln.Open()) })),
		reg.Register(prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "belfry_connections_refused_total", Help: "Connections refused because as many were open as may be.", ConstLabels: labels,
		}, func() float64 { return float64(ln.Refused()) })),
	)
}

// ServeProbes serves health and metrics for a program without an API; an empty
// address is none.
func (s *Service) ServeProbes(ctx context.Context, m config.Metrics, c config.Listeners, fields ...zap.Field) error {
	if m.Listen == "" {
		return nil
	}
	// Nobody is asked for a key here.
	pages, err := sameorigin.New(sameorigin.Config{Listen: m.Listen, Allowed: c.AllowedHosts})
	if err != nil {
		return err
	}
	addr, err := s.Listen(ctx, "health and metrics", m.Listen, c, httpapi.NewProbes(s.Health, s.beats, pages, s.Reg, s.Log))
	if err != nil {
		return err
	}
	s.Log.Info("program is up", append(fields, zap.String("metrics", addr))...)
	return nil
}
