package replay

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
)

// verdict is what the present state says of one letter.
type verdict struct {
	prediction Prediction
	why        string
	// For a recipient that would be sent.
	line    *ledger.Line // as read; shared by the letters of one chunk
	message push.Message // edited, nil for the notification's own
	twice   bool         // an attempt may have arrived: the device may get it twice
}

// examination looks at one page of letters. What several letters share is read
// once. It decides in the order of what an operator wants to know first: what
// the ledger says, then what the notification says, then the device, and last
// whether it would work.
type examination struct {
	*Room

	edits *Edits
	patch patch
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

// tooLarge returns what is too large of an edited message for one recipient, or
// "".
func (p *patched) tooLarge(r *push.Recipient) string {
	if p.sizes == nil {
		return ""
	}
	limit := message.Limit
	if !r.Address.Kind.IsDevice() {
		limit = message.TopicLimit
	}
	if platform, n := p.sizes.Sizes(r.Data, r.CollapseID).Largest(); n > limit {
		return "with this recipient's data it " + message.TooLarge(platform, n, limit)
	}
	return ""
}

// examine returns a verdict for each letter. It changes nothing.
func (r *Room) examine(ctx context.Context, letters []push.Letter, edits *Edits) ([]verdict, error) {
	x := &examination{
		Room: r, edits: edits, now: r.now(), heads: map[push.ID]*push.Notification{}, lines: map[push.ChunkRef]*ledger.Line{},
		messages: map[push.ID]patched{}, breakers: map[string]time.Time{},
	}
	if len(edits.Patch) > 0 {
		p, err := parsePatch(edits.Patch)
		if err != nil {
			return nil, fmt.Errorf("patch: %w", err)
		}
		x.patch = p
	}
	if err := x.read(ctx, letters); err != nil {
		return nil, err
	}
	out := make([]verdict, len(letters))
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
	g.SetLimit(x.Concurrency)
	for _, id := range ids {
		g.Go(func() error { return x.readHead(ctx, id) })
	}
	for _, ref := range refs {
		g.Go(func() error { return x.readLine(ctx, ref) })
	}
	return g.Wait()
}

func (x *examination) readHead(ctx context.Context, id push.ID) error {
	n, err := x.Notifications.Notification(ctx, id)
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
	line, err := x.Lines.Line(ctx, ref)
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

// ofRecipient asks the ledger and the notification.
func (x *examination) ofRecipient(l *push.Letter) verdict {
	n, line := x.heads[l.Notification], x.lines[l.Ref()]
	switch {
	case n == nil:
		return verdict{prediction: NotificationGone, why: "the ledger has no such notification"}
	case line == nil || l.Cell < 0 || l.Cell >= len(line.Cells):
		return verdict{prediction: NotificationGone, why: "the ledger has no such recipient"}
	case l.Recipient.Address.IsZero():
		return verdict{prediction: Unsendable, why: "the letter has no address"}
	}
	cell := line.Cells[l.Cell]
	switch code := cell.Code(); {
	case code == push.CodeSent:
		return verdict{prediction: AlreadyDelivered, why: "the ledger says sent"}
	case code == push.CodeOpen:
		return verdict{prediction: InDelivery, why: "the recipient is being delivered to"}
	case code.Class() != push.ClassDeadLettered:
		return verdict{prediction: Settled, why: "the ledger says " + code.String()}
	case n.Guarantee == push.AtMostOnce && cell.PossibleDuplicate():
		return verdict{prediction: MaybeDelivered, why: "at most once, and an attempt may have arrived"}
	}
	if v, stopped := x.stopped(n); stopped {
		return v
	}
	if line.State != ledger.StateClosed {
		return verdict{prediction: InDelivery, why: "other recipients of its chunk are being delivered to"}
	}
	p := x.patchFor(n)
	if p.err != nil {
		return verdict{prediction: PatchInvalid, why: p.err.Error()}
	}
	if why := p.tooLarge(&l.Recipient); why != "" {
		return verdict{prediction: PatchInvalid, why: why}
	}
	return verdict{prediction: WouldSend, line: line, message: p.message, twice: cell.PossibleDuplicate()}
}

// stopped tells whether nothing of the notification is sent now.
func (x *examination) stopped(n *push.Notification) (verdict, bool) {
	switch {
	case n.Progress.State == push.StateCancelled:
		return verdict{prediction: Cancelled, why: "the notification was cancelled"}, true
	case n.Progress.State == push.StatePaused:
		return verdict{prediction: Paused, why: "the batch is paused"}, true
	case x.edits.ExpireAfter == 0 && !x.now.Before(n.Deadline()):
		return verdict{prediction: Expired, why: "its deadline was " + n.Deadline().UTC().Format(time.RFC3339)}, true
	}
	return verdict{}, false
}

func (x *examination) patchFor(n *push.Notification) patched {
	if x.patch == nil {
		return patched{}
	}
	p, ok := x.messages[n.ID]
	if !ok {
		p.message, p.err = x.patch.apply(n.Message)
		if tree, err := message.Decode(p.message); p.err == nil && err == nil {
			p.sizes = message.NewPersonal(tree, n.Delivery())
		}
		x.messages[n.ID] = p
	}
	return p
}

// ofMessage asks what the message itself says.
func (x *examination) ofMessage(l *push.Letter) verdict {
	content := readMessage(l.Queue, l.Body)
	switch {
	case len(l.Body) == 0:
		return verdict{prediction: Unsendable, why: "the letter has no body"}
	case l.Bytes > 0:
		why := fmt.Sprintf("only the first %d of its %d bytes are kept: whoever wrote it has to send it again", len(l.Body), l.Bytes)
		return verdict{prediction: Unsendable, why: why}
	case l.Code == push.CodeAttemptsExhausted:
		return verdict{prediction: Unsendable, why: "its list of recipients can't be read"}
	case x.Sources[l.Queue] == nil:
		return verdict{prediction: Unsendable, why: "there is no queue " + l.Queue}
	case x.patch != nil && content.chunk == nil:
		return verdict{prediction: PatchInvalid, why: "it is a whole event or notification, which is sent as it is: replay it without a patch"}
	case content.task != nil:
		return x.ofTask(l)
	case content.chunk != nil:
		return x.ofChunk(l, content.chunk)
	}
	return verdict{prediction: WouldSend}
}

func (x *examination) ofTask(l *push.Letter) verdict {
	n := x.heads[l.Notification]
	switch {
	case n == nil:
		return verdict{prediction: NotificationGone, why: "the ledger has no such notification"}
	case n.Progress.State == push.StateCancelled:
		return verdict{prediction: Cancelled, why: "the notification was cancelled"}
	case n.Progress.State == push.StateCompleted:
		return verdict{prediction: Settled, why: "the notification is completed"}
	case n.Progress.State == push.StatePaused:
		return verdict{prediction: Paused, why: "the batch is paused"}
	}
	return verdict{prediction: WouldSend}
}

// ofChunk judges a chunk that nobody finished. What of it is expired or
// cancelled is settled as such by sending it on.
func (x *examination) ofChunk(l *push.Letter, c *push.Chunk) verdict {
	n, line := x.heads[l.Notification], x.lines[l.Ref()]
	switch {
	case n == nil || line == nil:
		return verdict{prediction: NotificationGone, why: "the ledger has no such notification or chunk"}
	case line.State == ledger.StateClosed:
		return verdict{prediction: Settled, why: "every recipient of the chunk has an outcome"}
	case c.Turn < line.Turn:
		return verdict{prediction: Settled, why: "a newer message carries the chunk"}
	}
	p := x.patchFor(n)
	if p.err != nil {
		return verdict{prediction: PatchInvalid, why: p.err.Error()}
	}
	return verdict{prediction: WouldSend, message: p.message}
}

// screen asks the screens about recipients that would be sent.
func (x *examination) screen(ctx context.Context, letters []push.Letter, out []verdict) error {
	byTenant := map[string][]int{}
	for i := range letters {
		if out[i].prediction == WouldSend && letters[i].Kind == push.LetterRecipient {
			byTenant[letters[i].Tenant] = append(byTenant[letters[i].Tenant], i)
		}
	}
	for tenant, rows := range byTenant {
		recipients := make([]push.Recipient, len(rows))
		for k, i := range rows {
			recipients[k] = letters[i].Recipient
		}
		for _, s := range x.Screens {
			codes, err := s.Screen(ctx, tenant, recipients)
			if err != nil {
				return err
			}
			for k, i := range rows {
				if codes[k] != push.CodeOpen && out[i].prediction == WouldSend {
					out[i].prediction, out[i].why = suppressedAs(codes[k]), codes[k].String()
				}
			}
		}
	}
	return nil
}

// foresee tells apart, among what would be sent, what has little hope.
func (x *examination) foresee(ctx context.Context, letters []push.Letter, out []verdict) error {
	for i := range letters {
		if out[i].prediction != WouldSend {
			continue
		}
		l := &letters[i]
		if why := x.unchanged(l, out[i].message != nil); why != "" {
			out[i].prediction, out[i].why = WouldFailAgain, why
			continue
		}
		since, err := x.openSince(ctx, l.App)
		if err != nil {
			return err
		}
		if !since.IsZero() {
			out[i].prediction, out[i].why = BreakerOpen, "the provider is held off since "+since.UTC().Format(time.RFC3339)
		}
	}
	return nil
}

// unchanged says why the letter would fail as it did before, or "". A recipient
// gets the benefit of the doubt once: outages end without leaving a trace here.
// One that failed again after a replay needs more than another try.
func (x *examination) unchanged(l *push.Letter, edited bool) string {
	switch {
	case edited:
		return ""
	case l.Kind == push.LetterMessage || l.Code == push.CodePoison:
		if l.Software == x.Software {
			return "this version of the program could not handle it before"
		}
	case l.Series > 0:
		return fmt.Sprintf("it failed again after %d replays, with %s", l.Series, l.LastCode)
	}
	return ""
}

func (x *examination) openSince(ctx context.Context, app string) (time.Time, error) {
	if x.Breakers == nil {
		return time.Time{}, nil
	}
	since, asked := x.breakers[app]
	if !asked {
		var err error
		if since, err = x.Breakers.OpenSince(ctx, app); err != nil {
			return time.Time{}, fmt.Errorf("ask the breaker of %s: %w", app, err)
		}
		x.breakers[app] = since
	}
	return since, nil
}
