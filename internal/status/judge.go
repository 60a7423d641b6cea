package status

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
)

// The reasons for which notifications wait, as the reports have them.
const (
	reasonDeferred   = "deferred"
	reasonBrake      = "brake"
	reasonCredential = "credential"
	reasonBreaker    = "breaker"
	reasonQuota      = "quota"
	reasonSick       = "sick"
)

const (
	// outboxLate is from when on something in the outbox is late: the sweeper comes every few seconds.
	outboxLate = time.Minute
	// diskLow and diskFull are the parts of a disk, or the bytes, that are little and too little.
	diskLow, diskFull           = 0.10, 0.02
	diskLowBytes, diskFullBytes = 1 << 30, 128 << 20
)

// facts are what is judged.
type facts struct {
	*Status

	seen   []Seen
	known  bool // seen is what was read
	outbox time.Time
	tenant string // "": the platform
}

// judge finds the problems, the worst first, and puts the first into words. It reads nothing.
func (f *facts) judge() {
	if f.tenant == "" {
		f.ofStore()
		f.ofProcesses()
		f.ofCredentials()
	}
	f.ofPauses()
	f.ofRunning()
	if f.tenant == "" {
		f.ofChecks()
		f.ofDisk()
		f.ofMissing()
	}
	slices.SortStableFunc(f.Problems, func(a, b Problem) int {
		switch {
		case a.Health.worse(b.Health):
			return -1
		case b.Health.worse(a.Health):
			return 1
		}
		return 0
	})
	f.Health = OK
	if len(f.Problems) > 0 {
		f.Health = f.Problems[0].Health
	}
	f.Headline = f.headline()
}

func (f *facts) headline() string {
	if len(f.Problems) == 0 {
		s := "Everything works"
		if f.tenant == "" {
			s += ": " + count(len(f.seen), "process", "processes")
		}
		if len(f.Running) == 0 {
			return s + ", nothing is under way."
		}
		return s + ", " + f.under(f.Running) + " under way."
	}
	p := &f.Problems[0]
	s := p.What
	if !p.Since.IsZero() {
		s += " since " + clockOf(p.Since, f.At)
	}
	if p.Why != "" {
		s += ": " + p.Why
	}
	if more := len(f.Problems) - 1; more > 0 {
		s += fmt.Sprintf(" (and %s)", count(more, "other problem", "other problems"))
	}
	return s + "."
}

// clockOf is a time in words: 03:12:04 UTC, with its day unless that is today.
func clockOf(at, now time.Time) string {
	if now.Sub(at).Abs() < 12*time.Hour {
		return at.UTC().Format("15:04:05 UTC")
	}
	return at.UTC().Format("2006-01-02 15:04 UTC")
}

// count is a number of things: 1 process, 3 processes.
func count[N int | int64](n N, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return humanize.Comma(int64(n)) + " " + many
}

// under says how much some of what runs is: 12 notifications with 4,000 open recipients.
func (f *facts) under(some []Running) string {
	var open int64
	counted := true
	for i := range some {
		open += some[i].Open
		counted = counted && some[i].Counted
	}
	s := count(len(some), "notification", "notifications")
	if len(some) == len(f.Running) && f.More {
		s, counted = "more than "+s, false
	}
	if counted || open > 0 {
		least := ""
		if !counted {
			least = "at least "
		}
		s += " with " + least + count(open, "open recipient", "open recipients")
	}
	return s
}

// affected says who waits for one of some reasons.
func (f *facts) affected(reasons ...string) string {
	var some []Running
	var names []string
	for i := range f.Running {
		if w := &f.Running[i]; slices.Contains(reasons, w.Reason) {
			some = append(some, *w)
			if !slices.Contains(names, w.Tenant) {
				names = append(names, w.Tenant)
			}
		}
	}
	if len(some) == 0 {
		return "nothing waits"
	}
	s := f.under(some)
	if f.tenant != "" {
		return s
	}
	return s + " of " + tenants(names)
}

// tenants names some of them.
func tenants(names []string) string {
	const most = 3
	if len(names) == 1 {
		return "tenant " + names[0]
	}
	if len(names) > most {
		return fmt.Sprintf("tenants %s and %d others", strings.Join(names[:most], ", "), len(names)-most)
	}
	return "tenants " + strings.Join(names, ", ")
}

func (f *facts) add(p Problem) { f.Problems = append(f.Problems, p) }

func (f *facts) ofStore() {
	if f.Store.Error != "" {
		f.add(Problem{
			Health: Failing, What: "The store does not answer", Affected: "everybody: nothing is accepted", Why: f.Store.Error,
			Do: "see belfry doctor",
		})
	}
}

// ofProcesses finds the programs that nobody runs.
func (f *facts) ofProcesses() {
	if !f.known {
		return
	}
	silent := map[bool]*Seen{} // the one heard of last, by whether it sends
	accepts, sends := false, false
	for i := range f.seen {
		p := &f.seen[i]
		door := p.Kind == KindIngest || p.Kind == KindAllInOne
		if !p.Silent {
			accepts, sends = accepts || door, sends || p.Sends()
			continue
		}
		for _, is := range []bool{true, false} {
			if is == p.Sends() && (silent[is] == nil || p.At.After(silent[is].At)) {
				silent[is] = p
			}
		}
	}
	everybody := "everybody: " + f.under(f.Running)
	if len(f.Running) == 0 {
		everybody = "nobody yet: nothing is under way"
	}
	switch {
	case sends:
	case silent[true] != nil:
		p := silent[true]
		f.add(Problem{
			Health: Failing, What: "Nothing is sent", Affected: everybody, Since: p.At,
			Why: fmt.Sprintf("no dispatcher has been heard from for %v, the last was %s", short(p.Age), p.ID),
			Do:  "start it, or see why it hangs; what it had in hand comes back by itself",
		})
	default:
		f.add(Problem{Health: Failing, What: "Nothing is sent", Affected: everybody, Why: "no dispatcher runs", Do: "start one"})
	}
	if !accepts {
		f.add(Problem{
			Health: Failing, What: "Nothing is accepted", Affected: "everybody who sends", Why: "no ingest runs", Do: "start one",
		})
	}
	for i := range f.seen {
		p := &f.seen[i]
		if !p.Silent || p == silent[true] && !sends {
			continue
		}
		f.add(Problem{
			Health: Degraded, What: p.Kind + " " + p.ID + " is silent", Affected: "what it had in hand waits until its queue gives it to others",
			Since: p.At, Why: fmt.Sprintf("not heard from for %v", short(p.Age)),
			Do: "see whether it lives; if it was stopped for good, this goes away by itself",
		})
	}
}

// short is a duration as people say it: seconds, from two minutes on minutes.
func short(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	}
	return fmt.Sprintf("%d h", int(d.Hours()))
}

// mostly is the share of failures from which on FCM fails most requests. A throttle holds on below it while FCM recovers.
const mostly = 0.5

func (f *facts) ofCredentials() {
	stopped := 0
	for i := range f.Credentials {
		if c := &f.Credentials[i]; c.Breaker == breakerOpen || c.Refused != "" {
			stopped++
		}
	}
	worst := Degraded
	if stopped > 0 && stopped == len(f.Credentials) {
		worst = Failing
	}
	for i := range f.Credentials {
		c := &f.Credentials[i]
		if c.Override != nil {
			f.add(f.override(c))
		}
		switch {
		case c.Refused != "":
			f.add(Problem{
				Health: worst, What: "Google refuses the credential " + c.Label, Affected: f.affected(reasonCredential, reasonBreaker), Why: c.Refused,
				Do: "replace it: belfry app credential",
			})
		case c.Override != nil && c.Override.State == c.Breaker:
		case c.Breaker == breakerOpen || c.Breaker == breakerHalfOpen:
			f.add(f.breaker(c, worst))
		case c.PausedUntil.After(f.At):
			f.add(Problem{
				Health: Degraded, What: "FCM's quota for " + c.Label + " is used up", Affected: f.affected(reasonQuota),
				Why: "it asked to wait until " + clockOf(c.PausedUntil, f.At), Do: "wait: sending goes on by itself, slower",
			})
		case c.Throttled:
			// How long that is so, nobody keeps; c.Since is the breaker's.
			p := Problem{
				Health: Degraded, What: "FCM fails most requests of " + c.Label, Affected: f.affected(reasonSick),
				Why: fmt.Sprintf("%.0f %% of the latest failed, so that few are made", 100*c.Sick),
				Do:  "wait: sending goes on by itself as FCM recovers",
			}
			if c.Sick < mostly {
				p.What, p.Why = "FCM has failed most requests of "+c.Label, "it recovers; few are made until enough of them succeed"
			}
			f.add(p)
		case c.Stale:
			f.add(Problem{
				Health: Degraded, What: "The shared quota of " + c.Label + " cannot be asked", Affected: "nobody, unless processes come or go",
				Why: "its bucket is away; processes go on with their last share",
			})
		}
	}
}

// override tells of a breaker that an operator holds. That is intended, and degraded, so that nobody forgets it.
func (f *facts) override(c *CredentialSum) Problem {
	o := c.Override
	p := Problem{
		Health: Degraded, What: "The breaker of " + c.Label + " is forced " + o.State, Since: o.Since, Why: o.By + " asked for it",
		Affected: f.affected(reasonBreaker), Do: "belfry breaker reset '" + c.Label + "', when sending may go on",
	}
	if o.State != breakerOpen {
		p.Affected = "nobody while FCM is well; in an outage deliveries use up their attempts"
		p.Do = "belfry breaker reset '" + c.Label + "', so that it opens in an outage again"
	}
	if !o.Until.IsZero() {
		p.Why += " until " + clockOf(o.Until, f.At)
	}
	if o.Reason != "" {
		p.Why += ", because: " + o.Reason
	}
	return p
}

func (f *facts) breaker(c *CredentialSum, worst Health) Problem {
	p := Problem{
		Health: worst, What: "FCM does not answer for " + c.Label, Affected: f.affected(reasonBreaker), Since: c.Since,
		Why: "the breaker is open", Do: "wait: a few requests find out when FCM is back, and sending goes on by itself",
	}
	if c.Breaker == breakerHalfOpen {
		p.Health, p.Why = Degraded, "the breaker is half-open"
	} else if c.Until.After(f.At) {
		p.Why += " until " + clockOf(c.Until, f.At)
	}
	if c.Cause != "" {
		p.Why += " (" + c.Cause + ")"
	}
	return p
}

func (f *facts) ofPauses() {
	for i := range f.Pauses {
		p := &f.Pauses[i]
		one := Problem{
			Health: Degraded, What: upper(p.What) + " is paused", Since: p.Since, Why: p.By + " asked for it", Do: "belfry resume " + p.ID,
		}
		if p.Reason != "" {
			one.Why += ", because: " + p.Reason
		}
		var some []Running
		for k := range f.Running {
			if w := &f.Running[k]; p.stops(w) {
				some = append(some, *w)
			}
		}
		one.Affected = "nothing waits"
		if len(some) > 0 {
			one.Affected = f.under(some)
		}
		f.add(one)
	}
}

func upper(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// ofRunning finds what waits for somebody. A tenant, who sees no credentials, learns of FCM here.
func (f *facts) ofRunning() {
	first := func(reason string) *Running {
		for i := range f.Running {
			if f.Running[i].Reason == reason {
				return &f.Running[i]
			}
		}
		return nil
	}
	if w := first(reasonBrake); w != nil {
		f.add(Problem{
			Health: Degraded, What: "Notifications are held by the brake", Affected: f.affected(reasonBrake), Why: w.Waiting,
			Do: "mend the cause, then belfry notification resume " + w.ID + ", or cancel it",
		})
	}
	refused := slices.ContainsFunc(f.Credentials, func(c CredentialSum) bool { return c.Refused != "" })
	if w := first(reasonCredential); w != nil && !refused {
		f.add(Problem{
			Health: Degraded, What: "An app has no usable credential", Affected: f.affected(reasonCredential), Why: w.App + ": " + w.Waiting,
			Do: "give it one: belfry app credential",
		})
	}
	if !f.outbox.IsZero() && f.At.Sub(f.outbox) > outboxLate {
		f.add(Problem{
			Health: Degraded, What: "Accepted notifications are not on their queue",
			Affected: "the oldest was accepted at " + clockOf(f.outbox, f.At),
			Since:    f.outbox, Why: "the outbox is late", Do: "see whether the queue takes messages: belfry doctor",
		})
	}
	if f.tenant == "" {
		return
	}
	for _, reason := range []string{reasonBreaker, reasonQuota, reasonSick, reasonDeferred} {
		if w := first(reason); w != nil {
			f.add(Problem{
				Health: Degraded, What: "Sending is held back", Affected: f.affected(reason), Why: w.Waiting, Do: "wait: it goes on by itself",
			})
		}
	}
}

// ofChecks finds what processes miss.
func (f *facts) ofChecks() {
	for i := range f.seen {
		p := &f.seen[i]
		for k := range p.Checks {
			c := &p.Checks[k]
			if p.Silent || c.Status == string(OK) || f.toldOtherwise(c) {
				continue
			}
			f.add(Problem{
				Health: Degraded, What: "Check " + c.Name + " of " + p.Kind + " " + p.ID + " fails", Affected: "what that process does",
				Since: c.Since, Why: c.Reason, Do: "see belfry doctor",
			})
		}
	}
}

// toldOtherwise reports whether a check says what a credential has said.
func (f *facts) toldOtherwise(c *Check) bool {
	told := func(s CredentialSum) bool { return s.Refused != "" || s.Stale }
	return strings.Contains(c.Name, "FCM") && slices.ContainsFunc(f.Credentials, told)
}

func (f *facts) ofDisk() {
	d := f.Store.Disk
	if d == nil || d.Total <= 0 {
		return
	}
	part := float64(d.Free) / float64(d.Total)
	p := Problem{
		What: "The disk is nearly full", Affected: "everybody, when it is full",
		Why: fmt.Sprintf("%s free of %s (%.0f %%)", humanize.IBytes(uint64(max(0, d.Free))), humanize.IBytes(uint64(d.Total)), 100*part),
		Do:  "make room, or a bigger disk",
	}
	switch {
	case part < diskFull && d.Free < diskLowBytes || d.Free < diskFullBytes:
		p.Health = Failing
	case part < diskLow && d.Free < 10*diskLowBytes || d.Free < diskLowBytes:
		p.Health = Degraded
	default:
		return
	}
	f.add(p)
}

func (f *facts) ofMissing() {
	for _, m := range f.Missing {
		if f.Store.Error != "" {
			return // it says so already
		}
		if m.Reason == errPending.Error() {
			continue // a moment later it is known
		}
		f.add(Problem{Health: Degraded, What: "Not known: " + m.Part, Affected: "whoever reads this", Why: m.Reason, Do: "see belfry doctor"})
	}
}
