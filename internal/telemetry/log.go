package telemetry

import (
	"fmt"
	"io"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/belfry-push/belfry/internal/visible"
)

// The log formats that [NewLogger] knows.
const (
	FormatJSON    = "json"    // one object a line, UTC, durations in seconds: for machines
	FormatConsole = "console" // tab-separated, local time, durations as 1.5s: for a terminal
)

// NewLogger returns a logger that writes entries of the given level and above
// to w, and the level, which can be changed while it runs; one line each. The level is one of debug, info, warn and error, the
// format one of [FormatJSON] and [FormatConsole]; anything else, the empty
// string too, is an error that names the choices.
//
// Nothing in a line drives a terminal that shows it, see [visible.Text].
//
// A line that comes again and again is written ten times a minute, and then how many
// more there were; lines at debug always are. Sync tells what was left out so far. Writes to w are
// serialised, so w need not be safe for concurrent use; the logger is.
func NewLogger(level, format string, w io.Writer) (*zap.Logger, *Level, error) {
	usual, err := parseLevel(level)
	if err != nil {
		return nil, nil, err
	}
	enc, err := newEncoder(format)
	if err != nil {
		return nil, nil, err
	}
	lvl := newLevel(usual)
	return zap.New(newRepeats(zapcore.NewCore(enc, zapcore.Lock(zapcore.AddSync(visible.NewWriter(w))), lvl.set))), lvl, nil
}

// parseLevel is narrower than zapcore.ParseLevel on purpose: a service has no
// use for a threshold above error, which would hide its failures.
func parseLevel(s string) (zapcore.Level, error) {
	switch s {
	case "debug":
		return zapcore.DebugLevel, nil
	case "info":
		return zapcore.InfoLevel, nil
	case "warn":
		return zapcore.WarnLevel, nil
	case "error":
		return zapcore.ErrorLevel, nil
	default:
		return 0, fmt.Errorf("log level: must be debug, info, warn or error (got %q)", s)
	}
}

func newEncoder(format string) (zapcore.Encoder, error) {
	cfg := zapcore.EncoderConfig{
		TimeKey:        "time",
		LevelKey:       "level",
		NameKey:        "logger",
		MessageKey:     "msg",
		EncodeName:     zapcore.FullNameEncoder,
		EncodeLevel:    zapcore.LowercaseLevelEncoder,
		EncodeTime:     encodeUTC,
		EncodeDuration: zapcore.SecondsDurationEncoder,
	}
	switch format {
	case FormatJSON:
		return zapcore.NewJSONEncoder(cfg), nil
	case FormatConsole:
		cfg.EncodeLevel = zapcore.CapitalLevelEncoder
		cfg.EncodeTime = zapcore.ISO8601TimeEncoder
		cfg.EncodeDuration = zapcore.StringDurationEncoder
		return zapcore.NewConsoleEncoder(cfg), nil
	default:
		return nil, fmt.Errorf("log format: must be %s or %s (got %q)", FormatJSON, FormatConsole, format)
	}
}

// encodeUTC keeps the lines of machines in different zones in one order.
func encodeUTC(t time.Time, enc zapcore.PrimitiveArrayEncoder) {
	zapcore.ISO8601TimeEncoder(t.UTC(), enc)
}
