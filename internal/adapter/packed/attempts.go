package packed

import (
	"encoding/binary"
	"time"

	"github.com/belfry-push/belfry/internal/ledger"
)

// AppendAttempts appends the attempts of one checkpoint, for each
//
//	cell, attempt, code   unsigned varints
//	time                  milliseconds since 1970, signed varint, less the one before
//	latency               milliseconds, unsigned varint
//	detail                how many bytes it shares with the one before, unsigned varint; the rest as text
//
// Message names share their first half, so an attempt takes 30 to 50 bytes.
func AppendAttempts(dst []byte, attempts []ledger.Attempt) []byte {
	var at int64
	detail := ""
	for i := range attempts {
		a := &attempts[i]
		dst = AppendCount(AppendCount(dst, a.Cell), a.Attempt)
		dst = AppendCount(dst, int(a.Code))
		ms := a.At.UnixMilli()
		dst = binary.AppendVarint(dst, ms-at)
		dst = AppendCount(dst, a.Latency.Milliseconds())
		shared := sharedPrefix(detail, a.Detail)
		dst = AppendText(AppendCount(dst, shared), a.Detail[shared:])
		at, detail = ms, a.Detail
	}
	return dst
}

func sharedPrefix(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// Attempts appends what AppendAttempts wrote into b to dst. It reports false when
// b is damaged; dst then has what came before the damage.
func Attempts(dst []ledger.Attempt, b []byte) ([]ledger.Attempt, bool) {
	r := Reader{Left: b}
	var at int64
	detail := ""
	for len(r.Left) > 0 {
		a := ledger.Attempt{Cell: r.Count(), Attempt: r.Count(), Code: r.Code()}
		at += r.Signed()
		a.At = time.UnixMilli(at).UTC()
		a.Latency = time.Duration(r.Count()) * time.Millisecond
		shared := r.Count()
		more := r.Text()
		if r.Bad || shared > len(detail) {
			return dst, false
		}
		detail = detail[:shared] + more
		a.Detail = detail
		dst = append(dst, a)
	}
	return dst, true
}
