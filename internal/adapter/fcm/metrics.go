package fcm

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfry-push/belfry/internal/push"
)

// Metrics are the senders' counters. All senders of a process share one.
type Metrics struct {
	requests    [128]prometheus.Counter // by push.Code, which fits in 7 bits
	inFlight    prometheus.Gauge
	connections prometheus.Gauge
	credential  prometheus.Gauge
	failing     prometheus.Gauge
	answer      prometheus.Histogram
	unknown     struct{ fcm, apns prometheus.Counter }
}

// outcomes are the codes that a send can end with.
func outcomes() []push.Code {
	return []push.Code{
		push.CodeSent,
		push.CodeFCMUnavailable, push.CodeFCMInternal, push.CodeFCMUnauthorized, push.CodeFCMForbidden,
		push.CodeFCMQuotaExceeded, push.CodeFCMDeviceQuota, push.CodeFCMTopicQuota, push.CodeFCMNoName,
		push.CodeNetRefused, push.CodeNetDNS, push.CodeNetTLS, push.CodeNetTimeout, push.CodeNetReset,
		push.CodeCredential, push.CodeUnclassified,
		push.CodeFCMUnregistered, push.CodeFCMInvalidArgument, push.CodeFCMInvalidUnspecified, push.CodeFCMSenderIDMismatch,
		push.CodeFCMThirdPartyAuth, push.CodeAPNsUnavailable, push.CodeAPNsBadDeviceToken, push.CodeAPNsTopic, push.CodeAPNsLiveActivity,
		push.CodePayloadInvalid, push.CodePayloadTooLarge,
	}
}

// NewMetrics registers the metrics with reg. It panics if reg has them already.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "belfry_fcm_requests_total",
		Help: "Send requests by outcome code.",
	}, []string{"code"})
	m := &Metrics{
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "belfry_fcm_in_flight_requests",
			Help: "Send requests that wait for a stream or for FCM's answer.",
		}),
		connections: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "belfry_fcm_connections",
			Help: "HTTP/2 connections to FCM that take requests.",
		}),
		credential: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "belfry_fcm_credential_ok",
			Help: "1 while there is an access token and FCM takes it, else 0.",
		}),
		failing: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "belfry_fcm_credentials_failing",
			Help: "Credentials, of all tenants, with which this process cannot send: no access token, or FCM refuses it. The log names each.",
		}),
		answer: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "belfry_fcm_answer_seconds",
			Help: "Time from a send to FCM's answer of any status, waiting for a stream included.",
			// Around FCM's usual 50-200 ms, up to the time-out.
			Buckets: []float64{.01, .025, .05, .075, .1, .15, .25, .5, 1, 2.5, 5, 10, 15},
		}),
	}
	unknown := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "belfry_fcm_unknown_reasons_total",
		Help: "Answers with an error code of FCM's (fcm) or a reason of Apple's (apns) that this version does not know: look for a newer one.",
	}, []string{"from"})
	m.unknown.fcm, m.unknown.apns = unknown.WithLabelValues("fcm"), unknown.WithLabelValues("apns")
	for _, code := range outcomes() {
		m.requests[code] = requests.WithLabelValues(code.String())
	}
	reg.MustRegister(requests, unknown, m.inFlight, m.connections, m.credential, m.failing, m.answer)
	return m
}

func (m *Metrics) count(code push.Code) {
	if c := m.requests[code&0x7f]; c != nil {
		c.Inc()
	}
}

func (m *Metrics) countUnknown(s unknownCodes) {
	if s.fcm {
		m.unknown.fcm.Inc()
	}
	if s.apns {
		m.unknown.apns.Inc()
	}
}

// connectionsOf returns a function that takes one sender's number of
// connections into the sum of all.
func (m *Metrics) connectionsOf() func(n int) {
	var before atomic.Int64
	return func(n int) { m.connections.Add(float64(int64(n) - before.Swap(int64(n)))) }
}
