package deliver

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/push"
)

// panicked is the result of a try that panicked, in rendering the message or in
// the sender. It is the recipient's own failure: the process, with everybody
// else's chunks in it, goes on. The code is unclassified, so it is tried again
// a few times as any unknown answer is, flagged, and then dead-lettered with
// this as evidence; FCM's health is not judged by it.
func (d *Deliver) panicked(j *job, row int, p any, begun time.Time) result {
	d.Log.Error("sending to a recipient panicked", zap.Stringer("chunk", j.chunk.Ref), zap.Int("cell", j.chunk.Index[row]),
		zap.String("panic", panicText(p)), zap.ByteString("stack", debug.Stack()))
	return result{row: row, code: push.CodeUnclassified, detail: panicText(p), sentAt: begun, at: d.Now()}
}

// panicText says what a panic was about. Only the runtime's own words are
// repeated: others may hold a token or a message.
func panicText(p any) string {
	const most = 300
	if err, ok := p.(error); ok {
		if re, ok := errors.AsType[runtime.Error](err); ok {
			s := "panic: " + re.Error()
			return s[:min(len(s), most)]
		}
	}
	return fmt.Sprintf("panic with a %T", p)
}
