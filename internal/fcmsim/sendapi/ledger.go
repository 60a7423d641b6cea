package sendapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"iter"
	"strconv"
	"sync"
	"time"

	"github.com/belfry-push/belfry/internal/fcmsim/protojson"
)

// Accepted is one message that the simulator accepted.
type Accepted struct {
	// Kind is the member of the target union: token, fid, topic or condition.
	Kind string `json:"-"`
	// Token is the registration token or installation id; empty for topics and conditions.
	Token string `json:"token"`
	// Name is the answer's resource name, projects/{project}/messages/{id}, different for every acceptance.
	Name string `json:"name"`
	// BelfryID is message.data.belfry_id, empty if the message has none.
	BelfryID string `json:"belfry_id"`
	// At is when the message was accepted, which is before the answer's latency.
	At time.Time `json:"at"`
	// Body is the request as it came in, on one line; nil once the body budget is used up.
	Body json.RawMessage `json:"body,omitempty"`
}

// blockSize is how many records are allocated at a time: large enough to be rare, small enough for a short test.
const blockSize = 4096

// record is an acceptance in its compact form.
type record struct {
	at      int64 // Unix nanoseconds
	tmpl    *template
	address string
}

// ledger is the list of accepted messages. Adding takes one short lock and, in most cases, no allocation; everything
// that is costly is worked out by readers. It is safe for concurrent use.
type ledger struct {
	mu     sync.Mutex
	blocks []*[blockSize]record
	n      uint64
	offset uint64 // records before the last reset, so that names never repeat
}

// add appends a record and returns its number, which is never given out again.
func (l *ledger) add(r record) uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.n%blockSize == 0 {
		l.blocks = append(l.blocks, new([blockSize]record))
	}
	l.blocks[l.n/blockSize][l.n%blockSize] = r
	l.n++
	return l.offset + l.n
}

// since iterates over the records from position i up to those present at the call. Records are never changed, so the
// lock is not held meanwhile.
func (l *ledger) since(i uint64) iter.Seq2[uint64, *record] {
	l.mu.Lock()
	blocks, n, offset := l.blocks, l.n, l.offset
	l.mu.Unlock()
	return func(yield func(uint64, *record) bool) {
		for ; i < n; i++ {
			if !yield(offset+i+1, &blocks[i/blockSize][i%blockSize]) {
				return
			}
		}
	}
}

func (l *ledger) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.offset += l.n
	l.blocks, l.n = nil, 0
}

// expand turns a record into what is shown of it.
func (s *API) expand(number uint64, r *record, withBody bool) Accepted {
	at := time.Unix(0, r.at)
	a := Accepted{
		Kind: r.tmpl.target.String(), BelfryID: r.tmpl.belfryID, At: at.UTC(),
		Name: string(s.appendName(nil, number, at)),
	}
	if r.tmpl.target == protojson.TargetToken || r.tmpl.target == protojson.TargetFID {
		a.Token = r.address
	}
	if withBody && r.tmpl.kept {
		a.Body = r.body()
	}
	return a
}

// body puts the request together again, without line breaks between its tokens.
func (r *record) body() json.RawMessage {
	whole := make([]byte, 0, len(r.tmpl.prefix)+len(r.address)+len(r.tmpl.suffix))
	whole = append(whole, r.tmpl.prefix...)
	if r.tmpl.suffix != nil {
		whole = append(append(whole, r.address...), r.tmpl.suffix...)
	}
	if bytes.IndexByte(whole, '\n') < 0 {
		return whole
	}
	var line bytes.Buffer
	if err := json.Compact(&line, whole); err != nil { // it was decoded when it was accepted
		panic(fmt.Errorf("fcmsim: compact an accepted body: %w", err))
	}
	return line.Bytes()
}

// appendName appends the resource name of an accepted message. The id looks like FCM's: "0:", the time in
// microseconds, "%" and sixteen hexadecimal digits.
func (s *API) appendName(b []byte, number uint64, at time.Time) []byte {
	const digits = "0123456789abcdef"
	b = append(b, s.namePrefix...)
	b = strconv.AppendInt(b, at.UnixMicro(), 10)
	b = append(b, '%')
	id := mix(s.cfg.Seed + number)
	for shift := 60; shift >= 0; shift -= 4 {
		b = append(b, digits[id>>shift&15])
	}
	return b
}
