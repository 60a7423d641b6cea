// Package views has what several resources of the HTTP API show, or ask for, alike.
package views

import (
	"time"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/status"
)

// Attempt shows what one request to FCM came to.
func Attempt(t *ledger.Attempt) client.Attempt {
	return client.Attempt{
		Attempt: t.Attempt, At: t.At, Code: client.Code(t.Code.String()), LatencyMS: float64(t.Latency) / float64(time.Millisecond),
		Detail: t.Detail,
	}
}

// Hash is the hash's 8 bytes in hex, "" where there was no address.
func Hash(h uint64) string {
	if h == 0 {
		return ""
	}
	const digits = "0123456789abcdef"
	var b [16]byte
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = digits[h&0xf]
		h >>= 4
	}
	return string(b[:])
}

// Time is nil for a time that is not set.
func Time(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// ClassFailed chooses every delivery that has an outcome other than sent. It is no class of
// its own.
const ClassFailed = "failed"

// OutcomeParams are the query parameters by which deliveries are chosen: the class
// and the code of their outcome.
func OutcomeParams() []door.Param {
	classes, codes := names(push.OutcomeCodes())
	return []door.Param{
		{
			Name: "class", About: "Only deliveries of this class; failed: all that have ended and were not sent, whatever their class.",
			Kind: door.ParamChoice, Choices: append([]string{push.ClassOpen.String()}, append(classes, ClassFailed)...),
		},
		{
			Name: "code", About: "Only deliveries with this outcome code.", Kind: door.ParamChoice,
			Choices: append([]string{push.CodeOpen.String()}, codes...),
		},
	}
}

// LetterParams are the query parameters by which dead letters are chosen: the class
// and the code of the death or of the last attempt.
func LetterParams() []door.Param {
	classes, codes := names(push.LetterCodes())
	return []door.Param{
		{
			Name: "class", About: "Only letters whose code, or last attempt's code, is of this class.", Kind: door.ParamChoice, Choices: classes,
		},
		{
			Name: "code", About: "Only letters that are dead for this reason, or whose last attempt came to it.", Kind: door.ParamChoice,
			Choices: codes,
		},
	}
}

// names returns the names of the codes and of their classes.
func names(all []push.Facts) (classes, codes []string) {
	for _, f := range all {
		codes = append(codes, f.Name)
	}
	for _, c := range push.ClassesOf(all) {
		classes = append(classes, c.String())
	}
	return classes, codes
}

// Moment is nil for a time that is not set, or that nobody can mean.
func Moment(t time.Time) *time.Time {
	if t.Unix() <= 0 {
		return nil
	}
	return &t
}

// Override shows what an operator has decided of a credential's breaker; nil: nothing.
func Override(o *status.Override) *client.BreakerOverride {
	if o == nil {
		return nil
	}
	return &client.BreakerOverride{State: o.State, By: o.By, Reason: o.Reason, Since: o.Since, Until: Moment(o.Until)}
}
