package telemetry

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// buffer takes what a logger writes, also from timers.
type buffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func (b *buffer) Reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.buf.Reset()
}

func newTestLogger(t *testing.T, level, format string) (*zap.Logger, *buffer) {
	t.Helper()
	var buf buffer
	log, _, err := NewLogger(level, format, &buf)
	if err != nil {
		t.Fatalf("NewLogger(%q, %q): %v", level, format, err)
	}
	return log, &buf
}

// at is 14:05:06.789 in a zone two hours east of UTC.
func at() zapcore.Clock {
	return fixedClock(time.Date(2026, 11, 21, 14, 5, 6, 789e6, time.FixedZone("EET", 2*3600)))
}

type fixedClock time.Time

func (c fixedClock) Now() time.Time                         { return time.Time(c) }
func (c fixedClock) NewTicker(d time.Duration) *time.Ticker { return time.NewTicker(d) }

func TestLoggerJSON(t *testing.T) {
	t.Parallel()

	log, buf := newTestLogger(t, "info", FormatJSON)
	log.WithOptions(zap.WithClock(at())).Named("deliver").
		Info("chunk closed", zap.Int("sent", 3), zap.Duration("took", 1500*time.Millisecond))

	var got map[string]any
	if err := json.Unmarshal([]byte(buf.String()), &got); err != nil {
		t.Fatalf("line %q: %v", buf, err)
	}
	want := map[string]any{
		"time": "2026-11-21T12:05:06.789Z", "level": "info", "logger": "deliver",
		"msg": "chunk closed", "sent": 3.0, "took": 1.5,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("line (-want +got):\n%s", diff)
	}
}

func TestLoggerConsole(t *testing.T) {
	t.Parallel()

	log, buf := newTestLogger(t, "info", FormatConsole)
	log.WithOptions(zap.WithClock(at())).Warn("breaker open", zap.Duration("for", 1500*time.Millisecond))

	want := "2026-11-21T14:05:06.789+0200\tWARN\tbreaker open\t{\"for\": \"1.5s\"}\n"
	if diff := cmp.Diff(want, buf.String()); diff != "" {
		t.Errorf("line (-want +got):\n%s", diff)
	}
}

func TestLoggerLevel(t *testing.T) {
	t.Parallel()

	for level, want := range map[string]int{"debug": 4, "info": 3, "warn": 2, "error": 1} {
		t.Run(level, func(t *testing.T) {
			t.Parallel()
			log, buf := newTestLogger(t, level, FormatJSON)
			log.Debug("m")
			log.Info("m")
			log.Warn("m")
			log.Error("m")
			if got := strings.Count(buf.String(), "\n"); got != want {
				t.Errorf("level %s wrote %d of 4 lines, want %d", level, got, want)
			}
		})
	}
}

func TestNewLoggerRefuses(t *testing.T) {
	t.Parallel()

	tests := []struct{ name, level, format, want string }{
		{"no level", "", FormatJSON, `log level: must be debug, info, warn or error (got "")`},
		{"level in capitals", "INFO", FormatJSON, `log level: must be debug, info, warn or error (got "INFO")`},
		{"level that hides errors", "fatal", FormatJSON, `log level: must be debug, info, warn or error (got "fatal")`},
		{"format", "info", "logfmt", `log format: must be json or console (got "logfmt")`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			log, _, err := NewLogger(tt.level, tt.format, &buffer{})
			if err == nil || err.Error() != tt.want || log != nil {
				t.Errorf("NewLogger = %v, %v; want error %q", log, err, tt.want)
			}
		})
	}
}

// A token, a label or an answer in a log line does nothing to a terminal.
func TestLogDrivesNoTerminal(t *testing.T) {
	t.Parallel()
	for _, format := range []string{FormatJSON, FormatConsole} {
		log, buf := newTestLogger(t, "info", format)
		log.Info("refused\x1b[2J", zap.String("detail", "\x1b]0;t\x07\u009b31m\x7f\u202e"), zap.Error(errors.New("a\u009bb\x9bc")))
		for _, r := range buf.String() {
			if r != '\n' && r != '\t' && (unicode.IsControl(r) || r == '\u202e') {
				t.Errorf("%s has %q: %q", format, r, buf)
			}
		}
	}
}
