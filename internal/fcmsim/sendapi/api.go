package sendapi

import (
	"iter"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/belfry-push/belfry/internal/fcmsim/oauth"
)

// Config is what an API is built from. It must be valid: whoever builds one checks its own settings.
type Config struct {
	// Project is the Firebase project id that answers are for.
	Project string
	// Tokens are the access tokens that are asked for; nil asks for none and takes every project.
	Tokens *oauth.Tokens
	// Latency is what an answer takes, and QuotaPerMinute how many sends are taken a minute, 0 for no limit, until they
	// are set otherwise and again after a reset.
	Latency        Latency
	QuotaPerMinute int
	// RetryAfter is sent with the scripted QUOTA_EXCEEDED and UNAVAILABLE answers, in whole seconds, rounded up;
	// negative: the header is left out.
	RetryAfter time.Duration
	// Keep is how many accepted messages are kept, and KeepBytes how many bytes they may take: the oldest are dropped. With
	// a Keep of 0 all are kept.
	Keep      int
	KeepBytes int64
	// Seed makes latency, shares and message names repeat from run to run.
	Seed uint64
	// Now is the clock of outages, quota and access tokens.
	Now func() time.Time
}

// API is the send endpoint of one project. It is safe for concurrent use.
type API struct {
	cfg        Config
	namePrefix string
	okHeader   http.Header // of the answer to an accepted message

	bodies     *templates
	script     *script
	outage     *outage
	substitute *substitute
	refusals   refusals
	latency    *delay
	quota      *quota

	ledger   *ledger
	uniques  *uniqueCounts
	counters counters
	epoch    atomic.Uint64 // grows with every reset

	refused  map[string]Verdict // by reason: bearer tokens that are not welcome
	stopping chan struct{}      // closed when hung requests must end
	stop     sync.Once
	scratch  sync.Pool // of *Scratch
}

// knownTemplates is how many bytes of templates are looked through for a new body: those of thousands of different messages.
const knownTemplates = 8 << 20

// New builds the API.
func New(cfg Config) *API {
	chance := &randomSource{seed: cfg.Seed}
	s := &API{
		cfg:        cfg,
		namePrefix: "projects/" + cfg.Project + "/messages/0:",
		okHeader:   http.Header{"Content-Type": {"application/json; charset=UTF-8"}},
		bodies:     newTemplates(knownTemplates),
		script:     newScript(retryAfterHeader(cfg.RetryAfter), cfg.Keep),
		outage:     &outage{random: chance},
		substitute: &substitute{random: chance},
		latency:    &delay{random: chance},
		quota:      &quota{},
		ledger:     &ledger{most: uint64(cfg.Keep), mostBytes: cfg.KeepBytes}, //nolint:gosec // not negative
		uniques:    newUniqueCounts(cfg.Keep),
		refused:    make(map[string]Verdict),
		stopping:   make(chan struct{}),
	}
	s.scratch.New = func() any { return &Scratch{} }
	for _, reason := range []string{oauth.ReasonMissing, oauth.ReasonUnknown, oauth.ReasonExpired} {
		s.refused[reason] = answered(unauthenticated(reason))
	}
	s.Reset()
	return s
}

func retryAfterHeader(d time.Duration) string {
	if d < 0 {
		return ""
	}
	return strconv.FormatInt(wholeSeconds(d), 10)
}

// wholeSeconds rounds up to seconds, and to at least one.
func wholeSeconds(d time.Duration) int64 { return max(1, int64((d+time.Second-1)/time.Second)) }

// Stop ends requests that hang; later ones end at once.
func (s *API) Stop() { s.stop.Do(func() { close(s.stopping) }) }

// Stats returns what happened so far.
func (s *API) Stats() Stats {
	st := Stats{ByCode: make(map[string]uint64), Connections: s.counters.connections.Load()}
	for c := range codeCount {
		if n := s.counters.byCode[c].Load(); n > 0 {
			st.ByCode[c.String()] = n
			st.Requests += n
		}
	}
	st.Accepted, st.UniqueTokens, st.Duplicates = s.uniques.update(s.ledger)
	st.Dropped = s.ledger.gone()
	return st
}

// Accepted iterates over the messages accepted up to now that are kept, oldest first, with or without their bodies. It holds no lock
// while it runs.
func (s *API) Accepted(withBody bool) iter.Seq[Accepted] {
	return func(yield func(Accepted) bool) {
		for number, r := range s.ledger.since(0) {
			if !yield(s.expand(number, r, withBody)) {
				return
			}
		}
	}
}

// SetOutage begins, changes or, with share 0, ends an outage. The error names every field that is wrong.
func (s *API) SetOutage(o Outage) error {
	if err := o.validate(); err != nil {
		return err
	}
	s.outage.set(o, s.cfg.Now())
	return nil
}

// SetSubstitute lets somebody else answer in FCM's place, changes that or, with share 0, ends it. The error names every
// field that is wrong.
func (s *API) SetSubstitute(with Substitute) error {
	if err := with.validate(); err != nil {
		return err
	}
	s.substitute.set(with, s.cfg.Now())
	return nil
}

// SetRefusal makes FCM refuse what goes to a platform or, with an empty As, ends that. The error names every field that
// is wrong.
func (s *API) SetRefusal(r Refusal) error {
	if err := r.validate(); err != nil {
		return err
	}
	s.refusals.set(r)
	return nil
}

// SetLatency changes how long answers take from here on. The error is that of [Latency.Validate].
func (s *API) SetLatency(l Latency) error {
	if err := l.Validate(); err != nil {
		return err
	}
	s.latency.set(l)
	return nil
}

// SetQuota changes the number of sends a minute, 0 for no limit, and begins a new minute.
func (s *API) SetQuota(perMinute int) { s.quota.set(perMinute) }

// Reset forgets messages, figures and the history of scripted tokens, ends outage, substitute and refusals, and returns
// latency and quota to their configured values. Connections and access tokens stay.
func (s *API) Reset() {
	s.epoch.Add(1)
	s.uniques.reset(s.ledger)
	s.counters.reset()
	s.script.reset()
	s.bodies.reset()
	s.outage.set(Outage{}, s.cfg.Now())
	s.substitute.set(Substitute{}, s.cfg.Now())
	s.refusals.reset()
	s.latency.set(s.cfg.Latency)
	s.quota.set(s.cfg.QuotaPerMinute)
}
