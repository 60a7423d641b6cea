package deliver

import (
	"slices"
	"strings"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

// attempted keeps the evidence of a request.
func (j *job) attempted(row int, r result) {
	detail := r.detail
	if r.code == push.CodeSent {
		// The rest of the name is the project, the same for all.
		detail = detail[strings.LastIndexByte(detail, '/')+1:]
	}
	a := ledger.Attempt{Cell: j.chunk.Index[row], Code: r.code, At: r.at, Detail: detail}
	if !r.unasked {
		a.Attempt, a.Latency = j.chunk.AttemptOf(row), r.took
	}
	j.lease.Note(a)
}

// noteOf returns what a result says about the device: every failure of its own, and a
// success if the one in the registry is old, or if it has none.
func noteOf(rcp *push.Recipient, r result) (push.DeviceNote, bool) {
	if !rcp.Address.Kind.IsDevice() {
		return push.DeviceNote{}, false
	}
	note := push.DeviceNote{Address: rcp.Address, Code: r.code, At: r.at, SentAt: r.sentAt, Record: rcp.Unknown}
	switch r.code.Blame() {
	case push.BlameDevice:
		note.Quarantine = true
		return note, true
	case push.BlameToken, push.BlameUnclear, push.BlamePlatform, push.BlameProject:
		return note, true
	case push.BlameMessage, push.BlameNobody:
	}
	return note, r.code == push.CodeSent && (rcp.Renew || rcp.Unknown)
}

// doubts reports whether a refusal blames the address only if the message was good for
// others. A recipient's own message was sent to nobody else: then FCM must have named
// the address.
func doubts(rcp *push.Recipient, code push.Code) bool {
	return code.Blame() == push.BlameToken || code.Blame() == push.BlameUnclear && !rcp.HasOverrides()
}

// resolveDoubts quarantines the addresses that FCM called invalid, if FCM accepted the
// same message for others: for any in this process, or for any of this chunk by the
// ledger. Google's guide names both
// (https://firebase.google.com/docs/cloud-messaging/manage-tokens#detect-invalid-token-responses-from-the-fcm-backend).
func (j *job) resolveDoubts() {
	good := j.head.accepted.Load() || slices.ContainsFunc(j.lease.Line.Cells, func(c ledger.Cell) bool { return c.Code() == push.CodeSent })
	for _, i := range j.doubted {
		j.notes[i].Quarantine = good
	}
}
