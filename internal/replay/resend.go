package replay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/replay/predict"
	"github.com/belfry-push/belfry/internal/trace"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/internal/worker"
)

// claim is a letter that this run has claimed, and the result of its examination.
type claim struct {
	push.Letter
	predict.Verdict
}

// replay examines up to maxPage letters and sends up to budget of them; the others are
// counted. It returns how many were sent.
func (e *engine) replay(ctx context.Context, letters []push.Letter, budget int64) (int, error) {
	verdicts, err := e.cfg.Predict.Examine(ctx, letters, &e.run.Edits)
	if err != nil {
		return 0, err
	}
	type cell struct {
		ref  push.ChunkRef
		cell int
	}
	taken := map[cell]bool{}
	var claims []claim
	for i := range letters {
		l, v := &letters[i], verdicts[i]
		at := cell{l.Ref(), l.Cell}
		switch {
		case !v.Prediction.Sends():
			e.skip(v.Prediction)
			continue
		case int64(len(claims)) >= budget:
			continue
		case l.Kind == push.LetterRecipient && taken[at]:
			e.skip(predict.InDelivery) // an older letter of the same recipient is in this very page
			continue
		}
		taken[at] = true
		claims = append(claims, claim{*l, v})
	}
	claims, err = e.claim(ctx, claims)
	if err != nil {
		return 0, err
	}
	return e.resend(ctx, claims)
}

func (e *engine) skip(p predict.Prediction) {
	e.live.Skipped[p]++
	e.cfg.Metrics.examined.WithLabelValues(string(p)).Inc()
}

// claim claims letters for this run and returns those that it got.
func (e *engine) claim(ctx context.Context, claims []claim) ([]claim, error) {
	if len(claims) == 0 {
		return nil, nil
	}
	moves := make([]push.LetterMove, len(claims))
	for i := range claims {
		moves[i] = push.LetterMove{ID: claims[i].ID, Version: claims[i].Version, State: push.LetterReplaying, Replay: e.run.ID, At: e.now()}
	}
	moved, err := e.cfg.Letters.MoveLetters(ctx, moves)
	if err != nil {
		return nil, fmt.Errorf("claim %d letters: %w", len(claims), err)
	}
	var got []claim
	for i, ok := range moved {
		if !ok {
			e.skip(predict.Taken)
			continue
		}
		claims[i].Version++
		got = append(got, claims[i])
	}
	return got, nil
}

// resend sends claimed letters again, marks them, and returns how many.
func (e *engine) resend(ctx context.Context, claims []claim) (int, error) {
	chunks, messages := byChunk(claims)
	results, err := e.reopen(ctx, chunks)
	if err != nil {
		return 0, err
	}
	var done, lost []claim
	var out []worker.Outgoing
	for _, r := range results {
		if r.foreign {
			if err := e.recoverChunk(ctx, r.next.Ref); err != nil {
				return 0, err
			}
			continue
		}
		lost = append(lost, r.lost...)
		if len(r.letters) == 0 {
			continue
		}
		msg, err := e.chunkMessage(r.next, r.letters)
		if err != nil {
			return 0, err
		}
		out, done = append(out, msg), append(done, r.letters...)
	}
	if err := e.release(ctx, lost, predict.InDelivery); err != nil {
		return 0, err
	}
	if err := worker.SendAll(ctx, e.cfg.Sources[e.run.Edits.Queue()], out); err != nil {
		return 0, fmt.Errorf("send %d chunks: %w", len(out), err)
	}
	returned, err := e.giveBack(ctx, messages)
	if err != nil {
		return 0, err
	}
	return e.mark(ctx, append(done, returned...))
}

// reopening is the result of reopening one chunk's line.
type reopening struct {
	letters []claim     // reopened, in the order of their cells
	next    ledger.Line // as it is now
	lost    []claim     // not reopened: somebody else changed the line
	foreign bool        // some were reopened by another executor of this run
}

// byChunk divides claims into chunks and whole messages.
func byChunk(claims []claim) (chunks [][]claim, messages []claim) {
	at := map[push.ChunkRef]int{}
	for _, c := range claims {
		if c.Kind == push.LetterMessage {
			messages = append(messages, c)
			continue
		}
		i, ok := at[c.Ref()]
		if !ok {
			i = len(chunks)
			at[c.Ref()] = i
			chunks = append(chunks, nil)
		}
		chunks[i] = append(chunks[i], c)
	}
	for _, c := range chunks {
		slices.SortFunc(c, func(a, b claim) int { return cmp.Compare(a.Cell, b.Cell) })
	}
	return chunks, messages
}

// reopen opens the cells of each chunk, several chunks at a time.
func (e *engine) reopen(ctx context.Context, chunks [][]claim) ([]reopening, error) {
	results := make([]reopening, len(chunks))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(e.cfg.Concurrency)
	for i, letters := range chunks {
		g.Go(func() (err error) {
			results[i], err = e.reopenLine(ctx, letters)
			return err
		})
	}
	return results, g.Wait()
}

func (e *engine) reopenLine(ctx context.Context, letters []claim) (reopening, error) {
	line := letters[0].Line
	cells := make([]int, len(letters))
	for i := range letters {
		cells[i] = letters[i].Cell
	}
	next, marks, err := line.Reopen(cells, e.run.ID, e.now())
	if err != nil {
		return reopening{}, fmt.Errorf("reopen %s: %w", line.Ref, err)
	}
	err = e.cfg.Lines.ReopenLine(ctx, next, line.Epoch, marks)
	if err == nil {
		return reopening{letters: letters, next: next}, nil
	}
	if !errors.Is(err, ledger.ErrFenced) {
		return reopening{}, err
	}
	// Another run or, after this one was taken over, another executor of it.
	evidence, err := e.cfg.Lines.Attempts(ctx, line.Ref)
	if err != nil {
		return reopening{}, fmt.Errorf("read the evidence of %s: %w", line.Ref, err)
	}
	mine := ledger.ReopenedBy(evidence, e.run.ID)
	foreign := slices.ContainsFunc(letters, func(c claim) bool { return mine[c.Cell] })
	return reopening{next: next, lost: letters, foreign: foreign}, nil
}

// chunkMessage returns the message that carries the open cells of a line.
func (e *engine) chunkMessage(line ledger.Line, letters []claim) (worker.Outgoing, error) {
	c := e.chunkOf(&line, letters, e.now())
	body, err := wire.EncodeChunk(&c, e.traceOf(&line, letters))
	if err != nil {
		return worker.Outgoing{}, fmt.Errorf("encode %s: %w", line.Ref, err)
	}
	return worker.Outgoing{Body: body, Group: line.Tenant}, nil
}

// traceOf returns the traceparent of a chunk that is sent again: a trace of its own, with
// links to those in which its recipients were given up. Whoever sees it sees why.
func (e *engine) traceOf(line *ledger.Line, letters []claim) string {
	if e.cfg.Tracer == nil {
		return letters[0].TraceParent
	}
	var origins []string
	for i := range letters {
		if t := letters[i].TraceParent; len(origins) < mostOrigins && !slices.Contains(origins, t) {
			origins = append(origins, t)
		}
	}
	queue := e.run.Edits.Queue()
	s := e.cfg.Tracer.Begin(trace.Producer, trace.OpCreate+" "+queue,
		trace.OfReplay(string(e.run.ID), string(line.Ref.Notification), line.Ref.Seq), origins...)
	if s.Kept() {
		s.Set(trace.Create(queue)...)
		s.Set(trace.Text(trace.KeyNotification, string(line.Ref.Notification)), trace.Text(trace.KeyTenant, line.Tenant),
			trace.Number(trace.KeyChunk, int64(line.Ref.Seq)), trace.Number(trace.KeyRecipients, int64(len(letters))),
			trace.Text(trace.KeyReplay, string(e.run.ID)))
	}
	s.End()
	return s.TraceParent("")
}

// mostOrigins is how many traces a chunk that is sent again names: its letters mostly come
// of one or two turns.
const mostOrigins = 8

// chunkOf returns the chunk of a line's open cells with the run's edits; a new deadline
// counts from since.
func (e *engine) chunkOf(line *ledger.Line, letters []claim, since time.Time) push.Chunk {
	c := push.Chunk{Ref: line.Ref, Tenant: line.Tenant, Attempt: 1, Turn: line.Turn, Replay: e.run.ID, Message: letters[0].Message}
	if e.run.Edits.ExpireAfter > 0 {
		c.ExpiresAt = since.Add(e.run.Edits.ExpireAfter)
	}
	for i := range letters {
		l := &letters[i]
		c.Recipients, c.Index = append(c.Recipients, l.Recipient), append(c.Index, l.Cell)
		c.Series = max(c.Series, l.Series+1)
	}
	return c
}

// mark records that letters were sent. If a letter is not stored as it was claimed, the
// process that took this run over has marked it.
func (e *engine) mark(ctx context.Context, letters []claim) (int, error) {
	if len(letters) == 0 {
		return 0, nil
	}
	moves := make([]push.LetterMove, len(letters))
	for i := range letters {
		moves[i] = push.LetterMove{ID: letters[i].ID, Version: letters[i].Version, State: push.LetterReplayed, At: e.now()}
	}
	if _, err := e.cfg.Letters.MoveLetters(ctx, moves); err != nil {
		return 0, fmt.Errorf("mark %d letters as replayed: %w", len(letters), err)
	}
	for i := range letters {
		e.cfg.Metrics.examined.WithLabelValues(string(letters[i].Prediction)).Inc()
	}
	e.live.Progress += int64(len(letters))
	return len(letters), nil
}

// release parks claimed letters again.
func (e *engine) release(ctx context.Context, letters []claim, why predict.Prediction) error {
	if len(letters) == 0 {
		return nil
	}
	moves := make([]push.LetterMove, len(letters))
	for i := range letters {
		moves[i] = push.LetterMove{ID: letters[i].ID, Version: letters[i].Version, State: push.LetterParked, At: e.now(), Reason: string(why)}
		e.skip(why)
	}
	if _, err := e.cfg.Letters.MoveLetters(ctx, moves); err != nil {
		return fmt.Errorf("release %d letters: %w", len(letters), err)
	}
	return nil
}
