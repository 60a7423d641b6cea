// Package brake finds out, with as few requests as it can, that FCM refuses a
// notification for everybody: the message is wrong, the APNs key is missing, the
// credential is another project's. Who asks it holds the other recipients for an
// operator ([push.Hold]); docs/adr/0007.
//
// While nobody of a part has been accepted, no more requests are under way than
// refusals are missing to the verdict, over all chunks of the notification in the
// process. So a part that is refused costs each lane of a process After requests,
// and a good one costs the time of its first answer. Refusals come at once: a
// request that takes longer than SeatFor keeps no seat.
//
// A refusal that may turn out to be everybody's is not the recipient's outcome until
// that is known ([Brake.Doubtful]): the refused recipient waits with the others, and
// gets the message when they do.
//
// The package sends nothing and stores nothing.
package brake

import (
	"sync"
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

// SeatFor is for how long a request takes a seat from others.
const SeatFor = time.Second

// Brake is what a process knows of how the parts of one notification are answered.
// The zero value knows nothing. A nil Brake stops nobody. Safe for concurrent use.
type Brake struct {
	after int // refusals to the verdict

	mu         sync.Mutex
	generation int                         // of the notification: a resume begins anew
	freed      chan struct{}               // closed when a seat may be free, nil: nobody waits
	trials     [len(push.Holds{})][2]trial // of the shared message, and of recipients with one of their own
}

// trial is how a part answers one of the two messages: a personal message may be
// good where the shared one is not, and the other way round.
type trial struct {
	flying   []time.Duration                   // requests under way, by when they began, the oldest first
	answers  int                               // with anything that FCM or the network said
	accepted bool                              // somebody got the message
	refused  map[push.Code]map[uint64]struct{} // the recipients, by their address
	hold     push.Hold                         // the verdict; without a code: none yet
}

// follow forgets all answers when the notification has a new generation. The caller
// holds mu.
func (b *Brake) follow(p *push.Progress, after int) {
	if b.after = after; b.generation == p.Generation {
		return
	}
	b.generation = p.Generation
	for part := range b.trials {
		for i := range b.trials[part] {
			t := &b.trials[part][i]
			*t = trial{flying: t.flying}
		}
	}
}

// trial returns the trial that a recipient takes part in. The caller holds mu.
func (b *Brake) trial(to *push.Recipient) *trial {
	if to.HasOverrides() {
		return &b.trials[to.Part()][1]
	}
	return &b.trials[to.Part()][0]
}

// Enter takes a seat for a request to the recipient; Leave or Answered gives it back.
// after is how many refusals bring a verdict. If no seat is free, freed is closed when
// one may be; one may also be free after SeatFor.
func (b *Brake) Enter(p *push.Progress, to *push.Recipient, after int, now time.Duration) (ok bool, freed <-chan struct{}) {
	if b == nil {
		return true, nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.follow(p, after)
	t := b.trial(to)
	if most := b.seats(t); len(t.flying) >= most && now-t.flying[len(t.flying)-most] < SeatFor && !p.BrakeOff {
		if b.freed == nil {
			b.freed = make(chan struct{})
		}
		return false, b.freed
	}
	t.flying = append(t.flying, now)
	return true, nil
}

// seats returns how many requests to the part may be under way.
func (b *Brake) seats(t *trial) int {
	const unlimited = 1 << 30
	most := 0
	for _, who := range t.refused {
		most = max(most, len(who))
	}
	switch {
	case t.accepted:
		return unlimited
	case most > 0:
		return max(1, b.after-most)
	case t.answers >= b.after: // nobody was refused for what may be everybody's fault
		return unlimited
	}
	return b.after
}

// Leave gives back the seat of a request that had no answer.
func (b *Brake) Leave(to *push.Recipient) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.free(b.trial(to))
}

// free gives a seat back. The caller holds mu.
func (b *Brake) free(t *trial) {
	t.flying = t.flying[1:] // whichever ended: the one that takes longest is the oldest for long enough
	if b.freed != nil {
		close(b.freed)
		b.freed = nil
	}
}

// Stopped reports whether the verdict is that nobody of the part is sent to.
func (b *Brake) Stopped(p *push.Progress, part push.Part) bool {
	if p.Held.Stopped(part) {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.generation != p.Generation || p.BrakeOff {
		return false
	}
	for i := range b.trials[part] {
		if h := b.trials[part][i].hold; h.Code != push.CodeOpen && !h.Scattered {
			return true
		}
	}
	return false
}

// Answered takes an answer into account, and its seat back. It returns the verdict if
// this answer has brought it.
func (b *Brake) Answered(to *push.Recipient, code push.Code, now time.Time) (push.Hold, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := b.trial(to)
	b.free(t)
	t.answers++
	if code == push.CodeSent {
		t.accepted = true
		return push.Hold{}, false
	}
	if !b.counts(t, code) {
		return push.Hold{}, false
	}
	if t.refused == nil {
		t.refused = make(map[push.Code]map[uint64]struct{})
	}
	who := t.refused[code]
	if who == nil {
		who = make(map[uint64]struct{})
		t.refused[code] = who
	}
	if who[to.Address.Hash()] = struct{}{}; len(who) < b.after {
		return push.Hold{}, false
	}
	t.hold = push.Hold{Code: code, Refused: len(who), Since: now.UTC().Truncate(time.Microsecond), Scattered: t.accepted}
	return t.hold, true
}

// counts reports whether a refusal can bring a verdict. Once somebody of the part got
// the message, a refusal that blames the message or the project's credential is about
// the address after all; but a platform's key or topic may belong to one app of
// several, or be taken away.
func (b *Brake) counts(t *trial, code push.Code) bool {
	return code.Blame().Shared() && t.hold.Code == push.CodeOpen && (!t.accepted || code.Blame() == push.BlamePlatform)
}

// Doubtful reports whether a refusal may not be the recipient's own: too few were
// refused for a verdict, or the verdict is that it was everybody's.
func (b *Brake) Doubtful(p *push.Progress, to *push.Recipient, code push.Code) bool {
	if p.Held.StoppedFor(to.Part(), code) {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	t := b.trial(to)
	return !p.BrakeOff && (b.counts(t, code) || t.hold.Code == code)
}

// Generation returns the generation of the notification that the verdicts are about.
func (b *Brake) Generation() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.generation
}

// Verdicts returns the verdicts that the notification does not show yet.
func (b *Brake) Verdicts(p *push.Progress) (missing push.Holds) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.generation != p.Generation || p.BrakeOff {
		return missing
	}
	for _, part := range push.Parts() {
		for i := range b.trials[part] {
			if h := b.trials[part][i].hold; h.Code != push.CodeOpen && !p.Held.StoppedFor(part, h.Code) {
				missing[part] = h
			}
		}
	}
	return missing
}
