package sharedrate

import (
	"math"
	"slices"
	"time"
)

// micro is the unit of the arithmetic: a millionth of a token.
const micro = 1_000_000

// item is a bucket as it is stored. Its times are the bucket's own, since it was made, in whole milliseconds.
type item struct {
	Epoch   string        // of this making: a bucket that was removed and made again has another time
	At      time.Duration // until when Level is reckoned
	Level   int64         // millionths of tokens that nobody has leased; below 0 only while a limit that was cut is in debt
	Burst   int64         // of the limit that it was last reckoned by
	Slow    slow
	Members []member
	Period  string
	Backs   int64 // how often tokens were put back, see [Bucket.Restore]
}

// member is a process that has leased tokens, or would like to.
type member struct {
	ID    string
	Left  int64         // of its lease, in tokens, when it last asked
	Until time.Duration // when its lease is over
	Asked time.Duration // when it last asked
	Got   time.Duration // when it was last granted something, or came
	Wants float64       // tokens a second, by its own reckoning
}

// memberKeep is how long a member that does not ask counts as one who wants something.
const memberKeep = 2 * time.Second

// newItem returns a full bucket.
func newItem(epoch string, limit Limit) item {
	return item{Epoch: epoch, Level: limit.Burst * micro, Burst: limit.Burst, Period: limit.Period}
}

// advance carries the bucket on to its time to. Leases end on the way, each at its time, so that what they held back
// is refilled from then on and not from before.
func (i *item) advance(to time.Duration, limit Limit) {
	i.resize(limit)
	for {
		first := -1
		for k, m := range i.Members {
			if m.Until <= to && (first < 0 || m.Until < i.Members[first].Until) {
				first = k
			}
		}
		if first < 0 {
			break
		}
		i.refill(i.Members[first].Until, limit)
		i.Members = slices.Delete(i.Members, first, first+1)
	}
	i.refill(to, limit)
}

// resize fits the bucket to a limit that was changed. What an allotment has given stays given.
func (i *item) resize(limit Limit) {
	if limit.Period > i.Period {
		i.Period, i.Burst, i.Level, i.Members = limit.Period, limit.Burst, limit.Burst*micro, nil
	}
	if i.Burst == limit.Burst {
		return
	}
	if limit.Tokens == 0 {
		i.Level += (limit.Burst - i.Burst) * micro
	}
	i.Burst = limit.Burst
	i.Level = min(i.Level, i.room())
}

// room is the highest level that the leases leave.
func (i *item) room() int64 {
	room := i.Burst * micro
	for _, m := range i.Members {
		room -= m.Left * micro
	}
	return room
}

func (i *item) refill(to time.Duration, limit Limit) {
	if to <= i.At {
		return
	}
	gained := math.Floor(limit.rate() * i.Slow.worth(i.At, to, limit.Recover) * micro)
	i.At = to
	if i.Slow.factor(to, limit.Recover) == 1 {
		i.Slow = slow{}
	}
	room := i.room()
	if i.Level >= room {
		return
	}
	i.Level += int64(min(gained, float64(room-i.Level)))
}

// ask is what a process wants of the bucket.
type ask struct {
	id    string
	at    time.Duration // the bucket's time, as the process knows it: never ahead of it
	left  int64         // what is left of its lease
	lost  int64         // what it spent beyond its lease while the store was away
	idle  bool          // the bucket must not be credited for the time since At: the process lived on its share
	need  int64         // the least that helps whoever waits; 0: nobody waits
	block int64         // what it would like to hold, need included
	wants float64       // tokens a second
	lease time.Duration
	cut   *cut // nil: none
}

// exchange carries the bucket on, takes note of what a process has left and leases it more. It returns how much
// more.
func (i *item) exchange(a ask, limit Limit) int64 {
	to := max(i.At, a.at)
	if a.idle {
		i.At = to
	}
	i.advance(to, limit)
	if i.Level > 0 {
		i.Level = max(0, i.Level-a.lost*micro)
	}
	if a.cut != nil && limit.Recover > 0 {
		i.Slow = i.Slow.cut(i.At, *a.cut, limit.Recover)
	}
	k := slices.IndexFunc(i.Members, func(m member) bool { return m.ID == a.id })
	if k < 0 {
		k = len(i.Members)
		i.Members = append(i.Members, member{ID: a.id, Got: i.At - share})
	}
	m := &i.Members[k]
	gave := i.grant(a, m, limit)
	i.Level -= gave * micro
	m.Left, m.Until, m.Asked, m.Wants = a.left+gave, i.At+a.lease, i.At, a.wants
	if gave > 0 {
		m.Got = i.At
	}
	if a.block == 0 && m.Left == 0 {
		i.Members = slices.Delete(i.Members, k, k+1) // it left
	}
	return gave
}

// giveBack puts what a process has left into the bucket again.
func (i *item) giveBack(id string, left int64, at time.Duration, limit Limit) {
	i.advance(max(i.At, at), limit)
	k := slices.IndexFunc(i.Members, func(m member) bool { return m.ID == id })
	if k < 0 {
		return // the lease is over, and what was left of it is forfeit
	}
	back := min(left, i.Members[k].Left)
	i.Members = slices.Delete(i.Members, k, k+1)
	i.Level = min(i.Level+back*micro, i.room())
}

// share is the span whose demand is set aside for others before one is given all that he wants.
const share = 200 * time.Millisecond

// grant says how much more a member gets. While there is plenty, what he wants; when it gets scarce, his fair share
// of the rate for the time since he last got something; what he needs at least if it is there.
func (i *item) grant(a ask, m *member, limit Limit) int64 {
	there := i.Level / micro
	want := min(a.block-a.left, there)
	if want <= 0 {
		return 0
	}
	need := max(0, a.need-a.left)
	if need > there {
		need = 0 // what does not suffice helps nobody
	}
	var others float64
	for _, o := range i.Members {
		if o.ID != a.id && i.At-o.Asked < memberKeep {
			others += o.Wants
		}
	}
	spare := there - int64(math.Ceil(others*share.Seconds()))
	if want <= spare/2 {
		return want
	}
	fair := spare / 2
	if limit.Tokens > 0 {
		since := min(max(i.At-m.Got, 0), time.Second)
		fair = max(fair, int64(i.fairRate(a, limit)*since.Seconds()))
	}
	return min(want, max(fair, need))
}

// fairRate divides the rate among those who want some of it: nobody gets more than he wants, and what he leaves is
// divided among the others.
func (i *item) fairRate(a ask, limit Limit) float64 {
	wants := []float64{a.wants}
	for _, o := range i.Members {
		if o.ID != a.id && i.At-o.Asked < memberKeep && o.Wants > 0 {
			wants = append(wants, o.Wants)
		}
	}
	slices.Sort(wants)
	rest := i.rate(limit)
	for k, w := range wants {
		even := rest / float64(len(wants)-k)
		if w >= even || w >= a.wants {
			return even
		}
		rest -= w
	}
	return rest
}

// rate returns the tokens a second that the bucket gives now.
func (i *item) rate(limit Limit) float64 { return limit.rate() * i.Slow.factor(i.At, limit.Recover) }

// full reports whether the bucket is as it would be if it did not exist.
func (i *item) full() bool {
	return len(i.Members) == 0 && i.Level >= i.Burst*micro && i.Slow == slow{}
}

func (i *item) clone() item {
	c := *i
	c.Members = slices.Clone(i.Members)
	return c
}

func (i *item) member(id string) member {
	for _, m := range i.Members {
		if m.ID == id {
			return m
		}
	}
	return member{}
}

// likes reports whether the stored m says nearly the same as now, so that now need not be written.
func (m member) likes(now member, lease time.Duration) bool {
	return m.ID != "" && m.Left == now.Left && now.Until-m.Until < lease/2 && now.Asked-m.Asked < memberKeep/4 &&
		math.Abs(now.Wants-m.Wants) <= m.Wants/4
}
