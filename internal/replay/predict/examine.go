package predict

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/message"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
)

// Verdict is what the present state says of one letter.
type Verdict struct {
	Prediction Prediction
	Why        string // what that rests on, for people; "" if it would be sent and nothing stands against it
	// Line is the ledger line, as it was read, of a recipient that ledger and notification
	// allow to be sent to; otherwise nil. The letters of one chunk share it: it must
	// not be changed.
	Line *ledger.Line
	// Message is what would be sent after the edits, nil for the notification's own.
	Message push.Message

	twice bool // an attempt may have arrived: the device may get it twice
}

// examination looks at one page of letters, and reads once what several letters share. The
// order of its checks is the order of what an operator wants to know first: the ledger, the
// notification, the device, and last whether sending has a chance.
type examination struct {
	*Room

	edits *Edits
	patch Patch
	now   time.Time

	mu       sync.Mutex
	heads    map[push.ID]*push.Notification // nil: not there
	lines    map[push.ChunkRef]*ledger.Line // nil: not there
	messages map[push.ID]patched
	breakers map[string]time.Time
}

type patched struct {
	message push.Message
	sizes   *message.Personal // of the message, with a recipient's own data
	err     error
}

// tooLarge says what of an edited message is too large for one recipient; "" if nothing is.
func (p *patched) tooLarge(r *push.Recipient) string {
	if p.sizes == nil {
		return ""
	}
	limit := message.Limit
	if !r.Address.Kind.IsDevice() {
		limit = message.TopicLimit
	}
	if platform, n := p.sizes.Sizes(r.Data, r.CollapseID, r.Override).Largest(); n > limit {
		return "with this recipient's data it " + message.TooLarge(platform, n, limit)
	}
	return ""
}

// Examine returns a verdict for each letter, parallel to letters (up to 1000). It
// changes nothing. Edits have to be as [Room.Simulate] takes them. An error means
// that a store, a screen or a breaker could not be asked.
func (r *Room) Examine(ctx context.Context, letters []push.Letter, edits *Edits) ([]Verdict, error) {
	x := &examination{
		Room: r, edits: edits, now: r.now(), heads: map[push.ID]*push.Notification{}, lines: map[push.ChunkRef]*ledger.Line{},
		messages: map[push.ID]patched{}, breakers: map[string]time.Time{},
	}
	if len(edits.Patch) > 0 {
		p, err := ParsePatch(edits.Patch)
		if err != nil {
			return nil, fmt.Errorf("patch: %w", err)
		}
		x.patch = p
	}
	if err := x.read(ctx, letters); err != nil {
		return nil, err
	}
	out := make([]Verdict, len(letters))
	for i := range letters {
		l := &letters[i]
		if l.Kind == push.LetterMessage {
			out[i] = x.ofMessage(l)
		} else {
			out[i] = x.ofRecipient(l)
		}
	}
	if err := x.screen(ctx, letters, out); err != nil {
		return nil, err
	}
	return out, x.foresee(ctx, letters, out)
}

// read fetches the heads and lines of the page, several at a time.
func (x *examination) read(ctx context.Context, letters []push.Letter) error {
	for i := range letters {
		l := &letters[i]
		if l.Notification == "" {
			continue
		}
		x.heads[l.Notification] = nil
		if l.Queue != push.QueueNotifications {
			x.lines[l.Ref()] = nil
		}
	}
	ids, refs := slices.Collect(maps.Keys(x.heads)), slices.Collect(maps.Keys(x.lines))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(x.cfg.Concurrency)
	for _, id := range ids {
		g.Go(func() error { return x.readHead(ctx, id) })
	}
	for _, ref := range refs {
		g.Go(func() error { return x.readLine(ctx, ref) })
	}
	return g.Wait()
}

func (x *examination) readHead(ctx context.Context, id push.ID) error {
	n, err := x.cfg.Notifications.Notification(ctx, id)
	if errors.Is(err, push.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", id, err)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.heads[id] = &n
	return nil
}

func (x *examination) readLine(ctx context.Context, ref push.ChunkRef) error {
	line, err := x.cfg.Lines.Line(ctx, ref)
	if errors.Is(err, push.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the line of %s: %w", ref, err)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.lines[ref] = &line
	return nil
}

// ofRecipient returns the verdict of the ledger and the notification.
func (x *examination) ofRecipient(l *push.Letter) Verdict {
	n, line := x.heads[l.Notification], x.lines[l.Ref()]
	switch {
	case n == nil:
		return Verdict{Prediction: NotificationGone, Why: "the ledger has no such notification"}
	case line == nil || l.Cell < 0 || l.Cell >= len(line.Cells):
		return Verdict{Prediction: NotificationGone, Why: "the ledger has no such recipient"}
	case l.Recipient.Address.IsZero():
		return Verdict{Prediction: Unsendable, Why: "the letter has no address"}
	}
	cell := line.Cells[l.Cell]
	switch code := cell.Code(); {
	case code == push.CodeSent:
		return Verdict{Prediction: AlreadyDelivered, Why: "the ledger says sent"}
	case code == push.CodeOpen:
		return Verdict{Prediction: InDelivery, Why: "the recipient is being delivered to"}
	case code.Class() != push.ClassDeadLettered:
		return Verdict{Prediction: Settled, Why: "the ledger says " + code.String()}
	case n.Guarantee == push.AtMostOnce && cell.PossibleDuplicate():
		return Verdict{Prediction: MaybeDelivered, Why: "at most once, and an attempt may have arrived"}
	}
	if v, stopped := x.stopped(n); stopped {
		return v
	}
	if line.State != ledger.StateClosed {
		return Verdict{Prediction: InDelivery, Why: "other recipients of its chunk are being delivered to"}
	}
	p := x.patchFor(n)
	if p.err != nil {
		return Verdict{Prediction: PatchInvalid, Why: p.err.Error()}
	}
	if why := p.tooLarge(&l.Recipient); why != "" {
		return Verdict{Prediction: PatchInvalid, Why: why}
	}
	return Verdict{Prediction: WouldSend, Line: line, Message: p.message, twice: cell.PossibleDuplicate()}
}

// stopped reports whether nothing of the notification is sent now.
func (x *examination) stopped(n *push.Notification) (Verdict, bool) {
	switch {
	case n.Progress.State == push.StateCancelled:
		return Verdict{Prediction: Cancelled, Why: "the notification was cancelled"}, true
	case n.Progress.State == push.StatePaused:
		return Verdict{Prediction: Paused, Why: "the batch is paused"}, true
	case x.edits.ExpireAfter == 0 && !x.now.Before(n.Deadline()):
		return Verdict{Prediction: Expired, Why: "its deadline was " + n.Deadline().UTC().Format(time.RFC3339)}, true
	}
	return Verdict{}, false
}

func (x *examination) patchFor(n *push.Notification) patched {
	if x.patch == nil {
		return patched{}
	}
	p, ok := x.messages[n.ID]
	if !ok {
		p.message, p.err = x.patch.Apply(n.Message)
		if tree, err := message.Decode(p.message); p.err == nil && err == nil {
			p.sizes = message.NewPersonal(tree, n.Delivery())
		}
		x.messages[n.ID] = p
	}
	return p
}

// ofMessage returns the verdict on a whole message, from its bytes.
func (x *examination) ofMessage(l *push.Letter) Verdict {
	content := wire.ReadMessage(l.Queue, l.Body)
	switch {
	case len(l.Body) == 0:
		return Verdict{Prediction: Unsendable, Why: "the letter has no body"}
	case l.Bytes > 0:
		why := fmt.Sprintf("only the first %d of its %d bytes are kept: whoever wrote it has to send it again", len(l.Body), l.Bytes)
		return Verdict{Prediction: Unsendable, Why: why}
	case l.Code == push.CodeAttemptsExhausted:
		return Verdict{Prediction: Unsendable, Why: "its list of recipients can't be read"}
	case !slices.Contains(x.cfg.Queues, l.Queue):
		return Verdict{Prediction: Unsendable, Why: "there is no queue " + l.Queue}
	case x.patch != nil && content.Chunk == nil:
		return Verdict{Prediction: PatchInvalid, Why: "it is a whole event or notification, which is sent as it is: replay it without a patch"}
	case content.Task != nil:
		return x.ofTask(l)
	case content.Chunk != nil:
		return x.ofChunk(l, content.Chunk)
	}
	return Verdict{Prediction: WouldSend}
}

func (x *examination) ofTask(l *push.Letter) Verdict {
	n := x.heads[l.Notification]
	switch {
	case n == nil:
		return Verdict{Prediction: NotificationGone, Why: "the ledger has no such notification"}
	case n.Progress.State == push.StateCancelled:
		return Verdict{Prediction: Cancelled, Why: "the notification was cancelled"}
	case n.Progress.State == push.StateCompleted:
		return Verdict{Prediction: Settled, Why: "the notification is completed"}
	case n.Progress.State == push.StatePaused:
		return Verdict{Prediction: Paused, Why: "the batch is paused"}
	}
	return Verdict{Prediction: WouldSend}
}

// ofChunk returns the verdict on a chunk that was not finished. It is sent on even if it is
// expired or cancelled: deliver settles it as such.
func (x *examination) ofChunk(l *push.Letter, c *push.Chunk) Verdict {
	n, line := x.heads[l.Notification], x.lines[l.Ref()]
	switch {
	case n == nil || line == nil:
		return Verdict{Prediction: NotificationGone, Why: "the ledger has no such notification or chunk"}
	case line.State == ledger.StateClosed:
		return Verdict{Prediction: Settled, Why: "every recipient of the chunk has an outcome"}
	case c.Turn < line.Turn:
		return Verdict{Prediction: Settled, Why: "a newer message carries the chunk"}
	}
	p := x.patchFor(n)
	if p.err != nil {
		return Verdict{Prediction: PatchInvalid, Why: p.err.Error()}
	}
	return Verdict{Prediction: WouldSend, Message: p.message}
}

// screen asks the screens about recipients that would be sent.
func (x *examination) screen(ctx context.Context, letters []push.Letter, out []Verdict) error {
	byTenant := map[string][]int{}
	for i := range letters {
		if out[i].Prediction == WouldSend && letters[i].Kind == push.LetterRecipient {
			byTenant[letters[i].Tenant] = append(byTenant[letters[i].Tenant], i)
		}
	}
	for tenant, rows := range byTenant {
		recipients := make([]push.Recipient, len(rows))
		for k, i := range rows {
			recipients[k] = letters[i].Recipient
		}
		for _, s := range x.cfg.Screens {
			codes, err := s.Screen(ctx, tenant, recipients)
			if err != nil {
				return err
			}
			for k, i := range rows {
				if codes[k] != push.CodeOpen && out[i].Prediction == WouldSend {
					out[i].Prediction, out[i].Why = suppressedAs(codes[k]), codes[k].String()
				}
			}
		}
	}
	return nil
}

// foresee finds, among the letters that would be sent, those that would fail again.
func (x *examination) foresee(ctx context.Context, letters []push.Letter, out []Verdict) error {
	for i := range letters {
		if out[i].Prediction != WouldSend {
			continue
		}
		l := &letters[i]
		if why := x.unchanged(l, out[i].Message != nil); why != "" {
			out[i].Prediction, out[i].Why = WouldFailAgain, why
			continue
		}
		since, err := x.openSince(ctx, l.App)
		if err != nil {
			return err
		}
		if !since.IsZero() {
			out[i].Prediction, out[i].Why = BreakerOpen, "the provider is held off since "+since.UTC().Format(time.RFC3339)
		}
	}
	return nil
}

// unchanged says why the letter would fail as it did before; "" if that is not known. The
// first replay of a recipient is never said to fail, because outages end without a trace
// here. A recipient that failed again after a replay needs more than another try.
func (x *examination) unchanged(l *push.Letter, edited bool) string {
	switch {
	case edited:
		return ""
	case l.Kind == push.LetterMessage || l.Code == push.CodePoison:
		if l.Software == x.cfg.Software {
			return "this version of the program could not handle it before"
		}
	case l.Series > 0:
		return fmt.Sprintf("it failed again after %d replays, with %s", l.Series, l.LastCode)
	}
	return ""
}

func (x *examination) openSince(ctx context.Context, app string) (time.Time, error) {
	if x.cfg.Breakers == nil {
		return time.Time{}, nil
	}
	since, asked := x.breakers[app]
	if !asked {
		var err error
		if since, err = x.cfg.Breakers.OpenSince(ctx, app); err != nil {
			return time.Time{}, fmt.Errorf("ask the breaker of %s: %w", app, err)
		}
		x.breakers[app] = since
	}
	return since, nil
}
