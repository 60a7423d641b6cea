package telemetry

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// How often a line may come again within a window before it is only counted, and how many
// different ones are told apart: beyond that, which takes thousands of tenants in one
// window, lines of one message count as the same.
const (
	repeatsMost   = 10
	repeatsWindow = time.Minute
	repeatsKinds  = 4096
	repeatsPause  = time.Second // between two looks through all kinds for what is over
)

// The keys that tell lines of one message apart. They have few values; of ids, of which
// every line has another, nothing would ever be left out. What names one of many is not told
// of all of them. The sums of amounts are told.
//
//nolint:gochecknoglobals // constants
var (
	repeatsApart   = []string{"app", "check", "code", "credential", "last_code", "op", "queue", "reason", "route", "status", "tenant"}
	repeatsOneOf   = []string{"cell", "chunk", "epoch", "letter", "message_id", "notification", "replay", "trace_id"}
	repeatsAmounts = []string{"chunks", "events", "letters", "notifications", "recipients"}
)

// repeats is a core that lets a line that comes again and again pass ten times a minute,
// and tells at the end of the minute how many it left out, and the sums of what they
// counted. A fault of a store would otherwise be told for every notification. Lines at
// debug pass: whoever asks for those wants all of them.
type repeats struct {
	zapcore.Core

	told  zapcore.Core // for lines about many: what With named of one of them is not in it
	apart string       // from the fields of With
	kinds *kinds
}

// EachMinute is a field without a key, for a line that stands for many from the start: it is
// written at once, and what comes of its kind within a minute is told as a sum.
func EachMinute() zap.Field { return zap.Field{Type: zapcore.SkipType, Key: eachMinute} }

const eachMinute = "each minute"

// kinds is what the cores of one logger share.
type kinds struct {
	mu     sync.Mutex
	of     map[string]*kind
	forgot time.Time // when what is over was looked for last
}

// kind is what is known of one kind of line in the present window.
type kind struct {
	passed, left int
	sums         map[string]int64
	begun        time.Time
	ends         *time.Timer // nil unless lines were left out
	last         zapcore.Entry
	by           *repeats
	fields       []zap.Field // that tell it apart
}

func newRepeats(core zapcore.Core) *repeats {
	return &repeats{Core: core, told: core, kinds: &kinds{of: map[string]*kind{}}}
}

// With implements [zapcore.Core].
func (r *repeats) With(fields []zapcore.Field) zapcore.Core {
	apart, _ := distinguish(fields)
	return &repeats{Core: r.Core.With(fields), told: r.told.With(ofMany(fields)), apart: r.apart + apart, kinds: r.kinds}
}

// Check implements [zapcore.Core].
func (r *repeats) Check(e zapcore.Entry, to *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if r.Enabled(e.Level) {
		return to.AddCore(e, r)
	}
	return to
}

// Write implements [zapcore.Core].
func (r *repeats) Write(e zapcore.Entry, fields []zapcore.Field) error {
	if e.Level > zapcore.DebugLevel && !r.passes(e, fields) {
		return nil
	}
	return r.Core.Write(e, fields)
}

// Sync tells what was left out so far.
func (r *repeats) Sync() error {
	k := r.kinds
	k.mu.Lock()
	of := k.of
	k.of = map[string]*kind{}
	k.mu.Unlock()
	for _, one := range of {
		if one.ends != nil && one.ends.Stop() {
			one.tell()
		}
	}
	return r.Core.Sync()
}

func (r *repeats) passes(e zapcore.Entry, fields []zapcore.Field) bool {
	apart, own := distinguish(fields)
	name := e.Level.String() + "\x00" + e.LoggerName + "\x00" + e.Message
	k := r.kinds
	k.mu.Lock()
	defer k.mu.Unlock()
	full := name + "\x00" + r.apart + apart
	if len(k.of) >= repeatsKinds && k.of[full] == nil {
		if e.Time.Sub(k.forgot) >= repeatsPause {
			k.forgot = e.Time
			k.forget(e.Time)
		}
		if len(k.of) >= repeatsKinds {
			full, own = name, nil
		}
	}
	one := k.of[full]
	if one == nil || one.ends == nil && e.Time.Sub(one.begun) >= repeatsWindow {
		one = &kind{begun: e.Time, by: r, fields: own}
		k.of[full] = one
	}
	most := repeatsMost
	if slices.ContainsFunc(fields, func(f zap.Field) bool { return f.Type == zapcore.SkipType && f.Key == eachMinute }) {
		most = 1
	}
	if one.passed < most {
		one.passed++
		return true
	}
	one.leave(e, fields)
	if one.ends == nil {
		one.ends = time.AfterFunc(max(0, repeatsWindow-e.Time.Sub(one.begun)), func() { k.over(full, one) })
	}
	return false
}

// forget drops the windows that are over; it wants the lock.
func (k *kinds) forget(now time.Time) {
	for name, one := range k.of {
		if one.ends == nil && now.Sub(one.begun) >= repeatsWindow {
			delete(k.of, name)
		}
	}
}

// over ends a window in which lines were left out.
func (k *kinds) over(name string, one *kind) {
	k.mu.Lock()
	if k.of[name] == one {
		delete(k.of, name)
	}
	k.mu.Unlock()
	one.tell()
}

func (o *kind) leave(e zapcore.Entry, fields []zapcore.Field) {
	o.left++
	o.last = e
	for _, f := range fields {
		if slices.Contains(repeatsAmounts, f.Key) && f.Type == zapcore.Int64Type {
			if o.sums == nil {
				o.sums = map[string]int64{}
			}
			o.sums[f.Key] += f.Integer
		}
	}
}

// tell runs after the window, when nobody changes it any more.
func (o *kind) tell() {
	e := o.last
	e.Message = "lines left out: the same came again and again"
	fields := append([]zap.Field{zap.String("line", o.last.Message), zap.Int("lines", o.left)}, o.fields...)
	for _, amount := range repeatsAmounts {
		if n, ok := o.sums[amount]; ok {
			fields = append(fields, zap.Int64(amount, n))
		}
	}
	_ = o.by.told.Write(e, fields) // as for any line: there is nowhere to say that it failed
}

// distinguish returns what of the fields tells a line apart, and those fields.
func distinguish(fields []zapcore.Field) (apart string, own []zap.Field) {
	var b strings.Builder
	for _, f := range fields {
		inline := f.Type == zapcore.InlineMarshalerType
		if !inline && !slices.Contains(repeatsApart, f.Key) {
			continue
		}
		enc := zapcore.NewMapObjectEncoder()
		f.AddTo(enc)
		if !inline {
			own = append(own, f)
			fmt.Fprintf(&b, "%s=%v\x00", f.Key, enc.Fields[f.Key])
			continue
		}
		for _, key := range repeatsApart { // in the order of the list
			if text, ok := enc.Fields[key].(string); ok {
				own = append(own, zap.Field{Key: key, Type: zapcore.StringType, String: text})
				fmt.Fprintf(&b, "%s=%s\x00", key, text)
			}
		}
	}
	return b.String(), own
}

// ofMany returns the fields that may stand in a line about many.
func ofMany(fields []zap.Field) []zap.Field {
	out := make([]zap.Field, 0, len(fields))
	for _, f := range fields {
		if f.Type == zapcore.InlineMarshalerType {
			_, own := distinguish([]zap.Field{f})
			out = append(out, own...)
		} else if !slices.Contains(repeatsOneOf, f.Key) {
			out = append(out, f)
		}
	}
	return out
}
