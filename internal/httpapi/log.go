package httpapi

import (
	"encoding/hex"
	"net/http"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// end writes the request's log line and counts it. Only a failure inside says
// why: what is wrong with a request is its caller's business and may be secret.
func (a *api) end(x *exchange) {
	status := x.w.status
	if status == 0 {
		status = http.StatusOK // net/http's own choice for an answer without a word
	}
	took := a.now().Sub(x.began)
	a.metrics.observe(x.route, status, took)

	level := zapcore.InfoLevel
	switch {
	case x.err != nil:
		level = zapcore.ErrorLevel
	case x.route.quiet:
		level = zapcore.DebugLevel
	}
	entry := a.log.Check(level, "request")
	if entry == nil {
		return
	}
	fields := []zap.Field{
		zap.String("request_id", x.id),
		zap.String("trace_id", hex.EncodeToString(x.trace.TraceID[:])),
		zap.String("method", x.route.methodOf(x.r)),
		zap.String("route", x.route.path),
		zap.Int("status", status),
		zap.Duration("duration", took),
		zap.Int64("bytes", x.w.bytes),
		zap.String("tenant", x.tenant),
	}
	if x.cut {
		fields = append(fields, zap.Bool("cut", true))
	}
	if x.err != nil {
		fields = append(fields, zap.Error(x.err))
	}
	entry.Write(fields...)
}
