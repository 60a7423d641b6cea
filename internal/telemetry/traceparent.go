package telemetry

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"strings"

	"go.uber.org/zap"
)

// TraceParentHeader is the name of the HTTP header, and of the CloudEvents
// extension attribute, that carries a [TraceParent] (W3C Trace Context §3.2;
// CloudEvents Distributed Tracing extension).
const TraceParentHeader = "traceparent"

// ErrTraceParent is returned for text that is not a usable traceparent. The
// specification wants such a header ignored and a new trace begun (§3.2.2.3
// and §3.2.2.4), so callers answer it with [NewTraceParent].
var ErrTraceParent = errors.New("not a W3C traceparent")

// TraceFlags are the trace-flags of W3C Trace Context §3.2.2.5.
type TraceFlags byte

// The flags that are defined; the others are reserved and sent as zero.
const (
	FlagSampled TraceFlags = 1 << 0 // the caller may have recorded trace data
	FlagRandom  TraceFlags = 1 << 1 // the right-most 7 bytes of the trace id are random (Level 2)

	definedFlags = FlagSampled | FlagRandom
)

// Layout of version 00 (§3.2.2.2): 2 HEXDIG version, 32 trace id, 16 parent
// id, 2 flags, with a dash between each two.
const (
	traceIDAt       = 3
	parentIDAt      = traceIDAt + 32 + 1
	flagsAt         = parentIDAt + 16 + 1
	traceParentSize = flagsAt + 2
)

// TraceParent is one position in a distributed trace: which trace, and which
// span in it is the parent of what comes next. The zero value is no position
// and not [TraceParent.Valid].
type TraceParent struct {
	TraceID  [16]byte
	ParentID [8]byte
	Flags    TraceFlags
}

// NewTraceParent begins a trace with random ids.
func NewTraceParent(sampled bool) TraceParent {
	tp := TraceParent{Flags: FlagRandom}
	if sampled {
		tp.Flags |= FlagSampled
	}
	fillNonZero(tp.TraceID[:], readRandom)
	fillNonZero(tp.ParentID[:], readRandom)
	return tp
}

// Child returns the position of a new span below tp: the same trace and flags
// with a parent id of its own. The child of an invalid position begins a new,
// unsampled trace.
func (tp TraceParent) Child() TraceParent {
	if !tp.Valid() {
		return NewTraceParent(false)
	}
	fillNonZero(tp.ParentID[:], readRandom)
	return tp
}

// Valid reports whether both ids are set; all zeros are forbidden (§3.2.2.3
// and §3.2.2.4).
func (tp TraceParent) Valid() bool {
	return tp.TraceID != [16]byte{} && tp.ParentID != [8]byte{}
}

// TraceID is the key trace_id of a line of the log about what carries a traceparent, and no
// key if it carries none.
func TraceID(traceParent string) zap.Field {
	tp, err := ParseTraceParent(traceParent)
	if err != nil {
		return zap.Skip()
	}
	return zap.String("trace_id", hex.EncodeToString(tp.TraceID[:]))
}

// Sampled reports whether the caller may have recorded trace data.
func (tp TraceParent) Sampled() bool {
	return tp.Flags&FlagSampled != 0
}

// String renders tp as a traceparent of version 00, 55 bytes long.
func (tp TraceParent) String() string {
	b := make([]byte, 0, traceParentSize)
	b = append(b, "00-"...)
	b = hex.AppendEncode(b, tp.TraceID[:])
	b = append(b, '-')
	b = hex.AppendEncode(b, tp.ParentID[:])
	b = append(b, '-')
	b = hex.AppendEncode(b, []byte{byte(tp.Flags & definedFlags)})
	return string(b)
}

// ParseTraceParent reads a traceparent. It is as strict as §3.2.2 asks for
// version 00, and reads the known part of a version that is newer (§3.2.4);
// reserved flags are dropped. The error is always [ErrTraceParent].
func ParseTraceParent(s string) (TraceParent, error) {
	var (
		tp             TraceParent
		version, flags [1]byte
	)
	if len(s) < traceParentSize ||
		s[traceIDAt-1] != '-' || s[parentIDAt-1] != '-' || s[flagsAt-1] != '-' ||
		!decodeLowerHex(version[:], s[:traceIDAt-1]) ||
		!decodeLowerHex(tp.TraceID[:], s[traceIDAt:parentIDAt-1]) ||
		!decodeLowerHex(tp.ParentID[:], s[parentIDAt:flagsAt-1]) ||
		!decodeLowerHex(flags[:], s[flagsAt:traceParentSize]) {
		return TraceParent{}, ErrTraceParent
	}
	switch rest := s[traceParentSize:]; {
	case version[0] == 0xff: // forbidden (§3.2.2.1)
		return TraceParent{}, ErrTraceParent
	case version[0] == 0 && rest != "": // 00 is exactly as long as this
		return TraceParent{}, ErrTraceParent
	case rest != "" && rest[0] != '-': // a newer version may only add fields
		return TraceParent{}, ErrTraceParent
	}
	if !tp.Valid() {
		return TraceParent{}, ErrTraceParent
	}
	tp.Flags = TraceFlags(flags[0]) & definedFlags
	return tp, nil
}

// decodeLowerHex fills dst from src, which is twice as long. encoding/hex
// would accept capitals, which §3.2.2 does not (HEXDIGLC).
func decodeLowerHex(dst []byte, src string) bool {
	if strings.ContainsAny(src, "ABCDEF") {
		return false
	}
	_, err := hex.Decode(dst, []byte(src))
	return err == nil
}

// readRandom fills b from crypto/rand, which never fails since Go 1.24. It is
// not injected: no decision of the program hangs on the value of an id.
func readRandom(b []byte) {
	_, _ = rand.Read(b)
}

// fillNonZero fills id with random bytes that are not all zero.
func fillNonZero(id []byte, read func([]byte)) {
	for {
		read(id)
		for _, b := range id {
			if b != 0 {
				return
			}
		}
	}
}
