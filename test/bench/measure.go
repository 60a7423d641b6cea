package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"time"
)

// The contenders. The first is the baseline.
const (
	plainName    = "net_http"
	senderName   = "sender"
	knownName    = "pipeline_known"
	unknownName  = "pipeline_unknown"
	officialName = "official_client"
)

func contenders() []string {
	return []string{plainName, senderName, knownName, unknownName, officialName}
}

// plan is how to measure.
type plan struct {
	Recipients int           `json:"recipients"`
	Rounds     int           `json:"rounds"`
	InFlight   int           `json:"in_flight"`
	Latency    time.Duration `json:"latency_ns"`

	bin  string   // folder of ingest and dispatcher
	self []string // what goes before the arguments of this program; the test's has some
}

// machine has what all rounds share.
type machine struct {
	*family
	plan

	program string // this one
	dir     string
	url     string // of the stand-in
	known   string // data directory whose devices are known
}

// prepare starts the stand-in; end ends all that runs then, and removes what was written. The programs must be built.
func prepare(ctx context.Context, p plan, programs ...string) (m *machine, end func() error, err error) {
	if runtime.GOOS != "linux" {
		return nil, nil, errors.New(
			"bench: needs Linux: programs find the stand-in's certificate by SSL_CERT_FILE, and /proc tells who used what")
	}
	for _, name := range append(programs, "ingest", "dispatcher") {
		if _, err := os.Stat(filepath.Join(p.bin, name)); err != nil {
			return nil, nil, fmt.Errorf("bench: build the programs first, with make build: %w", err)
		}
	}
	m = &machine{plan: p}
	if m.program, err = os.Executable(); err != nil {
		return nil, nil, fmt.Errorf("bench: find this program: %w", err)
	}
	if m.dir, err = os.MkdirTemp("", "belfry-bench-"); err != nil {
		return nil, nil, fmt.Errorf("bench: %w", err)
	}
	if err := m.open(ctx); err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(m.dir))
	}
	return m, func() error {
		m.end()
		return os.RemoveAll(m.dir)
	}, nil
}

// measure runs all rounds, and says on progress how far it is.
func measure(ctx context.Context, p plan, progress io.Writer) (r Results, err error) {
	m, end, err := prepare(ctx, p)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, end()) }()
	r = Results{plan: p, Go: runtime.Version(), Cores: runtime.NumCPU(), Begun: time.Now().UTC().Truncate(time.Second)}
	say := func(format string, args ...any) { _, _ = fmt.Fprintf(progress, format, args...) }
	say("%d rounds of %d notifications by each of %d contenders\n", p.Rounds, p.Recipients, len(contenders()))
	if _, err := m.pipeline(ctx, m.known); err != nil { // gets to know the devices
		return r, err
	}
	for i := range p.Rounds {
		say("round %d:", i+1)
		round := Round{}
		for _, at := range rand.Perm(len(contenders())) { //nolint:gosec // an order, not a secret
			name := contenders()[at]
			say(" %s", name)
			if round[name], err = m.run(ctx, name); err != nil {
				say("\n")
				return r, err
			}
		}
		say("\n")
		r.Rounds = append(r.Rounds, round)
	}
	return r, nil
}

// open starts the stand-in.
func (m *machine) open(ctx context.Context) error {
	trusted := filepath.Join(m.dir, "tls")
	m.known = filepath.Join(m.dir, "known")
	if err := os.Mkdir(trusted, 0o700); err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	cert := filepath.Join(trusted, "cert.pem")
	m.family = newFamily(cert)
	c, err := m.start(ctx, `^(127\.0\.0\.1:\d+)$`, m.program, m.args("-as", standInName, "-cert", cert, "-latency", m.Latency.String())...)
	if err != nil {
		return err
	}
	m.url = "https://" + c.said
	return nil
}

func (m *machine) args(args ...string) []string {
	return append(slices.Clip(m.self), args...)
}

// run has one contender send.
func (m *machine) run(ctx context.Context, name string) (s Sample, err error) {
	w := startWatch(m.used)
	switch name {
	case knownName:
		s, err = m.pipeline(ctx, m.known)
	case unknownName:
		s, err = m.fresh(func(data string) (Sample, error) { return m.pipeline(ctx, data) })
	default:
		s, err = m.contender(ctx, name)
	}
	s.Others = w.others()
	return s, err
}

func (m *machine) contender(ctx context.Context, name string) (s Sample, err error) {
	c, err := m.start(ctx, `^(\{.*\})$`, m.program, m.args("-as", name, "-url", m.url, "-n", strconv.Itoa(m.Recipients),
		"-inflight", strconv.Itoa(m.InFlight))...)
	if err != nil {
		return s, err
	}
	c.stop()
	if err := json.Unmarshal([]byte(c.said), &s); err != nil {
		return s, fmt.Errorf("bench: %s: %w", name, err)
	}
	return s, nil
}
