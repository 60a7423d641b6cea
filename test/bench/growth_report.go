package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	// superlinear is the exponent from which on a step counts as superlinear: the cost of one notification grows with size to
	// that power, 1.6 times for ten times the size. A tree that is one level deeper stays below it.
	superlinear = 0.2
	// noise is by how much the processor time of two equal runs may differ on a machine that others use.
	noise = 1.3
)

// runGrowth measures, or takes results from a file, and reports.
func (o options) runGrowth(ctx context.Context, out, errs io.Writer) error {
	var g Growth
	var err error
	if o.from != "" {
		err = readJSON(o.from, &g)
	} else {
		g, err = grow(ctx, o.plan, growthSizes(o.scale, o.largest), errs)
	}
	if err != nil {
		return err
	}
	_, err = io.WriteString(out, g.table())
	if o.out != "" {
		err = errors.Join(err, writeJSON(o.out, g))
	}
	if o.img != "" {
		err = errors.Join(err, g.draw(o.img))
	}
	if o.update != "" {
		err = errors.Join(err, g.update(o.update, o.img))
	}
	return err
}

// The marks of a document's part about growth.
const (
	growthBegin = "<!-- growth: begin -->"
	growthEnd   = "<!-- growth: end -->"
)

// update writes what a document says of growth, with pictures from a folder.
func (g *Growth) update(file, img string) error {
	folder, err := filepath.Rel(filepath.Dir(file), img)
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	return replace(file, growthBegin, growthEnd, g.text(filepath.ToSlash(folder)))
}

// text is what a document says of growth.
func (g *Growth) text(folder string) string {
	var b strings.Builder
	b.WriteString("```text\n" + g.table() + "```\n")
	for i := range g.Series {
		s := &g.Series[i]
		fmt.Fprintf(&b, "\n![Rate, processor time and memory by %s](%s/%s)\n", s.Of, folder, s.file())
	}
	return b.String()
}

// draw writes a picture of each series into a folder.
func (g *Growth) draw(folder string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil { //nolint:gosec // of documents, for all to read
		return fmt.Errorf("bench: %w", err)
	}
	for i := range g.Series {
		s := &g.Series[i]
		if err := os.WriteFile(filepath.Join(folder, s.file()), s.picture(), 0o644); err != nil { //nolint:gosec // for all to read
			return fmt.Errorf("bench: %w", err)
		}
	}
	return nil
}

func (s *Series) file() string { return "growth-" + s.Name + ".svg" }

// growth is by how much more one notification costs at a point than at the one before, and how much more it may.
func (s *Series) growth(i int) (is, may float64) {
	a, b := &s.Points[i-1], &s.Points[i]
	power := superlinear
	if s.Fixed {
		power++
	}
	return b.CPU / a.CPU, max(noise, math.Pow(float64(b.Size+s.Shift)/float64(a.Size+s.Shift), power))
}

// verdict says in a sentence whether any step is superlinear.
func (g *Growth) verdict() string {
	var steps []string
	for i := range g.Series {
		s := &g.Series[i]
		for at := 1; at < len(s.Points); at++ {
			if is, may := s.growth(at); is > may {
				steps = append(steps, fmt.Sprintf("%s from %d to %d (%.2f times)", s.Of, s.Points[at-1].Size, s.Points[at].Size, is))
			}
		}
	}
	if len(steps) > 0 {
		return "superlinear:\n  " + strings.Join(steps, "\n  ")
	}
	return "no step is superlinear"
}

// table shows the results in 80 columns.
func (g *Growth) table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %d cores, %s; FCM stand-in at %v; scale %g\n", g.Begun.Format(time.DateTime), g.Cores, g.Go, g.Latency, g.Scale)
	for i := range g.Series {
		s := &g.Series[i]
		fmt.Fprintf(&b, "\n%s\n%20s %9s %8s %7s %8s %7s %8s\n", s.What, s.Of, "rate/s", "CPU µs", "allocs", "RSS MiB", "others", "refused")
		for _, p := range s.Points {
			refused := ""
			if p.Refused > 0 {
				refused = fmt.Sprintf("%.1f %%", p.Refused*100)
			}
			line := fmt.Sprintf("%20d %9.0f %8.1f %7.1f %8.0f %5.0f %% %8s", p.Size, p.Rate, p.CPU, p.Allocs, p.RSS, p.Others*100, refused)
			b.WriteString(strings.TrimRight(line, " ") + "\n")
		}
	}
	b.WriteString("\n" + g.verdict() + "\n")
	return b.String()
}
