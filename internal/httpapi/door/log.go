package door

import (
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/belfry-push/belfry/internal/trace"
)

// slow is from when on a request is worth a line of its own: twenty times what accepting
// a notification takes at its worst (docs/slo.md), and before a caller's patience ends.
const slow = time.Second

// end writes the request's log line and counts it. A line at info is one that an operator
// has to know of: its answer was a failure of ours, or slow. The line gives the cause only of an
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

	level := zapcore.DebugLevel
	switch {
	case x.problem == CodeInternal:
		level = zapcore.ErrorLevel // nobody foresaw it
	case x.err != nil, status >= http.StatusInternalServerError && !x.route.Quiet, x.slow(took):
		level = zapcore.InfoLevel
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
		zap.Duration("took", took),
		zap.Int64("bytes", x.w.bytes),
		zap.String("tenant", x.Tenant),
	}
	if x.problem != "" {
		fields = append(fields, zap.String("code", string(x.problem)))
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

// slow reports whether the answer took too long. How long a stream takes, in either
// direction, is its other end's choice.
func (x *Exchange) slow(took time.Duration) bool {
	return took >= slow && !x.route.Events && !x.route.Quiet && !x.route.streams() &&
		!slices.ContainsFunc(x.route.Gives, func(g Given) bool { return slices.Contains(g.Types, TypeNDJSON) })
}
