package batch

import (
	"container/list"
	"hash/maphash"
	"sync"

	"github.com/belfry-push/belfry/internal/push"
)

// indexes keeps what this process knows of the recipients of batches that are being
// uploaded, within a budget of memory. Nothing of it is durable: a missing index is read
// from the stored pages again.
//
// An index that no upload uses is dropped, least recently used first, when another one
// needs its memory. An index in use is never dropped, so that parallel uploads cannot make
// each other read their pages again and again: without memory, later recipients are not
// remembered, and the batch says so (Progress.UncheckedFrom).
type indexes struct {
	seed maphash.Seed // so that nobody can make up recipients that collide
	most int          // bytes

	mu   sync.Mutex
	used int // bytes
	byID map[push.ID]*list.Element
	idle *list.List // of all *remembered, the one used last in front
}

// remembered is one batch's index, in step with its pages. Its user holds the mutex.
type remembered struct {
	sync.Mutex

	id    push.ID
	index index
	pages int   // the index holds the recipients of so many pages
	gap   int64 // the first line that there was no memory for; 0 if none

	users int // guarded by indexes.mu
}

// emptyBytes is the memory of an empty index: its 64 segments, and its entries in list
// and map. It counts, because a process sees more small batches than it can remember.
const emptyBytes = 4 << 10

func newIndexes(most int) *indexes {
	return &indexes{seed: maphash.MakeSeed(), most: most, byID: map[push.ID]*list.Element{}, idle: list.New()}
}

// use returns a batch's index, to be given back to release.
func (x *indexes) use(id push.ID) *remembered {
	x.mu.Lock()
	defer x.mu.Unlock()
	at, ok := x.byID[id]
	if !ok {
		x.makeRoom(emptyBytes)
		x.used += emptyBytes // an upload can't do without
		at = x.idle.PushFront(&remembered{id: id})
		x.byID[id] = at
	}
	x.idle.MoveToFront(at)
	r := in(at)
	r.users++
	return r
}

func (x *indexes) release(r *remembered) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if r.users--; r.users == 0 && r.gap > 0 {
		x.drop(x.byID[r.id]) // another time there may be memory for all of it
	}
}

// reserve takes bytes from the budget; false means that running uploads use all of it.
func (x *indexes) reserve(bytes int) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.makeRoom(bytes) {
		return false
	}
	x.used += bytes
	return true
}

// makeRoom drops unused indexes until there is room for bytes.
func (x *indexes) makeRoom(bytes int) bool {
	for at := x.idle.Back(); at != nil && x.used+bytes > x.most; {
		before := at.Prev()
		if in(at).users == 0 {
			x.drop(at)
		}
		at = before
	}
	return x.used+bytes <= x.most
}

// over drops the index of a batch that takes no recipients any more.
func (x *indexes) over(id push.ID) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if at, ok := x.byID[id]; ok && in(at).users == 0 {
		x.drop(at)
	}
}

func (x *indexes) drop(at *list.Element) {
	r := in(at)
	x.idle.Remove(at)
	delete(x.byID, r.id)
	x.used -= emptyBytes + r.index.bytes
}

// in returns the index of a list element; the list holds nothing else.
func in(at *list.Element) *remembered {
	r, _ := at.Value.(*remembered)
	return r
}

// hash returns a hash of what the recipient's line names: a token, an installation, a user
// or a device.
func (x *indexes) hash(r *push.Recipient) uint64 {
	var h maphash.Hash
	h.SetSeed(x.seed)
	kind, value := "device", string(r.DeviceID)
	switch {
	case !r.Address.IsZero():
		kind, value = string(r.Address.Kind), r.Address.Value.Reveal()
	case r.UserID != "":
		kind, value = "user", r.UserID
	}
	_, _ = h.WriteString(kind) // never fails
	_ = h.WriteByte(':')
	_, _ = h.WriteString(value)
	return h.Sum64()
}

// learn adds the next page's recipients.
func (x *indexes) learn(m *remembered, rs []push.Recipient) {
	for i := range rs {
		r := &rs[i]
		if r.DuplicateOf > 0 {
			continue
		}
		if !m.index.add(x.hash(r), r.Line, x.reserve) && m.gap == 0 {
			m.gap = r.Line
		}
	}
	m.pages++
}
