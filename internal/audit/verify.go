package audit

import (
	"cmp"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/belfry-push/belfry/internal/strict"
)

// Fault is a kind of tampering.
type Fault string

// The faults that verification tells apart.
const (
	FaultEdited    Fault = "edited"    // an entry is not what its hash says
	FaultMissing   Fault = "missing"   // sequence numbers are left out
	FaultReordered Fault = "reordered" // an entry stands at another place than its number says
	FaultDuplicate Fault = "duplicate" // an entry is there twice
	FaultInserted  Fault = "inserted"  // another entry has a number that is taken
	FaultForeign   Fault = "foreign"   // it belongs to another tenant
	FaultForged    Fault = "forged"    // a head is not signed by a key that is trusted
	FaultRewritten Fault = "rewritten" // entries fit each other, and not the head that was signed
	FaultTruncated Fault = "truncated" // a head was signed for more entries than there are
	FaultUnsigned  Fault = "unsigned"  // no head covers the last entries
	FaultMalformed Fault = "malformed" // it can't be read
)

// NoteClock says that an entry is older than the one before it, which clocks of different machines do by themselves.
const NoteClock = "clock"

// Finding is something wrong at a place.
type Finding struct {
	Fault  Fault  `json:"fault"`
	Seq    int64  `json:"seq"`    // the first sequence number that is affected; 0 if there is none
	Until  int64  `json:"until"`  // the last one
	Place  string `json:"place"`  // where it stands: a block of the store or a line of the file
	Detail string `json:"detail"` // for people
}

// Report is what a verification found.
type Report struct {
	Tenant  string `json:"tenant"`
	First   int64  `json:"first"` // sequence numbers; 0 in an empty log
	Last    int64  `json:"last"`
	Entries int64  `json:"entries"`
	Heads   int64  `json:"heads"` // signed ones that were checked and hold
	Head    *Head  `json:"head,omitempty"`
	// Since is when the first entry was written that is there. Removed says up to where those before it were removed by
	// retention; nil if none were.
	Since    time.Time   `json:"since,omitzero"`
	Removed  *Checkpoint `json:"removed,omitempty"`
	Findings []Finding   `json:"findings"`
	Notes    []Finding   `json:"notes,omitempty"` // what is odd, and no tampering
	More     int64       `json:"more,omitempty"`  // findings beyond those listed
}

// OK reports whether nothing is wrong.
func (r *Report) OK() bool { return len(r.Findings) == 0 }

// mostFindings bounds a report; what follows from one change is usually one finding.
const mostFindings = 1000

// Verifier checks one tenant's chain, line by line, in the order in which it is stored. It keeps little, however long the
// chain is. It is for one goroutine.
type Verifier struct {
	report  Report
	trusted []ed25519.PublicKey

	next    int64 // sequence number that should come
	prev    Hash  // of the chain before it
	loose   bool  // prev is not known
	last    time.Time
	covered int64 // up to here a head that is signed holds
	began   int64 // sequence number that a chain without a checkpoint begins with
	floor   int64 // up to here a checkpoint says that entries were removed
	missing []Finding
	recent  map[int64]Hash // of the last entries

	given   map[int64]Head      // heads that somebody noted down
	expect  func() (Head, bool) // heads that were kept elsewhere
	stop    func()
	waiting *Head
}

// NewVerifier returns a verifier of a chain that begins with the sequence number first, which is 1 for a whole one; for a
// later one, prev is the hash before it. kept are heads of the tenant that were kept apart from the chain, in their order;
// nil for none. given are heads that somebody noted down, of which Seq and Hash count: they need no signature.
func NewVerifier(tenant string, first int64, prev Hash, trusted []ed25519.PublicKey, kept iter.Seq[Head], given ...Head) *Verifier {
	if first <= 1 {
		first, prev = 1, Genesis(tenant)
	}
	v := &Verifier{
		report: Report{Tenant: tenant, Findings: []Finding{}}, trusted: trusted, next: first, prev: prev, covered: first - 1,
		began:  first,
		recent: map[int64]Hash{}, stop: func() {}, given: map[int64]Head{},
	}
	for _, h := range given {
		v.given[h.Seq] = h
	}
	if kept != nil {
		v.expect, v.stop = iter.Pull(kept)
		v.advance()
		for v.waiting != nil && v.waiting.Seq < first {
			v.advance()
		}
	}
	return v
}

// advance takes the next head that was kept and is signed.
func (v *Verifier) advance() {
	for {
		h, ok := v.expect()
		if !ok {
			v.waiting = nil
			return
		}
		if v.signed("kept head", &h) {
			v.waiting = &h
			return
		}
	}
}

// Checkpoint has the verification go on behind a checkpoint: it stands where the entries would that it says were removed.
// One that is not to be trusted is a finding, and changes nothing: the entries are then missing.
func (v *Verifier) Checkpoint(place string, c Checkpoint) {
	switch why := distrust(v.trusted, c.Key, c.signed(), c.Signature); {
	case c.Tenant != v.report.Tenant:
		v.find(FaultForeign, c.Seq, c.Seq, place, "the checkpoint belongs to tenant %.40q", c.Tenant)
		return
	case why != "":
		v.find(FaultForged, c.Seq, c.Seq, place, "the checkpoint at entry %d is not to be trusted: %s", c.Seq, why)
		return
	case c.Seq < v.next:
		v.find(FaultMalformed, c.Seq, c.Seq, place, "the checkpoint at entry %d removes nothing", c.Seq)
		return
	}
	v.report.Removed = &c
	v.floor, v.covered, v.next, v.prev = c.Seq, c.Seq, c.Seq+1, c.Hash
	v.loose = false
	v.pass(c.Seq, c.Hash)
}

func (v *Verifier) find(f Fault, seq, until int64, place, format string, args ...any) {
	if len(v.report.Findings) >= mostFindings {
		v.report.More++
		return
	}
	v.report.Findings = append(v.report.Findings, Finding{f, seq, until, place, fmt.Sprintf(format, args...)})
}

// Line checks an entry.
func (v *Verifier) Line(place string, l Line) {
	var e Entry
	if strict.Check(l.Entry) != nil || json.Unmarshal(l.Entry, &e) != nil {
		v.find(FaultMalformed, 0, 0, place, "the entry can't be read: it is not the JSON of an entry")
		return
	}
	switch {
	case e.Tenant != v.report.Tenant:
		v.find(FaultForeign, e.Seq, e.Seq, place, "entry %d belongs to tenant %.40q", e.Seq, e.Tenant)
		return
	case e.Seq <= v.floor: // its removal is under way; nobody is shown it
		return
	case e.Seq < v.next:
		v.late(place, e.Seq, l)
		return
	case e.Seq > v.next:
		v.missing = append(v.missing, Finding{FaultMissing, v.next, e.Seq - 1, place, ""})
		v.loose = true
	}
	if hash := Next(v.prev, l.Entry); !v.loose && hash != l.Hash {
		v.find(FaultEdited, e.Seq, e.Seq, place, "entry %d, or the hash beside it, is not what was written: it gives %.12s…, not %.12s…",
			e.Seq, hash, l.Hash)
	}
	v.accept(place, &e, l.Hash)
}

// accept goes on from the hash that stands beside an entry, so that one change is one finding.
func (v *Verifier) accept(place string, e *Entry, hash Hash) {
	const remembered = 4 * MaxEntries
	if e.Time.Before(v.last) {
		v.report.Notes = append(v.report.Notes, Finding{
			NoteClock, e.Seq, e.Seq, place,
			fmt.Sprintf("entry %d is %s older than the one before it: a clock went back, or two machines differ", e.Seq, v.last.Sub(e.Time)),
		})
		if len(v.report.Notes) > mostFindings {
			v.report.Notes = v.report.Notes[:mostFindings]
		}
	}
	v.last = e.Time
	v.report.Entries++
	if v.report.First == 0 {
		v.report.First, v.report.Since = e.Seq, e.Time
	}
	v.report.Last, v.next, v.prev, v.loose = e.Seq, e.Seq+1, hash, false
	delete(v.recent, e.Seq-remembered)
	v.pass(e.Seq, hash)
}

// pass compares the chain's hash up to an entry with the heads of it that are known.
func (v *Verifier) pass(seq int64, hash Hash) {
	v.recent[seq] = hash
	for v.waiting != nil && v.waiting.Seq <= seq {
		if v.waiting.Seq == seq {
			v.agrees("kept head", v.waiting)
		}
		v.advance()
	}
	if h, ok := v.given[seq]; ok && h.Hash != hash {
		v.find(FaultRewritten, 1, seq, "given head", "entry %d has another hash than the head that was given", seq)
	}
}

// late looks at an entry whose number has passed.
func (v *Verifier) late(place string, seq int64, l Line) {
	for i := range v.missing {
		m := &v.missing[i]
		if seq < m.Seq || seq > m.Until {
			continue
		}
		v.find(FaultReordered, seq, seq, place, "entry %d stands behind entry %d", seq, v.next-1)
		rest := []Finding{{FaultMissing, m.Seq, seq - 1, m.Place, ""}, {FaultMissing, seq + 1, m.Until, m.Place, ""}}
		rest = slices.DeleteFunc(rest, func(f Finding) bool { return f.Seq > f.Until })
		v.missing = slices.Replace(v.missing, i, i+1, rest...)
		v.report.Entries++
		return
	}
	if known, ok := v.recent[seq]; ok && known != l.Hash {
		v.find(FaultInserted, seq, seq, place, "there is another entry %d before it", seq)
		return
	}
	v.find(FaultDuplicate, seq, seq, place, "entry %d is there again", seq)
}

// Head checks a head that stands behind an entry.
func (v *Verifier) Head(place string, h Head) {
	switch {
	case h.Tenant != v.report.Tenant:
		v.find(FaultForeign, h.Seq, h.Seq, place, "the head of entry %d belongs to tenant %.40q", h.Seq, h.Tenant)
		return
	case h.Seq <= v.floor || !v.signed(place, &h):
		return
	case h.Seq >= v.next: // the entries between are missing, and its hash is what goes on
		v.missing = append(v.missing, Finding{FaultMissing, v.next, h.Seq, place, ""})
		v.next, v.prev, v.loose = h.Seq+1, h.Hash, false
	}
	if v.agrees(place, &h) && (v.report.Head == nil || h.Seq >= v.report.Head.Seq) {
		v.report.Head, v.covered = &h, h.Seq
	}
}

func (v *Verifier) signed(place string, h *Head) bool {
	if h.Tenant != v.report.Tenant {
		v.find(FaultForeign, h.Seq, h.Seq, place, "the head of entry %d belongs to tenant %.40q", h.Seq, h.Tenant)
		return false
	}
	if why := h.check(v.trusted); why != "" {
		v.find(FaultForged, h.Seq, h.Seq, place, "the head of entry %d is not to be trusted: %s", h.Seq, why)
		return false
	}
	return true
}

// agrees compares a signed head with the entry that it is the head of.
func (v *Verifier) agrees(place string, h *Head) bool {
	hash, ok := v.recent[h.Seq]
	switch {
	case !ok:
		return true // it was noted as missing
	case hash == h.Hash:
		v.report.Heads++
		return true
	}
	from := v.covered + 1
	v.find(FaultRewritten, from, h.Seq, place, "entries %d to %d fit each other, but not the head of entry %d that was signed at %s",
		from, h.Seq, h.Seq, h.Time.UTC().Format(time.RFC3339))
	v.covered = h.Seq
	if h.Seq == v.next-1 {
		v.prev = h.Hash // what was signed is what the next entry was written behind
	}
	return false
}

// Malformed notes a place that can't be read.
func (v *Verifier) Malformed(place, why string) { v.find(FaultMalformed, 0, 0, place, "%s", why) }

// Finish returns the report.
func (v *Verifier) Finish() Report {
	end := v.next - 1
	var beyond *Head
	for v.waiting != nil {
		beyond = v.waiting
		v.advance()
	}
	v.stop()
	if beyond != nil {
		v.truncated(beyond, end, "it was kept apart")
	}
	for _, h := range v.given {
		if h.Seq > end {
			v.truncated(&h, end, "it was given")
		}
	}
	if v.floor > 0 && end == v.floor {
		v.find(FaultTruncated, end+1, end+1, "end", "nothing stands behind the checkpoint at entry %d: retention always leaves something", end)
	}
	for _, m := range v.missing {
		what := fmt.Sprintf("entries %d to %d are not there", m.Seq, m.Until)
		if m.Seq == m.Until {
			what = fmt.Sprintf("entry %d is not there", m.Seq)
		}
		if m.Seq == max(v.floor, v.began-1)+1 {
			what += ", and no checkpoint says that they were removed"
		}
		v.find(m.Fault, m.Seq, m.Until, m.Place, "%s", what)
	}
	if v.covered < v.report.Last {
		v.find(FaultUnsigned, v.covered+1, v.report.Last, "end", "no head that is signed covers entries %d to %d", v.covered+1, v.report.Last)
	}
	slices.SortStableFunc(v.report.Findings, func(a, b Finding) int { return cmp.Compare(a.Seq, b.Seq) })
	return v.report
}

// truncated notes that entries up to a head are not there any more.
func (v *Verifier) truncated(h *Head, end int64, how string) {
	when := ""
	if !h.Time.IsZero() {
		when = ", signed at " + h.Time.UTC().Format(time.RFC3339)
	}
	v.find(FaultTruncated, end+1, h.Seq, "end", "the log ends with entry %d, but there is a head of entry %d (%s%s)", end, h.Seq, how, when)
}
