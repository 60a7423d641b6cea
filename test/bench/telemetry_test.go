package main

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// TestTelemetryRound measures a little, for real: traces are exported when they are asked for, and only then.
func TestTelemetryRound(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("the comparison runs on Linux")
	}
	p := plan{Recipients: 40, Rounds: 1, InFlight: 50, Latency: time.Millisecond, self: []string{beProgram}}
	p.bin = filepath.Dir(programsOf.Path(t, "ingest"))
	var progress bytes.Buffer
	all, err := weigh(t.Context(), p, &progress)
	if err != nil {
		t.Fatalf("%v\n%s", err, &progress)
	}
	for _, name := range telemetrySettings() {
		s := all.Rounds[0][name]
		const enough = 10 // of 1 % there may be some or none
		if traced := name == allName; s.Batch <= 0 || s.Single <= 0 || name != someName && traced != (s.Spans >= enough) {
			t.Errorf("%s: %+v", name, s)
		}
	}
	if m := all.Metrics; m.BatchObserved < 1 || m.SingleObserved < 1 || m.BatchCounted < 1 || m.Observe <= 0 || m.Count <= 0 {
		t.Errorf("metrics: %+v", m)
	}
	dir := t.TempDir()
	file, doc := filepath.Join(dir, "t.json"), filepath.Join(dir, "d.md")
	if err := os.WriteFile(doc, []byte("before\n"+telemetryBegin+"\nold\n"+telemetryEnd+"\nafter\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := writeJSON(file, all); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := run(t.Context(), []string{"-telemetry", "-from", file, "-update", doc}, &out, &out); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(doc)
	if err != nil || !strings.Contains(string(text), out.String()) || strings.Contains(string(text), "old") {
		t.Errorf("%v, document:\n%s", err, text)
	}
	for line := range strings.Lines(out.String()) {
		if utf8.RuneCountInString(strings.TrimRight(line, "\n")) > 80 {
			t.Errorf("wider than 80 columns: %q", line)
		}
	}
}
