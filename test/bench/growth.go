package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// Growth is how cost grows with size, in every direction that a site grows in.
type Growth struct {
	Scale   float64       `json:"scale"`
	Latency time.Duration `json:"latency_ns"`
	Go      string        `json:"go"`
	Cores   int           `json:"cores"`
	Begun   time.Time     `json:"begun"`
	Series  []Series      `json:"series"`
}

// Series is one direction.
type Series struct {
	Name  string `json:"name"` // of its picture
	What  string `json:"what"`
	Of    string `json:"of"` // what a size counts
	Shift int    `json:"shift,omitempty"`
	// Fixed says that the work is the same at every size, so that what a size costs by itself shows as growth.
	Fixed  bool    `json:"fixed,omitempty"`
	Points []Point `json:"points"`
}

// Point is what a site did at a size.
type Point struct {
	Size int `json:"size"`
	Sample

	// Refused is the share of requests that FCM refused for its quota, of dispatchers that share one.
	Refused float64 `json:"refused_share,omitempty"`
}

// sizes are those of a run at scale 1, small to large.
type sizes struct {
	scale float64 // that they have

	backlog, registry, dispatchers, batches []int

	probe     int // recipients that a registry is measured with
	each      int // recipients of each running batch
	shared    int // recipients that dispatchers share
	perMinute int // the quota that they share
}

// growthSizes returns the sizes of a run: counts of recipients and devices by scale, backlogs up to the largest.
func growthSizes(scale float64, largest int) sizes {
	of := func(n int) int { return max(1, int(math.Round(float64(n)*scale))) }
	s := sizes{
		scale:    scale,
		registry: []int{0, of(500_000), of(1_000_000), of(2_000_000)}, probe: of(100_000),
		dispatchers: []int{1, 2, 4, 8, 16}, shared: of(30_000), perMinute: of(20_000),
		batches: []int{1, 10, 100, 1000}, each: of(500),
	}
	for _, n := range []int{10_000, 100_000, 1_000_000, 10_000_000} {
		if n <= largest {
			s.backlog = append(s.backlog, of(n))
		}
	}
	return s
}

// grow measures all series, and says on progress how far it is.
func grow(ctx context.Context, p plan, s sizes, progress io.Writer) (g Growth, err error) {
	m, end, err := prepare(ctx, p, "belfry")
	if err != nil {
		return g, err
	}
	defer func() { err = errors.Join(err, end()) }()
	g = Growth{
		Scale: s.scale, Latency: p.Latency, Go: runtime.Version(), Cores: runtime.NumCPU(), Begun: time.Now().UTC().Truncate(time.Second),
	}
	for _, of := range []struct {
		Series

		sizes []int
		at    func(ctx context.Context, s sizes, data string, size int) (Point, error)
	}{
		{Series{Name: "backlog", What: "one batch, its devices not recorded", Of: "recipients"}, s.backlog, m.atBacklog},
		{
			Series{Name: "registry", What: fmt.Sprintf("a first send to %d more devices", s.probe), Of: "devices known", Shift: s.probe},
			s.registry, m.atRegistry,
		},
		{Series{
			Name: "dispatchers", What: fmt.Sprintf("%d recipients, a quota of %d a minute for all", s.shared, s.perMinute),
			Of: "dispatchers", Fixed: true,
		}, s.dispatchers, m.atDispatchers},
		{Series{Name: "batches", What: fmt.Sprintf("batches of %d recipients each", s.each), Of: "running batches"}, s.batches, m.atBatches},
	} {
		_, _ = fmt.Fprintf(progress, "%s:", of.Name)
		data := filepath.Join(m.dir, of.Name)
		for _, size := range of.sizes {
			_, _ = fmt.Fprintf(progress, " %d", size)
			if of.Name != "registry" { // which grows
				err = os.RemoveAll(data)
			}
			w := startWatch(m.used)
			point, stepErr := of.at(ctx, s, data, size)
			if err = errors.Join(err, stepErr); err != nil {
				return g, fmt.Errorf("bench: %d %s: %w", size, of.Of, err)
			}
			point.Size, point.Others = size, w.others()
			of.Points = append(of.Points, point)
		}
		_, _ = fmt.Fprintln(progress)
		g.Series = append(g.Series, of.Series)
	}
	return g, nil
}

func (m *machine) site(ctx context.Context, data string, l load, args ...string) (Point, error) {
	s, err := m.openSite(ctx, data, m.url+"/v1", 1, args...)
	if err != nil {
		return Point{}, err
	}
	sample, err := s.measure(ctx, l)
	return Point{Sample: sample}, err
}

func (m *machine) atBacklog(ctx context.Context, _ sizes, data string, size int) (Point, error) {
	return m.site(ctx, data, load{batches: 1, recipients: size}, "--no-record-unknown-devices")
}

// atRegistry fills the registry up, by sends, before it measures. Every probe adds to it.
func (m *machine) atRegistry(ctx context.Context, s sizes, data string, size int) (Point, error) {
	before := 0 // devices
	for _, earlier := range s.registry {
		if earlier < size {
			before = earlier + s.probe
		}
	}
	if size > before {
		if _, err := m.site(ctx, data, load{batches: 1, recipients: size - before, from: before}); err != nil {
			return Point{}, err
		}
	}
	return m.site(ctx, data, load{batches: 1, recipients: s.probe, from: size})
}

func (m *machine) atBatches(ctx context.Context, s sizes, data string, size int) (Point, error) {
	return m.site(ctx, data, load{batches: size, recipients: size * s.each})
}

// atDispatchers has dispatchers send to a simulator with a quota. None of them is told of it, nor of the others.
func (m *machine) atDispatchers(ctx context.Context, s sizes, data string, size int) (Point, error) {
	sim, err := m.start(ctx, `"endpoint":"([^"]+)"`, filepath.Join(m.bin, "belfry"), "sim", "--sim-listen", "127.0.0.1:0", "--sim-lean",
		"--log-format", "json", "--sim-latency", m.Latency.String(), "--sim-quota", strconv.Itoa(s.perMinute))
	if err != nil {
		return Point{}, err
	}
	defer sim.stop()
	at, err := m.openSite(ctx, data, sim.said, size)
	if err != nil {
		return Point{}, err
	}
	sample, err := at.measure(ctx, load{batches: 1, recipients: s.shared})
	if err != nil {
		return Point{}, err
	}
	var stats struct {
		Requests float64            `json:"requests"`
		ByCode   map[string]float64 `json:"by_code"`
	}
	err = get(ctx, strings.TrimSuffix(sim.said, "/v1")+"/_sim/stats", func(body io.Reader) error {
		return json.NewDecoder(body).Decode(&stats)
	})
	return Point{Sample: sample, Refused: stats.ByCode["QUOTA_EXCEEDED"] / max(1, stats.Requests)}, err
}
