package config

import (
	"fmt"
	"reflect"
	"strconv"
	"time"

	"github.com/alecthomas/kong"
)

// reader decodes one kind of value; a text that it cannot read is a fault to
// report with the others, and the target keeps its zero value.
type reader struct {
	sink    *Faults
	allowed string
	read    func(text string, target reflect.Value) error
}

func (r reader) Decode(ctx *kong.DecodeContext, target reflect.Value) error {
	token, err := ctx.Scan.PopValue(r.allowed)
	if err != nil {
		return err
	}
	text := fmt.Sprint(token.Value)
	if err := r.read(text, target); err == nil {
		return nil
	}
	f := Fault{Flag: ctx.Value.ShortSummary(), Value: text, Detail: "must be " + r.allowed}
	if flag := ctx.Value.Flag; flag != nil {
		f.Flag = "--" + flag.Name
		if len(flag.Envs) > 0 {
			f.Env = flag.Envs[0]
		}
	}
	if !r.sink.has(f.Flag) {
		*r.sink = append(*r.sink, f)
	}
	return nil
}

// switchReader is a reader of booleans, whose flag may stand alone.
type switchReader struct{ reader }

func (r switchReader) IsBool() bool { return true }

func (r switchReader) Decode(ctx *kong.DecodeContext, target reflect.Value) error {
	if ctx.Scan.Peek().Type == kong.FlagValueToken {
		return r.reader.Decode(ctx, target)
	}
	target.SetBool(true)
	return nil
}

// readers replaces kong's decoders of everything that is not a text.
func readers(sink *Faults) []kong.Option {
	whole := reader{sink, "a whole number", func(s string, v reflect.Value) error {
		n, err := strconv.ParseInt(s, 10, v.Type().Bits())
		v.SetInt(n)
		return err
	}}
	decimal := reader{sink, "a number", func(s string, v reflect.Value) error {
		n, err := strconv.ParseFloat(s, v.Type().Bits())
		v.SetFloat(n)
		return err
	}}
	duration := reader{sink, "a duration such as 15s or 1m30s", func(s string, v reflect.Value) error {
		d, err := time.ParseDuration(s)
		v.SetInt(int64(d))
		return err
	}}
	boolean := switchReader{reader{sink, "true or false", func(s string, v reflect.Value) error {
		b, err := strconv.ParseBool(s)
		v.SetBool(b)
		return err
	}}}
	return []kong.Option{
		kong.KindMapper(reflect.Int, whole),
		kong.KindMapper(reflect.Int64, whole),
		kong.KindMapper(reflect.Float64, decimal),
		kong.TypeMapper(reflect.TypeFor[time.Duration](), duration),
		kong.KindMapper(reflect.Bool, boolean),
	}
}
