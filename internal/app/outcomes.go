package app

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfry-push/belfry/internal/outcome"
)

// NewOutcomes returns what outcomes cause, which shows itself with reg. Whoever sends says
// whether dead addresses are remembered that the registry does not know.
func (s *Service) NewOutcomes(reg prometheus.Registerer, recordUnknown bool) (*outcome.Outcomes, error) {
	wave, err := outcome.NewWave(outcome.DefaultWaveShare, outcome.DefaultWaveLeast, outcome.DefaultWaveSpan)
	if err != nil {
		return nil, err
	}
	return outcome.New(outcome.Config{
		Devices: s.Backend.Store, Events: s.Backend.Events, Source: "belfry", Wave: wave, RecordUnknown: recordUnknown,
		Log: s.Log, Metrics: outcome.NewMetrics(reg), Now: s.Now, Tracer: s.Tracer,
	}), nil
}
