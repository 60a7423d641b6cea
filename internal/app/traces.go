package app

import (
	"context"
	"os"
	"path/filepath"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/adapter/otlp"
	"github.com/belfry-push/belfry/internal/trace"
)

// startTraces has spans exported if OpenTelemetry's own variables ask for it. They are read
// from the environment alone, like AWS's: collectors, agents and operators set them for all
// programs alike.
func (s *Service) startTraces(ctx context.Context) error {
	metrics := otlp.NewMetrics(s.Reg)
	settings, err := otlp.Read(os.Getenv) //nolint:forbidigo // see above
	if err != nil || !settings.On {
		return err
	}
	r, err := otlp.Open(ctx, settings, otlp.About{Service: serviceName(), Instance: Owner()}, metrics, s.Log)
	if err != nil {
		return err
	}
	s.Stack.OnStop("traces", r.Grace(), r.Close)
	s.Tracer = trace.New(r, s.Now)
	s.Log.Info("traces are exported", zap.String("endpoint", settings.Shown()), zap.String("sampler", settings.Sampler.Description()))
	return nil
}

// serviceName is what this program is called among all that one collector hears of.
func serviceName() string {
	const family = "belfry"
	exe, err := os.Executable()
	if name := filepath.Base(exe); err == nil && name != family {
		return family + "-" + name
	}
	return family
}
