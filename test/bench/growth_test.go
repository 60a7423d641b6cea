package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// TestGrowth measures a little of all, for real; how fast does not matter.
func TestGrowth(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("the benchmark runs on Linux")
	}
	p := plan{Latency: time.Millisecond, self: []string{beProgram}}
	for _, name := range []string{"ingest", "dispatcher", "belfry"} {
		p.bin = filepath.Dir(programsOf.Path(t, name))
	}
	var progress bytes.Buffer
	small := sizes{
		scale: 1, backlog: []int{10, 100}, registry: []int{0, 200}, probe: 50, dispatchers: []int{1, 2}, shared: 40, perMinute: 600,
		batches: []int{1, 5}, each: 10,
	}
	g, err := grow(t.Context(), p, small, &progress)
	if err != nil {
		t.Fatalf("%v\n%s", err, &progress)
	}
	names := []string{"backlog", "registry", "dispatchers", "batches"}
	fewer := len(growthSizes(1, 1_000_000).backlog)
	if s := growthSizes(0.1, 10_000_000); s.backlog[3] != 1_000_000 || s.registry[3] != 200_000 || fewer != 3 {
		t.Errorf("sizes %+v", s)
	}
	for i, s := range g.Series {
		if s.Name != names[i] || len(s.Points) != 2 {
			t.Errorf("%s: %d points, want %s: 2", s.Name, len(s.Points), names[i])
		}
		for _, p := range s.Points {
			if p.Rate <= 0 || p.CPU <= 0 || p.RSS <= 0 || p.Others < 0 || p.Others > 1 {
				t.Errorf("%s: %+v", s.Name, p)
			}
		}
	}
}

// growing is a result in which one step is of a power.
func growing(power bool) Growth {
	of := func(size int, cpu float64) Point {
		return Point{Size: size, Sample: Sample{Rate: 15_000, CPU: cpu, RSS: 100, Others: 0.5}, Refused: 0.051}
	}
	last := 44.0
	if power {
		last = 80
	}
	return Growth{Scale: 1, Latency: 50 * time.Millisecond, Go: "go1", Cores: 2, Series: []Series{
		{Name: "backlog", What: "one batch", Of: "recipients", Points: []Point{of(10_000, 40), of(1_000_000, 42), of(10_000_000, last)}},
		{Name: "registry", What: "a first send", Of: "devices known", Shift: 1000, Points: []Point{of(0, 40), of(2_000_000, 50)}},
	}}
}

func TestVerdictOfGrowth(t *testing.T) {
	t.Parallel()
	g := growing(false)
	if got := g.verdict(); got != "no step is superlinear" {
		t.Error(got)
	}
	g = growing(true)
	if got := g.verdict(); got != "superlinear:\n  recipients from 1000000 to 10000000 (1.90 times)" {
		t.Error(got)
	}
	// The same work at every size: then what each of them costs by itself may add up.
	g.Series[0].Fixed = true
	if got := g.verdict(); got != "no step is superlinear" {
		t.Error(got)
	}
	for line := range strings.Lines(g.table()) {
		if utf8.RuneCountInString(strings.TrimRight(line, "\n")) > 80 {
			t.Errorf("wider than 80 columns: %q", line)
		}
	}
}

// TestPictureOfGrowth: a picture is XML, has every point thrice, and nothing lies outside.
func TestPictureOfGrowth(t *testing.T) {
	t.Parallel()
	g := growing(true)
	for i := range g.Series {
		picture := g.Series[i].picture()
		dec, dots := xml.NewDecoder(bytes.NewReader(picture)), 0
		for {
			token, err := dec.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%v in\n%s", err, picture)
			}
			if e, ok := token.(xml.StartElement); ok && e.Name.Local == "circle" {
				dots++
			}
		}
		if want := 3 * len(g.Series[i].Points); dots != want {
			t.Errorf("%d points, want %d", dots, want)
		}
		for _, bad := range []string{"NaN", "Inf", `="-`} {
			if bytes.Contains(picture, []byte(bad)) {
				t.Errorf("has %s:\n%s", bad, picture)
			}
		}
	}
}

// TestDocumentedGrowth: table and pictures of the documents are what the committed results come to.
func TestDocumentedGrowth(t *testing.T) {
	t.Parallel()
	var g Growth
	if err := readJSON("growth.json", &g); err != nil {
		t.Fatal(err)
	}
	const doc, img = "../../docs/performance.md", "../../docs/img"
	text, err := os.ReadFile(doc)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), growthBegin+"\n")
	if has, _, _ := strings.Cut(rest, growthEnd); has != g.text("img") {
		t.Errorf("docs/performance.md says\n%s\nand test/bench/growth.json comes to\n%s", has, g.text("img"))
	}
	for i := range g.Series {
		s := &g.Series[i]
		picture, err := os.ReadFile(filepath.Join(img, s.file()))
		if err != nil || !bytes.Equal(picture, s.picture()) {
			t.Errorf("%s is not what the results come to: %v", s.file(), err)
		}
	}
}
