package sendapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"sync"
	"time"
	"unsafe"

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
	// Body is the request as it came in, on one line.
	Body json.RawMessage `json:"body,omitempty"`
}

// blockSize is how many records are allocated at a time, and blockBytes how much they may hold: large enough to be rare,
// small enough to be dropped at once.
const (
	blockSize  = 4096
	blockBytes = 1 << 20
)

// record is an acceptance in its compact form.
type record struct {
	at      int64 // Unix nanoseconds
	tmpl    *template
	address string
}

// recordBytes is what a record takes beside its address and its template.
const recordBytes = int64(unsafe.Sizeof(record{}))

// block is a piece of the ledger. Only the last one grows.
type block struct {
	first   uint64 // the position of its first record
	n       int
	bytes   int64
	records [blockSize]record
}

// ledger is the list of accepted messages, the last ones of them: so many, and so many bytes, at most, but for a block.
// Adding takes one short lock and, in most cases, no allocation; everything that is costly is worked out by readers. It is
// safe for concurrent use.
type ledger struct {
	most      uint64 // 0: no limit
	mostBytes int64

	mu      sync.Mutex
	blocks  []*block
	n       uint64
	bytes   int64
	dropped uint64 // the oldest ones, which are not there any more
	offset  uint64 // records before the last reset, so that names never repeat
}

// add appends a record that holds so many bytes, and returns its number, which is never given out again. over reports
// that the oldest records are to be dropped.
func (l *ledger) add(r record, bytes int64) (number uint64, over bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var b *block
	if len(l.blocks) > 0 {
		b = l.blocks[len(l.blocks)-1]
	}
	if b == nil || b.n == blockSize || b.bytes >= blockBytes {
		b = &block{first: l.n}
		l.blocks = append(l.blocks, b)
	}
	b.records[b.n] = r
	b.n++
	b.bytes += bytes
	l.bytes += bytes
	l.n++
	return l.offset + l.n, l.over()
}

// over reports whether the first block is one too many. The lock is held.
func (l *ledger) over() bool {
	if l.most == 0 || len(l.blocks) < 2 {
		return false
	}
	first := l.blocks[0]
	return l.n-l.dropped-uint64(first.n) >= l.most || l.bytes-first.bytes >= l.mostBytes //nolint:gosec // at most blockSize
}

// trim drops the oldest blocks while there are too many, but none beyond a position.
func (l *ledger) trim(before uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.over() {
		first := l.blocks[0]
		end := first.first + uint64(first.n) //nolint:gosec // at most blockSize
		if end > before {
			return
		}
		l.bytes -= first.bytes
		l.blocks, l.dropped = l.blocks[1:], end
	}
}

// gone returns how many records were dropped.
func (l *ledger) gone() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dropped
}

// since iterates over the records from position i, or the first that is there, up to those present at the call.
// Records are never changed, so the lock is not held meanwhile.
func (l *ledger) since(i uint64) iter.Seq2[uint64, *record] {
	l.mu.Lock()
	blocks, n, offset := slices.Clone(l.blocks), l.n, l.offset
	l.mu.Unlock()
	return func(yield func(uint64, *record) bool) {
		for at, b := range blocks {
			end := n
			if at+1 < len(blocks) {
				end = blocks[at+1].first
			}
			for i := max(i, b.first); i < end; i++ {
				if !yield(offset+i+1, &b.records[i-b.first]) {
					return
				}
			}
		}
	}
}

func (l *ledger) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.offset += l.n
	l.blocks, l.n, l.bytes, l.dropped = nil, 0, 0, 0
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
	if withBody {
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
