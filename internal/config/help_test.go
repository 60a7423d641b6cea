package config

import (
	"encoding/json"
	"io"
	"strings"
	"testing"
)

func TestHelp(t *testing.T) {
	t.Parallel()

	tests := []struct {
		file string
		cfg  any
	}{
		{"ingest.help", &Ingest{}},
		{"dispatcher.help", &Dispatcher{}},
		{"replayer.help", &Replayer{}},
	}
	for _, tt := range tests {
		t.Run(tt.file, func(t *testing.T) {
			t.Parallel()
			code, ok, stdout, stderr := load(tt.cfg, env{"BELFRY_API_KEY": "hush-hush"}, "--help")
			if ok || code != 0 || stderr != "" {
				t.Fatalf("code %d, ok %v, %s", code, ok, stderr)
			}
			if strings.Contains(stdout, "hush") {
				t.Error("help shows a secret")
			}
			golden(t, tt.file, stdout)
		})
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()

	code, ok, stdout, _ := load(&Ingest{}, nil, "--version")
	if ok || code != 0 || !strings.HasPrefix(stdout, "ingest ") {
		t.Errorf("code %d, ok %v, %s", code, ok, stdout)
	}
	code, ok, words, _ := load(&Ingest{}, nil, "version")
	if ok || code != 0 || words != stdout {
		t.Errorf("version: code %d, ok %v, %s; --version says %s", code, ok, words, stdout)
	}
	code, ok, stdout, _ = load(&Ingest{}, nil, "version", "-o", "json")
	var got struct{ Program, Version, Go, Revision string }
	if err := json.Unmarshal([]byte(stdout), &got); err != nil || ok || code != 0 || got.Program != "ingest" || got.Version == "" ||
		!strings.HasPrefix(got.Go, "go1.") || got.Revision == "" {
		t.Errorf("as JSON: code %d, ok %v, %v: %s", code, ok, err, stdout)
	}
	if code, ok, _, stderr := load(&Ingest{}, nil, "version", "-o", "xml"); ok || code != ExitUsage ||
		!strings.Contains(stderr, "--output must be one of") {
		t.Errorf("as XML: code %d, ok %v, %s", code, ok, stderr)
	}
	if code, ok, stdout, _ := load(&Ingest{}, nil, "help"); ok || code != 0 || !strings.HasPrefix(stdout, "Usage: ingest") {
		t.Errorf("help: code %d, ok %v, %s", code, ok, stdout)
	}
}

// TestLongHelp: a flag gets its long text, a name without one is refused, and no text
// is a variable of kong's, which would search each of them once for every flag.
func TestLongHelp(t *testing.T) {
	t.Parallel()
	build := func(grammar any) (*Parser, error) {
		return NewParser(grammar, env(nil).lookup, io.Discard)
	}
	parser, err := build(&struct {
		Lost string `help:"${lost}"`
		Own  string `help:"Not ${own=long}."`
	}{})
	if err != nil {
		t.Fatal(err)
	}
	for _, flag := range parser.Model().Flags {
		switch {
		case flag.Name == "lost" && flag.Help != helpTexts()["lost"], flag.Name == "own" && flag.Help != "Not long.":
			t.Errorf("--%s: %s", flag.Name, flag.Help)
		}
	}
	if vars := parser.Model().Tag.Vars; len(vars) > 0 {
		t.Errorf("kong has %d variables to look for in every flag", len(vars))
	}
	if _, err := build(&struct {
		Typo string `help:"${lots}"`
	}{}); err == nil || !strings.Contains(err.Error(), "undefined variable ${lots}") {
		t.Errorf("a name without a text: %v", err)
	}
}
