package letters

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/request"
	"github.com/belfry-push/belfry/internal/wire"
)

// Export writes the letters that match the filter, in any state, as an archive: NDJSON
// compressed with zstd. It returns how many there are. Memory does not depend on their
// number. An archive holds addresses and messages.
func (r *Room) Export(ctx context.Context, f push.LetterFilter, w io.Writer) (int64, error) {
	return r.export(ctx, f, w, true)
}

// ExportPlain writes the same archive without compression.
func (r *Room) ExportPlain(ctx context.Context, f push.LetterFilter, w io.Writer) (int64, error) {
	return r.export(ctx, f, w, false)
}

func (r *Room) export(ctx context.Context, f push.LetterFilter, w io.Writer, compress bool) (int64, error) {
	f.OldestFirst = true
	// Before the first byte, so that the error of a store that is away can be returned.
	page, cursor, err := r.cfg.Letters.Letters(ctx, f, "", pageSize)
	if err != nil {
		return 0, fmt.Errorf("export: %w", err)
	}
	a, err := newArchiveWriter(w, header{At: r.now(), Filter: f}, compress)
	if err != nil {
		return 0, fmt.Errorf("export: %w", err)
	}
	for {
		for i := range page {
			if err := a.add(&page[i]); err != nil {
				return a.n, fmt.Errorf("export: %w", errors.Join(err, a.to.Close()))
			}
		}
		if cursor == "" {
			break
		}
		if page, cursor, err = r.cfg.Letters.Letters(ctx, f, cursor, pageSize); err != nil {
			return a.n, fmt.Errorf("export: %w", errors.Join(err, a.to.Close()))
		}
	}
	if err := a.close(); err != nil {
		return a.n, fmt.Errorf("export: %w", err)
	}
	return a.n, nil
}

// Imported is what an import did.
type Imported struct {
	Letters int64 // in the archive
	Stored  int64 // of those, new to the store
	Invalid []LineFault
}

// LineFault is one line of an archive that was skipped.
type LineFault struct {
	Line int64 // from 1
	Why  string
}

// maxLineFaults bounds the report of a broken archive: with more faults it is refused.
const maxLineFaults = 100

// Import stores the letters of an archive that are not in the store yet, under their own
// ids, so that importing twice changes nothing. Letters that were discarded here since come
// back as new letters. Letters that a replay had in hand are parked again: before one is
// sent, the ledger shows whether it was sent already. Lines without a valid letter are
// reported and skipped. An archive that is cut short is an error, after its letters were
// stored.
func (r *Room) Import(ctx context.Context, in io.Reader) (Imported, error) {
	var done Imported
	plain, free, err := plainReader(in)
	if err != nil {
		return done, fmt.Errorf("import: %w", err)
	}
	defer free()
	i := importer{Room: r, done: &done, lines: wire.NewLineReader(plain, maxArchiveLine)}
	if err := i.run(ctx); err != nil {
		return done, fmt.Errorf("import: line %d: %w", i.line, err)
	}
	if _, err := r.Mend(ctx); err != nil { // an archive may be of an older version
		return done, fmt.Errorf("import: %w", err)
	}
	return done, nil
}

// importer reads one archive.
type importer struct {
	*Room

	done    *Imported
	lines   *wire.LineReader
	line    int64
	waiting []push.Letter
}

func (i *importer) run(ctx context.Context) error {
	first, err := i.next()
	if errors.Is(err, io.EOF) || errors.Is(err, wire.ErrLineTooLong) {
		return ErrArchive
	}
	if err != nil {
		return err
	}
	if err := readHeader(first); err != nil {
		return err
	}
	for {
		line, err := i.next()
		switch {
		case errors.Is(err, wire.ErrLineTooLong):
			if err := i.fault(err.Error()); err != nil {
				return err
			}
			continue
		case err != nil:
			if errors.Is(err, io.EOF) {
				err = fmt.Errorf("%w: it is cut short, it has no end", ErrArchive)
			}
			return errors.Join(err, i.flush(ctx))
		}
		var end footer
		if bytes.Contains(line, []byte(`"`+footerType+`"`)) && request.DecodeKnown(line, &end) == nil && end.Type == footerType {
			return i.finish(ctx, end.Letters)
		}
		if err := i.take(ctx, line); err != nil {
			return err
		}
	}
}

// next returns the next line that is not blank.
func (i *importer) next() ([]byte, error) {
	for {
		line, err := i.lines.Next()
		if err == nil || errors.Is(err, wire.ErrLineTooLong) {
			i.line++
		}
		if err != nil {
			return nil, err
		}
		if !wire.Blank(line) {
			return line, nil
		}
	}
}

func (i *importer) fault(why string) error {
	i.done.Invalid = append(i.done.Invalid, LineFault{Line: i.line, Why: why})
	if len(i.done.Invalid) >= maxLineFaults {
		return fmt.Errorf("%w: %d lines hold no valid letter", ErrArchive, maxLineFaults)
	}
	return nil
}

func (i *importer) take(ctx context.Context, line []byte) error {
	l, err := request.DecodeLetter(line)
	if err == nil {
		err = checkLetter(&l)
	}
	if err != nil {
		return i.fault(err.Error())
	}
	if l.State == push.LetterReplaying {
		l.State, l.Reason = push.LetterParked, "imported"
	}
	classify(&l) // a group's letters agree in what this version makes of them
	i.done.Letters++
	i.waiting = append(i.waiting, l)
	if len(i.waiting) < maxPut/2 {
		return nil
	}
	return i.flush(ctx)
}

func (i *importer) flush(ctx context.Context) error {
	if len(i.waiting) == 0 {
		return nil
	}
	letters := i.waiting
	i.waiting = i.waiting[:0]
	n, err := i.cfg.Letters.PutLetters(ctx, letters)
	i.done.Stored += int64(n)
	if err != nil || n == len(letters) {
		return err
	}
	n, err = i.restore(ctx, letters)
	i.done.Stored += int64(n)
	return err
}

func (i *importer) finish(ctx context.Context, wrote int64) error {
	if err := i.flush(ctx); err != nil {
		return err
	}
	if have := i.done.Letters + int64(len(i.done.Invalid)); have != wrote {
		return fmt.Errorf("%w: it has %d letters and was written with %d", ErrArchive, have, wrote)
	}
	return nil
}

// checkLetter refuses a letter that no export writes. Its error never repeats an address.
func checkLetter(l *push.Letter) error {
	if _, err := push.ParseID(string(l.ID), push.PrefixDeadLetter); err != nil {
		return err
	}
	known := false
	for _, s := range push.LetterStates() {
		known = known || s == l.State
	}
	switch {
	case !known:
		return errors.New("state: not a letter's")
	case l.Kind != push.LetterRecipient && l.Kind != push.LetterMessage:
		return errors.New("kind: must be recipient or message")
	case (l.Kind == push.LetterMessage) != (l.Cell < 0) || l.Cell >= push.MaxChunkRecipients:
		return errors.New("cell: must be 0..499, and -1 for a message")
	case l.Version < 1 || l.Seq < 0 || l.Queue == "" || l.DeadAt.IsZero() || l.StoredAt.IsZero():
		return errors.New("version, seq, queue, dead_at and stored_at: must be there and make sense")
	case l.Code == push.CodeOpen:
		return errors.New("code: must be there")
	}
	if l.Kind == push.LetterRecipient {
		if _, err := push.ParseID(string(l.Notification), push.PrefixNotification, push.PrefixBatch); err != nil {
			return fmt.Errorf("notification: %w", err)
		}
	}
	return nil
}
