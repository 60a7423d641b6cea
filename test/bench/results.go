package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Round is what each contender did in one round.
type Round map[string]Sample

// Results are all rounds and what they come to.
type Results struct {
	plan

	Go     string    `json:"go"`
	Cores  int       `json:"cores"`
	Begun  time.Time `json:"begun"`
	Rounds []Round   `json:"round"`
	// Medians are of the rounds, ratios within a round to its baseline.
	Medians map[string]Sample `json:"medians"`
	Ratios  map[string]Ratio  `json:"ratios"`
	// FirstSend is the rate of the pipeline with unknown devices, as a share of that with known ones.
	FirstSend float64 `json:"first_send_ratio"`
}

// Ratio is a contender's figures, divided by the baseline's of the same round.
type Ratio struct {
	Rate   float64 `json:"rate"`
	CPU    float64 `json:"cpu"`
	Allocs float64 `json:"allocs"`
}

func median(rounds []Round, of func(Round) float64) float64 {
	all := make([]float64, len(rounds))
	for i, r := range rounds {
		all[i] = of(r)
	}
	slices.Sort(all)
	return (all[(len(all)-1)/2] + all[len(all)/2]) / 2
}

// summarize works out everything else from the rounds.
func (r *Results) summarize() {
	r.Medians, r.Ratios = map[string]Sample{}, map[string]Ratio{}
	if len(r.Rounds) == 0 {
		return
	}
	for _, name := range contenders() {
		of := func(f func(Sample) float64) float64 {
			return median(r.Rounds, func(round Round) float64 { return f(round[name]) })
		}
		to := func(f func(Sample) float64) float64 {
			return median(r.Rounds, func(round Round) float64 { return f(round[name]) / f(round[plainName]) })
		}
		r.Medians[name] = Sample{Rate: of(rate), CPU: of(cpu), Allocs: of(allocs), RSS: of(rss), Others: of(others)}
		r.Ratios[name] = Ratio{Rate: to(rate), CPU: to(cpu), Allocs: to(allocs)}
	}
	r.FirstSend = median(r.Rounds, func(round Round) float64 { return round[unknownName].Rate / round[knownName].Rate })
}

func rate(s Sample) float64   { return s.Rate }
func cpu(s Sample) float64    { return s.CPU }
func allocs(s Sample) float64 { return s.Allocs }
func rss(s Sample) float64    { return s.RSS }
func others(s Sample) float64 { return s.Others }

// label is a contender in words.
func label(name string) string {
	return map[string]string{
		plainName: "net/http, body built before", senderName: "Belfry's sender alone", knownName: "pipeline, known devices",
		unknownName: "pipeline, unknown devices", officialName: "SendEachForMulticast",
	}[name]
}

// table shows the results in 80 columns.
func (r *Results) table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %d cores, %s: %d rounds of %d notifications, FCM stand-in\nover TLS at %v, %d requests under way; medians\n\n",
		r.Begun.Format(time.DateTime), r.Cores, r.Go, len(r.Rounds), r.Recipients, r.Latency, r.InFlight)
	fmt.Fprintf(&b, "%-27s %7s %6s %7s %6s %6s %7s %6s\n", "", "rate/s", "ratio", "CPU µs", "ratio", "allocs", "RSS MiB", "others")
	for _, name := range contenders() {
		m, to := r.Medians[name], r.Ratios[name]
		fmt.Fprintf(&b, "%-27s %7.0f %6.2f %7.1f %6.2f %6.1f %7.0f %4.0f %%\n", label(name), m.Rate, to.Rate, m.CPU, to.CPU, m.Allocs, m.RSS,
			m.Others*100)
	}
	fmt.Fprintf(&b, "\nfirst send to unknown devices: %.0f %% of the rate to known ones\n", r.FirstSend*100)
	return b.String()
}
