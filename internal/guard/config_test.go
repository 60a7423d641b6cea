package guard

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
)

func TestConfigDefaultIsValid(t *testing.T) {
	t.Parallel()
	if err := DefaultConfig("project-a").Validate(); err != nil {
		t.Fatal(err)
	}
}

func TestConfigReportsAllFaults(t *testing.T) {
	t.Parallel()
	err := Config{}.Validate()
	if err == nil {
		t.Fatal("the zero Config is valid")
	}
	for _, want := range []string{
		"Credential: required", "PerSecond: must be 0.01 to 1e+06 (got 0)", "QuotaShare", "QuotaRow", "CutTo", "CutEvery", "RecoverIn",
		"MaxRetryAfter: must be 1m0s to 24h0m0s (got 0s)", "Accepts[high]", "Accepts[live]", "Accepts[retry]",
		"Accepts[replay]", "DoubleIn", "OpenAfter.Many", "OpenAfter.Few", "ProbeEvery", "BudgetBurst",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in:\n%v", want, err)
		}
	}
}

func TestConfigRanges(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		tune  func(*Config)
		fault string // "" when valid
	}{
		{"no ramp, for the sandbox", func(c *Config) { c.Ramp = 0 }, ""},
		{"never block", func(c *Config) { c.MaxPaceWait = 0 }, ""},
		{"no budget but the burst", func(c *Config) { c.BudgetRatio, c.BudgetMin = 0, 0 }, ""},
		{"longest below shortest", func(c *Config) { c.ProbeMax = c.ProbeEvery - 1 }, "ProbeMax: must be 1s to 24h0m0s (got 999.999999ms)"},
		{"not a number", func(c *Config) { c.PerSecond = math.NaN() }, "PerSecond"},
		{"infinite", func(c *Config) { c.PerSecond = math.Inf(1) }, "PerSecond"},
		{"negative burst", func(c *Config) { c.Burst = -time.Millisecond }, "Burst"},
		{"no requests for what is taken", func(c *Config) { c.Accepts[TrafficRetry] = 0 }, "Accepts[retry]"},
		{"open at once", func(c *Config) { c.OpenAfter = Trip{Many: 1, Few: 1} }, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			cfg := DefaultConfig("project-a")
			tc.tune(&cfg)
			err := cfg.Validate()
			if tc.fault == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tc.fault) {
				t.Fatalf("got %v, want %q", err, tc.fault)
			}
			if _, err := New(cfg, nil, rand.New(rand.NewPCG(1, 2)), zap.NewNop(), nil, nil); err == nil {
				t.Fatal("New took it")
			}
		})
	}
}

func TestNewNeedsItsParts(t *testing.T) {
	t.Parallel()
	if _, err := New(DefaultConfig("a"), nil, nil, zap.NewNop(), nil, nil); err == nil {
		t.Error("made without a source of jitter")
	}
	if _, err := New(DefaultConfig("a"), nil, rand.New(rand.NewPCG(1, 2)), nil, nil, nil); err == nil {
		t.Error("made without a logger")
	}
}
