package door

import (
	"encoding/hex"
	"net/http"
	"strconv"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/belfry-push/belfry/internal/trace"
)

// end writes the request's log line and counts it. The line gives the cause only of an
// internal failure: the faults of a request concern its caller, and may be secret.
func (d *Door) end(x *Exchange) {
	status := x.w.status
	if status == 0 {
		status = http.StatusOK // net/http's own choice for an answer without a word
	}
	x.auditRefused(status, "")
	took := d.now().Sub(x.began)
	d.metrics.observe(x.route, status, took)
	x.endSpan(status)

	level := zapcore.InfoLevel
	switch {
	case x.err != nil:
		level = zapcore.ErrorLevel
	case x.route.Quiet:
		level = zapcore.DebugLevel
	}
	entry := d.cfg.Log.Check(level, "request")
	if entry == nil {
		return
	}
	fields := []zap.Field{
		zap.String("request_id", x.id),
		zap.String("trace_id", hex.EncodeToString(x.Trace.TraceID[:])),
		zap.String("method", x.route.methodOf(x.Request)),
		zap.String("route", x.route.Path),
		zap.Int("status", status),
		zap.Duration("duration", took),
		zap.Int64("bytes", x.w.bytes),
		zap.String("tenant", x.Tenant),
	}
	if x.cut {
		fields = append(fields, zap.Bool("cut", true))
	}
	if x.err != nil {
		fields = append(fields, zap.Error(x.err))
	}
	entry.Write(fields...)
}

// endSpan ends the request's span. A fault of the caller's is none of the server's.
func (x *Exchange) endSpan(status int) {
	if status >= http.StatusInternalServerError || x.err != nil {
		x.span.Fail(strconv.Itoa(status))
	}
	if x.span.Kept() {
		x.span.Set(trace.Text(trace.KeyMethod, x.route.methodOf(x.Request)), trace.Text(trace.KeyRoute, x.route.Path),
			trace.Number(trace.KeyStatus, int64(status)), trace.Text(trace.KeyTenant, x.Tenant))
	}
	x.span.End()
}
