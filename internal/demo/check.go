package demo

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/belfry-push/belfry/client"
)

// check compares Belfry's ledger with the simulator's, line by line: what the
// report calls sent was accepted, and nothing else was.
func (s *show) check(ctx context.Context, c *recipients, final client.Notification) error {
	accepted, err := s.sim.accepted(ctx)
	if err != nil {
		return err
	}
	ours := map[string]bool{}
	for _, t := range c.tokens {
		ours[t] = true
	}
	maps.DeleteFunc(accepted, func(token string, _ int) bool { return !ours[token] })
	sent, faults := 0, 0
	rows := 0
	for d, err := range s.api.Report(ctx, final.ID, client.DeliveryFilter{}) {
		if err != nil {
			return fmt.Errorf("read the report: %w", err)
		}
		rows++
		if d.Line < 1 || d.Line > int64(len(c.tokens)) {
			return fmt.Errorf("the report has line %d of %d", d.Line, len(c.tokens))
		}
		times := accepted[c.tokens[d.Line-1]]
		if d.Code == "sent" {
			sent++
		}
		// Accepted twice is right only if it is flagged; accepted and called
		// something else than sent is wrong.
		if (d.Code == "sent") != (times > 0) || times > 1 && !d.PossibleDuplicate {
			faults++
			s.say("line %d: the ledger says %s, the simulator accepted it %d times", d.Line, d.Code, times)
		}
	}
	counts := final.Counts
	sum := counts.Open + counts.Sent + counts.Permanent + counts.Ambiguous +
		counts.Suppressed + counts.Expired + counts.Cancelled + counts.DeadLettered
	s.say("accepted %d = outcomes and open %d;\n  recipients %d, rows in the report %d", counts.Accepted, sum, len(c.tokens), rows)
	s.say("sent, by the ledger %d, by its report %d, by the simulator %d devices", counts.Sent, sent, len(accepted))
	switch {
	case faults > 0:
		return fmt.Errorf("%d lines differ between Belfry's ledger and the simulator's", faults)
	case counts.Accepted != sum, counts.Accepted != int64(len(c.tokens)), rows != len(c.tokens):
		return errors.New("the counts do not add up")
	case counts.Open != 0:
		return fmt.Errorf("%d deliveries are still open", counts.Open)
	case counts.Sent != int64(len(accepted)), sent != len(accepted):
		return errors.New("the ledger and the simulator's differ")
	}
	s.say("nothing is lost: every recipient has exactly one outcome, and both ledgers agree")
	return nil
}
