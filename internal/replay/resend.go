package replay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/internal/worker"
)

// claim is a letter that this run holds, and what was found about it.
type claim struct {
	push.Letter
	verdict
}

// replay examines up to maxPut letters and sends up to budget of them; the others are
// counted. It returns how many were sent.
func (e *engine) replay(ctx context.Context, letters []push.Letter, budget int64) (int, error) {
	verdicts, err := e.examine(ctx, letters, &e.run.Edits)
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
		case !v.prediction.Sends():
			e.skip(v.prediction)
			continue
		case int64(len(claims)) >= budget:
			continue
		case l.Kind == push.LetterRecipient && taken[at]:
			e.skip(InDelivery) // an older letter of the same recipient is in this very page
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

func (e *engine) skip(p Prediction) {
	e.live.Skipped[p]++
	e.Metrics.examined.WithLabelValues(string(p)).Inc()
}

// claim takes letters for this run and returns those that it got.
func (e *engine) claim(ctx context.Context, claims []claim) ([]claim, error) {
	if len(claims) == 0 {
		return nil, nil
	}
	moves := make([]push.LetterMove, len(claims))
	for i := range claims {
		moves[i] = push.LetterMove{ID: claims[i].ID, Version: claims[i].Version, State: push.LetterReplaying, Replay: e.run.ID, At: e.now()}
	}
	moved, err := e.Letters.MoveLetters(ctx, moves)
	if err != nil {
		return nil, fmt.Errorf("claim %d letters: %w", len(claims), err)
	}
	var got []claim
	for i, ok := range moved {
		if !ok {
			e.skip(Taken)
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
	if err := e.release(ctx, lost, InDelivery); err != nil {
		return 0, err
	}
	if err := sendAll(ctx, e.Sources[e.run.Edits.queue()], out); err != nil {
		return 0, fmt.Errorf("send %d chunks: %w", len(out), err)
	}
	returned, err := e.giveBack(ctx, messages)
	if err != nil {
		return 0, err
	}
	return e.mark(ctx, append(done, returned...))
}

// reopening is what came of reopening one chunk's line.
type reopening struct {
	letters []claim     // reopened, in the order of their cells
	next    ledger.Line // as it is now
	lost    []claim     // not reopened: somebody else changed the line
	foreign bool        // some were reopened by another executor of this run
}

// byChunk sorts claims into chunks and messages.
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
	g.SetLimit(e.Concurrency)
	for i, letters := range chunks {
		g.Go(func() (err error) {
			results[i], err = e.reopenLine(ctx, letters)
			return err
		})
	}
	return results, g.Wait()
}

func (e *engine) reopenLine(ctx context.Context, letters []claim) (reopening, error) {
	line := letters[0].line
	cells := make([]int, len(letters))
	for i := range letters {
		cells[i] = letters[i].Cell
	}
	next, marks, err := line.Reopen(cells, e.run.ID, e.now())
	if err != nil {
		return reopening{}, fmt.Errorf("reopen %s: %w", line.Ref, err)
	}
	err = e.Lines.ReopenLine(ctx, next, line.Epoch, marks)
	if err == nil {
		return reopening{letters: letters, next: next}, nil
	}
	if !errors.Is(err, ledger.ErrFenced) {
		return reopening{}, err
	}
	// Another run or, after this one was taken over, another executor of it.
	evidence, err := e.Lines.Attempts(ctx, line.Ref)
	if err != nil {
		return reopening{}, fmt.Errorf("read the evidence of %s: %w", line.Ref, err)
	}
	mine := ledger.ReopenedBy(evidence, e.run.ID)
	foreign := slices.ContainsFunc(letters, func(c claim) bool { return mine[c.Cell] })
	return reopening{next: next, lost: letters, foreign: foreign}, nil
}

// chunkMessage returns the message that carries the open cells of a line.
func (e *engine) chunkMessage(line ledger.Line, letters []claim) (worker.Outgoing, error) {
	c := push.Chunk{Ref: line.Ref, Tenant: line.Tenant, Attempt: 1, Turn: line.Turn, Replay: e.run.ID, Message: letters[0].message}
	if e.run.Edits.ExpireAfter > 0 {
		c.ExpiresAt = e.now().Add(e.run.Edits.ExpireAfter)
	}
	for i := range letters {
		l := &letters[i]
		c.Recipients, c.Index = append(c.Recipients, l.Recipient), append(c.Index, l.Cell)
		c.Series = max(c.Series, l.Series+1)
	}
	body, err := wire.EncodeChunk(&c, letters[0].TraceParent)
	if err != nil {
		return worker.Outgoing{}, fmt.Errorf("encode %s: %w", line.Ref, err)
	}
	return worker.Outgoing{Body: body, Group: line.Tenant}, nil
}

// mark writes that letters were sent. One that is not there as it was claimed
// was marked by whoever took this run over.
func (e *engine) mark(ctx context.Context, letters []claim) (int, error) {
	if len(letters) == 0 {
		return 0, nil
	}
	moves := make([]push.LetterMove, len(letters))
	for i := range letters {
		moves[i] = push.LetterMove{ID: letters[i].ID, Version: letters[i].Version, State: push.LetterReplayed, At: e.now()}
	}
	if _, err := e.Letters.MoveLetters(ctx, moves); err != nil {
		return 0, fmt.Errorf("mark %d letters as replayed: %w", len(letters), err)
	}
	for i := range letters {
		e.Metrics.examined.WithLabelValues(string(letters[i].prediction)).Inc()
	}
	e.live.Progress += int64(len(letters))
	return len(letters), nil
}

// release parks claimed letters again.
func (e *engine) release(ctx context.Context, letters []claim, why Prediction) error {
	if len(letters) == 0 {
		return nil
	}
	moves := make([]push.LetterMove, len(letters))
	for i := range letters {
		moves[i] = push.LetterMove{ID: letters[i].ID, Version: letters[i].Version, State: push.LetterParked, At: e.now(), Reason: string(why)}
		e.skip(why)
	}
	if _, err := e.Letters.MoveLetters(ctx, moves); err != nil {
		return fmt.Errorf("release %d letters: %w", len(letters), err)
	}
	return nil
}

// sendAll sends in as few calls as count and size allow.
func sendAll(ctx context.Context, sink worker.Sink, msgs []worker.Outgoing) error {
	for len(msgs) > 0 {
		n := batch(msgs)
		if err := sink.Send(ctx, msgs[:n]); err != nil {
			return err
		}
		msgs = msgs[n:]
	}
	return nil
}

// batch is how many of the messages fit into one call, at least one.
func batch(msgs []worker.Outgoing) int {
	n, size := 0, 0
	for n < len(msgs) && n < worker.MaxBatch && size+len(msgs[n].Body) <= worker.MaxBodyBytes {
		size += len(msgs[n].Body)
		n++
	}
	return max(n, 1)
}
