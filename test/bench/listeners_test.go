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

// TestListenersRound measures a little, for real: each listener has every event, whichever process it is of, and those who
// follow what does not happen have none.
func TestListenersRound(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("the comparison runs on Linux")
	}
	p := plan{Recipients: 40, Rounds: 1, InFlight: 50, Latency: time.Millisecond, self: []string{beProgram}}
	p.bin = filepath.Dir(programsOf.Path(t, "ingest"))
	var progress bytes.Buffer
	all, err := listening(t.Context(), p, &progress)
	if err != nil {
		t.Fatalf("%v\n%s", err, &progress)
	}
	for _, name := range listenerSettings() {
		s := all.Rounds[0][name]
		least := 0.0
		if name == followName {
			least = float64(all.Singles) // that each was accepted; what the dispatcher tells may come after the end
		}
		if s.BatchCPU <= 0 || s.BatchRate <= 0 || s.SingleCPU <= 0 || s.SingleRate <= 0 || s.Events < least || least == 0 && s.Events > 0 {
			t.Errorf("%s: %+v", name, s)
		}
	}
	dir := t.TempDir()
	file, doc := filepath.Join(dir, "l.json"), filepath.Join(dir, "d.md")
	if err := os.WriteFile(doc, []byte("before\n"+listenersBegin+"\nstale\n"+listenersEnd+"\nafter\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := writeJSON(file, all); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := run(t.Context(), []string{"-listeners", "-from", file, "-update", doc}, &out, &out); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(doc)
	if err != nil || !strings.Contains(string(text), out.String()) || strings.Contains(string(text), "stale") {
		t.Errorf("%v, document:\n%s", err, text)
	}
	for line := range strings.Lines(out.String()) {
		if utf8.RuneCountInString(strings.TrimRight(line, "\n")) > 80 {
			t.Errorf("wider than 80 columns: %q", line)
		}
	}
}
