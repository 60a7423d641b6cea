package device

import (
	"context"
	"errors"
	"fmt"
	"io"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/request"
	"github.com/belfry-push/belfry/internal/wire"
)

// LineFault is what is wrong with one line of an import.
type LineFault struct {
	Line int64 // from 1
	push.Fault
}

// ImportResult is the result of an import's lines.
type ImportResult struct {
	Imported int64       // good, and durable now
	Invalid  int64       // refused
	Faults   []LineFault // of the first hundred refused lines
	Warned   int64       // imported without a locale or time zone that was not understood
	Warnings []LineFault // of the first hundred of those
}

const (
	importBatch     = 1000     // what PutDevices takes
	maxImportFaults = 100      // reported
	maxDeviceLine   = 64 << 10 // more than the limits of all fields together, escaped
)

// Import reads devices as NDJSON, one a line, each as for [Registry.Put], and
// makes them durable a thousand at a time; memory does not grow with the
// stream. Lines apply in their order: of two lines with one id, or one address, the later
// one wins. A line without an id is about the device at its address; if there is none, the
// id is derived from the address, so that importing a file again registers the same
// devices. Blank lines are skipped, and counted for line numbers.
//
// The result is valid with an error as well, which is a store's or the stream's; whole
// lines before it are durable.
func (r *Registry) Import(ctx context.Context, tenant string, body io.Reader) (ImportResult, error) {
	in := importing{Registry: r, tenant: tenant}
	err := in.read(ctx, wire.NewLineReader(body, maxDeviceLine))
	r.cfg.Log.Info("devices imported", zap.String("tenant", tenant), zap.Int64("imported", in.res.Imported),
		zap.Int64("invalid", in.res.Invalid), zap.Int64("warned", in.res.Warned), zap.Bool("complete", err == nil))
	return in.res, err
}

// importing is one running Import.
type importing struct {
	*Registry

	tenant string
	res    ImportResult
	line   int64
	batch  []push.Device
}

func (in *importing) read(ctx context.Context, lines *wire.LineReader) error {
	for {
		line, err := lines.Next()
		switch {
		case errors.Is(err, io.EOF):
			return in.flush(ctx)
		case errors.Is(err, wire.ErrLineTooLong):
			in.line++
			in.refuse(push.Faults{{Code: push.FaultTooLarge, Detail: fmt.Sprintf("must be at most %d bytes", maxDeviceLine)}})
			continue
		case err != nil:
			return errors.Join(err, in.flush(ctx))
		}
		in.line++
		if wire.Blank(line) {
			continue
		}
		if err := in.take(ctx, line); err != nil {
			return err
		}
	}
}

func (in *importing) take(ctx context.Context, line []byte) error {
	d, err := request.DecodeDevice(line)
	if err != nil {
		in.refuse(err)
		return nil
	}
	if faults := check(&d); len(faults) > 0 {
		in.refuse(faults)
		return nil
	}
	if warnings := d.Normalize(); len(warnings) > 0 {
		in.warn(warnings)
	}
	if in.batch = append(in.batch, in.stamp(in.tenant, push.SourceImport, d)); len(in.batch) < importBatch {
		return nil
	}
	if err := in.flush(ctx); err != nil {
		return err
	}
	return context.Cause(ctx)
}

// refuse reports a line's first fault and counts the others.
func (in *importing) refuse(err error) {
	in.res.Invalid++
	in.cfg.Metrics.refused.Inc()
	if len(in.res.Faults) >= maxImportFaults {
		return
	}
	f := push.Fault{Code: push.FaultSyntax, Detail: err.Error()}
	if faults, ok := errors.AsType[push.Faults](err); ok && len(faults) > 0 {
		if f = faults[0]; len(faults) > 1 {
			f.Detail = fmt.Sprintf("%s (and %d more)", f.Detail, len(faults)-1)
		}
	}
	in.res.Faults = append(in.res.Faults, LineFault{in.line, f})
}

// warn reports values of a line that were left out.
func (in *importing) warn(warnings push.Faults) {
	in.res.Warned++
	for _, f := range warnings[:min(len(warnings), maxImportFaults-len(in.res.Warnings))] {
		in.res.Warnings = append(in.res.Warnings, LineFault{in.line, f})
	}
}

// flush registers what has been read. It goes on even if the caller hangs up: otherwise the
// result would say less than what is durable.
func (in *importing) flush(ctx context.Context) error {
	if len(in.batch) == 0 {
		return nil
	}
	ctx = context.WithoutCancel(ctx)
	if err := in.identify(ctx); err != nil {
		return fmt.Errorf("look up the devices up to line %d: %w", in.line, err)
	}
	if err := in.cfg.Writer.PutDevices(ctx, in.batch); err != nil {
		return fmt.Errorf("register the devices up to line %d: %w", in.line, err)
	}
	in.res.Imported += int64(len(in.batch))
	in.cfg.Metrics.imported.Add(float64(len(in.batch)))
	in.batch = nil // the store may have kept it
	return nil
}

// identify gives ids to the devices of the batch that have none.
func (in *importing) identify(ctx context.Context) error {
	var unnamed []push.Address
	for i := range in.batch {
		if in.batch[i].ID == "" {
			unnamed = append(unnamed, in.batch[i].Address)
		}
	}
	if len(unnamed) == 0 {
		return nil
	}
	stored, err := in.cfg.Finder.DevicesByAddress(ctx, in.tenant, unnamed)
	if err != nil {
		return err
	}
	// The holder of each address, as lines of the batch change it.
	holder, held := make(map[push.Address]push.ID, len(in.batch)), make(map[push.ID]push.Address, len(in.batch))
	for a, d := range stored {
		holder[a], held[d.ID] = d.ID, a
	}
	for i := range in.batch {
		d := &in.batch[i]
		if d.ID == "" {
			if d.ID = holder[d.Address]; d.ID == "" {
				d.ID = push.SeenID(in.tenant, d.Address)
			}
		}
		if old := held[d.ID]; holder[old] == d.ID {
			delete(holder, old)
		}
		holder[d.Address], held[d.ID] = d.ID, d.Address
	}
	return nil
}
