package telemetry

import (
	"encoding/hex"
	"strings"
)

// Layout of a trace id of X-Ray: 1-, 8 HEXDIG of the time, -, 24 HEXDIG. Since 2023 the time
// may be any number, so that a W3C trace id is one
// (https://docs.aws.amazon.com/xray/latest/devguide/xray-api-sendingdata.html#xray-api-traceids).
const (
	xrayVersion  = "1-"
	xrayTimeSize = 8
	xrayRootSize = len(xrayVersion) + xrayTimeSize + 1 + 24
)

// XRay renders tp as AWS services carry it: as AWSTraceHeader beside a message of SQS
// (https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader).
func (tp TraceParent) XRay() string {
	id, sampled := hex.EncodeToString(tp.TraceID[:]), "0"
	if tp.Sampled() {
		sampled = "1"
	}
	return "Root=" + xrayVersion + id[:xrayTimeSize] + "-" + id[xrayTimeSize:] + ";Parent=" + hex.EncodeToString(tp.ParentID[:]) +
		";Sampled=" + sampled
}

// ParseXRay reads such a header; the error is always [ErrTraceParent]. A header without a
// parent, as it is where a trace begins, names no position in it.
func ParseXRay(s string) (TraceParent, error) {
	var tp TraceParent
	for field := range strings.SplitSeq(s, ";") {
		name, v, _ := strings.Cut(strings.TrimSpace(field), "=")
		ok := true
		switch name {
		case "Root":
			ok = len(v) == xrayRootSize && strings.HasPrefix(v, xrayVersion) && v[len(xrayVersion)+xrayTimeSize] == '-' &&
				decodeLowerHex(tp.TraceID[:], v[len(xrayVersion):][:xrayTimeSize]+v[len(xrayVersion)+xrayTimeSize+1:])
		case "Parent":
			ok = len(v) == 2*len(tp.ParentID) && decodeLowerHex(tp.ParentID[:], v)
		case "Sampled":
			if v == "1" {
				tp.Flags |= FlagSampled
			}
		}
		if !ok {
			return TraceParent{}, ErrTraceParent
		}
	}
	if !tp.Valid() {
		return TraceParent{}, ErrTraceParent
	}
	return tp, nil
}
