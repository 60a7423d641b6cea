package replay

import (
	"context"
	"fmt"
	"slices"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/replay/predict"
	"github.com/belfry-push/belfry/internal/worker"
)

// recover finishes the letters that a run claimed and did not mark, because its process
// died or lost its store. A letter whose cell was reopened is sent, if nobody can have
// received it, and marked. Any other letter is examined again, and sent or released.
func (e *engine) recover(ctx context.Context) error {
	if e.live.Skipped == nil {
		e.live.Skipped = map[predict.Prediction]int64{}
	}
	f := push.LetterFilter{Replay: e.run.ID, States: []push.LetterState{push.LetterReplaying}, OldestFirst: true}
	for cursor := ""; ; {
		page, next, err := e.cfg.Letters.Letters(ctx, f, cursor, pageSize)
		if err != nil {
			return fmt.Errorf("list letters in hand: %w", err)
		}
		chunks := map[push.ChunkRef]bool{}
		var messages []push.Letter
		for i := range page {
			switch l := &page[i]; {
			case l.Kind == push.LetterMessage:
				messages = append(messages, *l)
			case !chunks[l.Ref()]:
				chunks[l.Ref()] = true
				if err := e.recoverChunk(ctx, l.Ref()); err != nil {
					return err
				}
			}
		}
		if err := e.recoverMessages(ctx, messages); err != nil {
			return err
		}
		if cursor = next; cursor == "" {
			return nil
		}
	}
}

// recoverChunk finishes all letters of one chunk that the run holds.
func (e *engine) recoverChunk(ctx context.Context, ref push.ChunkRef) error {
	held, err := e.heldOf(ctx, ref)
	if err != nil {
		return err
	}
	evidence, err := e.cfg.Lines.Attempts(ctx, ref)
	if err != nil {
		return fmt.Errorf("read the evidence of %s: %w", ref, err)
	}
	mine := ledger.ReopenedBy(evidence, e.run.ID)
	var reopened []claim
	var untouched []push.Letter
	for i := range held {
		if mine[held[i].Cell] {
			reopened = append(reopened, claim{held[i], predict.Verdict{Prediction: predict.WouldSend}})
		} else {
			untouched = append(untouched, held[i])
		}
	}
	if err := e.resume(ctx, ref, reopened); err != nil {
		return err
	}
	return e.retry(ctx, ref, untouched)
}

// heldOf returns the letters of one chunk that the run holds.
func (e *engine) heldOf(ctx context.Context, ref push.ChunkRef) ([]push.Letter, error) {
	f := push.LetterFilter{
		Replay: e.run.ID, Notification: ref.Notification, States: []push.LetterState{push.LetterReplaying}, OldestFirst: true,
	}
	var held []push.Letter
	for cursor := ""; ; {
		page, next, err := e.cfg.Letters.Letters(ctx, f, cursor, pageSize)
		if err != nil {
			return nil, fmt.Errorf("list letters in hand: %w", err)
		}
		for i := range page {
			if page[i].Seq == ref.Seq && page[i].Kind == push.LetterRecipient {
				held = append(held, page[i])
			}
		}
		if cursor = next; cursor == "" {
			return held, nil
		}
	}
}

// resume sends the message of a reopened line if it may be missing, and marks
// the letters. A line that still belongs to this run has not been claimed since
// it was reopened. If one of its open cells has no letter in hand, that letter
// was marked, so the message was sent.
func (e *engine) resume(ctx context.Context, ref push.ChunkRef, letters []claim) error {
	if len(letters) == 0 {
		return nil
	}
	line, err := e.cfg.Lines.Line(ctx, ref)
	if err != nil {
		return fmt.Errorf("read the line of %s: %w", ref, err)
	}
	if line.State == ledger.StateWaiting && line.Owner == string(e.run.ID) {
		chunks, _ := byChunk(openOnes(&line, letters))
		if len(chunks) == 1 && len(chunks[0]) == line.OpenCount() {
			if err := e.messageFor(ctx, chunks[0]); err != nil {
				return err
			}
			msg, err := e.chunkMessage(line, chunks[0])
			if err != nil {
				return err
			}
			if err := worker.SendAll(ctx, e.cfg.Sources[e.run.Edits.Queue()], []worker.Outgoing{msg}); err != nil {
				return fmt.Errorf("send %s: %w", ref, err)
			}
		}
	}
	_, err = e.mark(ctx, letters)
	return err
}

// openOnes returns one letter for each open cell that has one.
func openOnes(line *ledger.Line, letters []claim) []claim {
	var open []claim
	seen := map[int]bool{}
	for _, c := range letters {
		if c.Cell < len(line.Cells) && line.Cells[c.Cell].Open() && !seen[c.Cell] {
			seen[c.Cell] = true
			open = append(open, c)
		}
	}
	return open
}

// messageFor fills in the edited message of a chunk.
func (e *engine) messageFor(ctx context.Context, letters []claim) error {
	if len(e.run.Edits.Patch) == 0 {
		return nil
	}
	p, err := predict.ParsePatch(e.run.Edits.Patch)
	if err != nil {
		return fmt.Errorf("patch: %w", err)
	}
	n, err := e.cfg.Notifications.Notification(ctx, letters[0].Notification)
	if err != nil {
		return fmt.Errorf("read %s: %w", letters[0].Notification, err)
	}
	if letters[0].Message, err = p.Apply(n.Message); err != nil {
		return fmt.Errorf("patch: %w", err)
	}
	return nil
}

// retry continues with letters of one chunk that were claimed and nothing more. If one of
// them is being delivered, or was, the previous executor may live and have reopened it
// just now: then it is resumed, not released.
func (e *engine) retry(ctx context.Context, ref push.ChunkRef, letters []push.Letter) error {
	if len(letters) == 0 {
		return nil
	}
	verdicts, err := e.cfg.Predict.Examine(ctx, letters, &e.run.Edits)
	if err != nil {
		return err
	}
	var mine map[int]bool
	if slices.ContainsFunc(verdicts, func(v predict.Verdict) bool { return !v.Prediction.Sends() }) {
		evidence, err := e.cfg.Lines.Attempts(ctx, ref)
		if err != nil {
			return fmt.Errorf("read the evidence of %s: %w", ref, err)
		}
		mine = ledger.ReopenedBy(evidence, e.run.ID)
	}
	seen := map[int]bool{}
	var again, reopened []claim
	for i := range letters {
		c := claim{letters[i], verdicts[i]}
		switch {
		case !c.Prediction.Sends() && mine[c.Cell]:
			c.Prediction = predict.WouldSend // it was
			reopened = append(reopened, c)
			continue
		case !c.Prediction.Sends():
		case seen[c.Cell]:
			c.Prediction = predict.InDelivery
		default:
			seen[c.Cell] = true
			again = append(again, c)
			continue
		}
		if err := e.release(ctx, []claim{c}, c.Prediction); err != nil {
			return err
		}
	}
	if err := e.resume(ctx, ref, reopened); err != nil {
		return err
	}
	_, err = e.resend(ctx, again)
	return err
}

// recoverMessages sends claimed messages, perhaps a second time, and marks them.
func (e *engine) recoverMessages(ctx context.Context, letters []push.Letter) error {
	if len(letters) == 0 {
		return nil
	}
	verdicts, err := e.cfg.Predict.Examine(ctx, letters, &e.run.Edits)
	if err != nil {
		return err
	}
	var claims []claim
	for i := range letters {
		c := claim{letters[i], verdicts[i]}
		if c.Prediction == predict.Unsendable || c.Prediction == predict.PatchInvalid {
			if err := e.release(ctx, []claim{c}, c.Prediction); err != nil {
				return err
			}
			continue
		}
		c.Prediction = predict.WouldSend // it was when it was claimed, and may have been sent since
		claims = append(claims, c)
	}
	_, err = e.resend(ctx, claims)
	return err
}
