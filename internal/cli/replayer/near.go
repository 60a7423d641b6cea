package replayer

import (
	"context"
	"fmt"
	"strings"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/cli/display"
	"github.com/belfry-push/belfry/internal/cli/progress"
	"github.com/belfry-push/belfry/internal/replay/predict"
	"github.com/belfry-push/belfry/internal/strict"
)

// orNear turns the answer that no letter matches into one that says what is near: the same
// letters in other states, and what the filter takes without one of its parts. Other errors
// it returns as they are.
func (c *act) orNear(ctx context.Context, d *session, err error) error {
	if !client.IsProblem(err, "nothing_matches") {
		return err
	}
	lines := []string{"no dead letter matches: nothing is parked that the filter takes"}
	near, failed := c.near(ctx, d)
	if failed != nil {
		return failed
	}
	lines = append(lines, near...)
	if len(near) == 0 {
		lines = append(lines, "nothing is parked at all: dlq-replayer drain"+d.suffix+" moves letters from the queues into the store")
	} else {
		lines = append(lines, "dlq-replayer groups"+d.suffix+" shows what there is")
	}
	return display.Nothingf("%s", strings.Join(lines, "\n"))
}

// part is one part of a filter.
type part struct {
	flag  string
	given bool
	drop  func(*client.DeadLetterFilter)
	// by are the sums of letters by what the part is about; nil for parts without such.
	by   func(*client.DeadLetterStats) map[string]int64
	want string
}

// named copies sums under plain names.
func named[K ~string](m map[K]int64) map[string]int64 {
	out := make(map[string]int64, len(m))
	for k, n := range m {
		out[string(k)] = n
	}
	return out
}

func (c *act) parts() []part {
	return []part{
		{
			"--code", c.Code != "", func(f *client.DeadLetterFilter) { f.Code = "" },
			func(s *client.DeadLetterStats) map[string]int64 { return named(s.ByCode) }, string(c.Code),
		},
		{
			"--class", c.Class != "", func(f *client.DeadLetterFilter) { f.Class = "" },
			func(s *client.DeadLetterStats) map[string]int64 { return named(s.ByClass) }, string(c.Class),
		},
		{
			"--queue", c.Queue != "", func(f *client.DeadLetterFilter) { f.Queue = "" },
			func(s *client.DeadLetterStats) map[string]int64 { return s.ByQueue }, c.Queue,
		},
		{
			"--tenant", c.Tenant != "", func(f *client.DeadLetterFilter) { f.Tenant = "" },
			func(s *client.DeadLetterStats) map[string]int64 { return s.ByTenant }, c.Tenant,
		},
		{
			"--app", c.App != "", func(f *client.DeadLetterFilter) { f.App = "" },
			func(s *client.DeadLetterStats) map[string]int64 { return s.ByApp }, c.App,
		},
		{"--fingerprint", c.Fingerprint != "", func(f *client.DeadLetterFilter) { f.Fingerprint = "" }, nil, ""},
		{"--notification", c.Notification != "", func(f *client.DeadLetterFilter) { f.Notification = "" }, nil, ""},
		{"--label", c.Label != "", func(f *client.DeadLetterFilter) { f.Label = "" }, nil, ""},
		{"--text", c.Text != "", func(f *client.DeadLetterFilter) { f.Text = "" }, nil, ""},
		{"--older", c.Older > 0, func(f *client.DeadLetterFilter) { f.Older = "" }, nil, ""},
		{"--younger", c.Younger > 0, func(f *client.DeadLetterFilter) { f.Younger = "" }, nil, ""},
	}
}

// near lists what is near the filter, a line each. Single ids have no neighbours: they are
// left out of it.
func (c *act) near(ctx context.Context, d *session) ([]string, error) {
	filter := c.filter()
	filter.IDs = nil
	var out []string
	if c.chosen != (chosen{}) {
		here, err := d.DeadLetterStats(ctx, filter)
		if err != nil {
			return nil, err
		}
		for _, state := range sorted(here.ByState) {
			if n := here.ByState[state]; n > 0 && state != client.DeadLetterParked {
				out = append(out, fmt.Sprintf("%s that match are %s", letterCount(n), state))
			}
		}
	}
	for _, p := range c.parts() {
		if !p.given {
			continue
		}
		wider := filter
		p.drop(&wider)
		s, err := d.DeadLetterStats(ctx, wider)
		if err != nil {
			return nil, err
		}
		if n := s.ByState[client.DeadLetterParked]; n > 0 {
			out = append(out, fmt.Sprintf("without %s: %s%s", p.flag, letterCount(n), p.values(&s)))
		}
	}
	if len(out) > 0 {
		return out, nil
	}
	s, err := d.DeadLetterStats(ctx, client.DeadLetterFilter{})
	if err != nil {
		return nil, err
	}
	if n := s.ByState[client.DeadLetterParked]; n > 0 {
		out = append(out, "without a filter: "+letterCount(n))
	}
	return out, nil
}

// values lists what the letters have in place of what the part asks for.
func (p *part) values(s *client.DeadLetterStats) string {
	if p.by == nil {
		return ""
	}
	by := p.by(s)
	names := sorted(by)
	return ", with " + strings.TrimPrefix(p.flag, "--") + " " + listed(names, by) + strict.DidYouMean(p.want, names)
}

// letterCount counts letters.
func letterCount(n int64) string {
	if n == 1 {
		return "1 letter"
	}
	return progress.Group(n) + " letters"
}

// wouldSendNothing says why nothing of a simulation would be sent, and what changes that.
func wouldSendNothing(s *client.Simulation) error {
	lines := []string{fmt.Sprintf("nothing to send: none of the %s that match would be sent", letterCount(s.Total))}
	for _, p := range sorted(s.Counts) {
		line := fmt.Sprintf("%s: %s", p, progress.Group(s.Counts[p]))
		if remedy := remedies()[predict.Prediction(p)]; remedy != "" {
			line += "; " + remedy
		}
		lines = append(lines, line)
	}
	return display.Nothingf("%s", strings.Join(lines, "\n"))
}

// remedies say what lets letters go that a replay would leave parked.
func remedies() map[predict.Prediction]string {
	return map[predict.Prediction]string{
		predict.AlreadyDelivered: "they have arrived: discard them",
		predict.MaybeDelivered:   "at most once: they are never sent again; discard them",
		predict.Settled:          "they have another outcome by now: discard them",
		predict.InDelivery:       "their chunks are under way: try again later",
		predict.Expired:          "--expire-after 1h gives them a new deadline",
		predict.Cancelled:        "their notification was cancelled: discard them",
		predict.Paused:           "resume their notification first: belfry notification resume ID, belfry batch resume ID",
		predict.DeviceGone:       "the address is another's by now: discard them",
		predict.Quarantined:      "their devices are in quarantine: belfry devices restore ID",
		predict.OptedOut:         "their users do not want it: discard them",
		predict.NotificationGone: "the ledger no longer knows their notification: discard them",
		predict.PatchInvalid:     "the patch does not fit their messages: try it with dlq-replayer simulate",
		predict.Unsendable:       "dlq-replayer show ID says why",
		predict.Taken:            "another replay has them",
	}
}
