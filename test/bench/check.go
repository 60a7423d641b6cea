package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// Committed are ratios that a later run is compared with.
type Committed struct {
	plan // as they were measured

	// Tolerance is how much worse a ratio may be, as a share of it.
	Tolerance float64          `json:"tolerance"`
	Ratios    map[string]Ratio `json:"ratios"`
	FirstSend float64          `json:"first_send_ratio"`
}

// tolerance is what ratios were seen to differ by from run to run, and some more.
const tolerance = 0.15

// ours are the contenders that a change of Belfry's can make worse.
func ours() []string { return []string{senderName, knownName, unknownName} }

func (r *Results) committed() Committed {
	c := Committed{plan: r.plan, Tolerance: tolerance, Ratios: map[string]Ratio{}, FirstSend: r.FirstSend}
	for _, name := range ours() {
		c.Ratios[name] = r.Ratios[name]
	}
	return c
}

func readCommitted(file string) (Committed, error) {
	var c Committed
	if err := readJSON(file, &c); err != nil {
		return c, err
	}
	for _, name := range ours() {
		if was := c.Ratios[name]; was.Rate <= 0 || was.CPU <= 0 {
			return c, fmt.Errorf("bench: %s has no ratios of %s: write it anew with -commit %s", file, name, file)
		}
	}
	if c.Tolerance <= 0 {
		return c, fmt.Errorf("bench: %s: tolerance: must be above 0", file)
	}
	return c, nil
}

// comparable says so if a run is of another size: ratios depend on it, as what a start costs is spread over fewer.
func (c *Committed) comparable(file string, p plan) error {
	if c.Recipients == p.Recipients && c.InFlight == p.InFlight && c.Latency == p.Latency {
		return nil
	}
	return fmt.Errorf("bench: %s is of -n %d -inflight %d -latency %v, which -n %d -inflight %d -latency %v cannot be compared with",
		file, c.Recipients, c.InFlight, c.Latency, p.Recipients, p.InFlight, p.Latency)
}

// check fails with what has become worse than the committed ratios.
func check(file string, r Results, out io.Writer) error {
	c, err := readCommitted(file)
	if err == nil {
		err = c.comparable(file, r.plan)
	}
	if err != nil {
		return err
	}
	var worse, better []string
	compare := func(what string, was, is float64, less bool) {
		if was <= 0 {
			return
		}
		change := is/was - 1
		line := fmt.Sprintf("  %-42s %.3f, committed %.3f: %+.0f %%", what, is, was, change*100)
		if less {
			change = -change
		}
		switch {
		case change < -c.Tolerance:
			worse = append(worse, line)
		case change > c.Tolerance:
			better = append(better, line)
		}
	}
	for _, name := range ours() {
		is, was := r.Ratios[name], c.Ratios[name]
		compare(label(name)+", rate", was.Rate, is.Rate, false)
		compare(label(name)+", CPU", was.CPU, is.CPU, true)
		compare(label(name)+", allocs", was.Allocs, is.Allocs, true)
	}
	compare("unknown devices to known ones, rate", c.FirstSend, r.FirstSend, false)
	if len(worse) > 0 {
		return fmt.Errorf("bench: worse than %s by more than %.0f %% (ratios to net/http of the same round):\n%s%s",
			file, c.Tolerance*100, strings.Join(worse, "\n"), r.noise())
	}
	_, err = fmt.Fprintf(out, "no ratio is worse than in %s by more than %.0f %%\n", file, c.Tolerance*100)
	if len(better) > 0 {
		_, more := fmt.Fprintf(out, "better; -commit %s keeps it:\n%s\n", file, strings.Join(better, "\n"))
		err = errors.Join(err, more)
	}
	return err
}

// noise says so when others had much of the machine.
func (r *Results) noise() string {
	const quiet = 0.1
	for _, name := range contenders() {
		if share := r.Medians[name].Others; share > quiet {
			return fmt.Sprintf("\nothers took %.0f %% of the machine meanwhile: try again when it is quiet", share*100)
		}
	}
	return ""
}

// The marks of a document's table.
const (
	begin = "<!-- bench: begin -->"
	end   = "<!-- bench: end -->"
)

// update writes the table between a document's marks.
func update(file, table string) error {
	return replace(file, begin, end, "```text\n"+strings.TrimRight(table, "\n")+"\n```\n")
}

// replace writes a text between two marks of a document.
func replace(file, begin, end, with string) error {
	text, err := os.ReadFile(file) //nolint:gosec // the user named it
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	before, rest, ok := strings.Cut(string(text), begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		return fmt.Errorf("bench: %s has no place for the table: a line %s and a later one %s", file, begin, end)
	}
	whole := before + begin + "\n" + with + end + after
	return os.WriteFile(file, []byte(whole), 0o644) //nolint:gosec // a document, for all to read
}
