package guard

import "container/heap"

const (
	// mostWeight bounds a tenant's weight, and with that how far a line remembers.
	mostWeight = 100
	// credit is how many requests a tenant may catch up on that was away while others
	// were served. Who asks for one request at a time is away for the moment between
	// the answer to one and the asking for the next: without credit it would lose its
	// turn each time that several were let go in one go. It bounds what a tenant can get
	// beyond its share: 16 requests.
	credit = 16
)

// Weights tells how much of a credential's quota a tenant gets when there is not enough
// for all: twice the weight, twice the requests.
type Weights interface {
	// Weight returns 1 to 100; what is out of range is taken for the nearest. It is asked
	// for each request that has to wait, so it must answer from memory.
	Weight(tenant string) int
}

// fairQueue is where requests of several tenants wait for a common resource, and says who is
// next: start-time fair queueing (Goyal, Vin and Cheng, SIGCOMM 1996). Each tenant has a
// virtual time, which advances by 1/weight with each request that is let go; the tenant
// whose virtual time is least is next. Within a tenant TrafficHigh goes first, then
// whoever came first.
//
// A tenant is served after at most one request of each other tenant, however many of
// those wait (for equal weights), and shares over a stretch of time differ by a few
// requests from what the weights say. Adding and taking cost O(log tenants that wait).
// It remembers tenants that wait, and those that were served within the last credit
// rounds. Not safe for concurrent use: the pacer's lock guards it.
type fairQueue struct {
	flows   map[string]*flow
	waiting flowHeap // flows with places
	idle    []*flow  // flows without, in the order in which that came about
	places  int
	weight  float64 // of all flows that wait
	virtual float64 // start tag of the request that was let go last
	joined  uint64  // flows that began to wait so far: of equals the first is next
}

// flow is a tenant in the line.
type flow struct {
	tenant string
	weight float64
	start  float64 // tag of the next request
	seq    uint64
	at     int // in the heap, or away
	high   places
	others places
	queued bool // in fairQueue.idle, perhaps although it waits again
}

// away is the position of a flow that is not in the heap.
const away = -1

// place is one request in the line.
type place struct {
	flow       *flow
	traffic    Traffic
	prev, next *place
	told       chan answer // holds one
}

// answer ends a wait in the line: leave, or that this kind of traffic has to stop.
type answer struct {
	turn turn
	ok   bool
}

// places is a doubly linked list, oldest first.
type places struct {
	first, last *place
	n           int
}

func (l *places) add(p *place) {
	p.prev, p.next = l.last, nil
	if l.last != nil {
		l.last.next = p
	} else {
		l.first = p
	}
	l.last = p
	l.n++
}

func (l *places) remove(p *place) {
	if p.prev != nil {
		p.prev.next = p.next
	} else {
		l.first = p.next
	}
	if p.next != nil {
		p.next.prev = p.prev
	} else {
		l.last = p.prev
	}
	l.n--
}

func (f *flow) of(t Traffic) *places {
	if t == TrafficHigh {
		return &f.high
	}
	return &f.others
}

// ahead returns how many requests would be let go, of all tenants, before one that joins
// now.
func (l *fairQueue) ahead(tenant string, weight int, t Traffic) float64 {
	w, all, own := float64(weight), l.weight, 0
	if f, ok := l.flows[tenant]; ok && f.at != away {
		all -= f.weight
		if own = f.high.n; t != TrafficHigh {
			own += f.others.n
		}
	}
	return min(float64(l.places), float64(own)*(all+w)/w)
}

// join adds a request.
func (l *fairQueue) join(tenant string, weight int, t Traffic) *place {
	f, ok := l.flows[tenant]
	if !ok {
		f = &flow{tenant: tenant, start: l.virtual, at: away}
		if l.flows == nil {
			l.flows = map[string]*flow{}
		}
		l.flows[tenant] = f
	}
	if f.at == away {
		f.weight = float64(weight)
		f.start = max(f.start, l.virtual-credit/f.weight)
		l.joined++
		f.seq = l.joined
		heap.Push(&l.waiting, f)
	} else {
		l.weight -= f.weight
		f.weight = float64(weight)
	}
	l.weight += f.weight
	p := &place{flow: f, traffic: t, told: make(chan answer, 1)}
	f.of(t).add(p)
	l.places++
	return p
}

// next takes the request out of the line whose turn it is; there must be one.
func (l *fairQueue) next() *place {
	f := l.waiting[0]
	p := f.high.first
	if p == nil {
		p = f.others.first
	}
	l.virtual = max(l.virtual, f.start)
	f.start += 1 / f.weight
	if f.high.n+f.others.n > 1 {
		heap.Fix(&l.waiting, 0)
	}
	l.leave(p)
	return p
}

// leave takes a request out of the line.
func (l *fairQueue) leave(p *place) {
	f := p.flow
	f.of(p.traffic).remove(p)
	l.places--
	if f.high.n+f.others.n > 0 {
		return
	}
	heap.Remove(&l.waiting, f.at)
	l.weight -= f.weight
	if len(l.waiting) == 0 {
		l.weight = 0 // no rounding errors are carried along
	}
	if !f.queued {
		f.queued = true
		l.idle = append(l.idle, f)
	}
	l.forget()
}

// forget drops tenants that have nothing left to remember: two looked at for each that
// is added.
func (l *fairQueue) forget() {
	for range min(2, len(l.idle)) {
		f := l.idle[0]
		switch {
		case f.at != away:
			f.queued = false
		case f.start > l.virtual-credit/f.weight:
			return
		default:
			delete(l.flows, f.tenant)
		}
		l.idle[0] = nil
		l.idle = l.idle[1:]
	}
}

// clear forgets all tenants; none may wait.
func (l *fairQueue) clear() { *l = fairQueue{} }

// refuse takes all requests of a kind of traffic, and of worse ones, out of the line.
func (l *fairQueue) refuse(from Traffic) {
	for _, f := range append(flowHeap(nil), l.waiting...) {
		for _, list := range []*places{&f.high, &f.others} {
			for p := list.first; p != nil; {
				next := p.next
				if p.traffic >= from {
					l.leave(p)
					p.told <- answer{}
				}
				p = next
			}
		}
	}
}

// flowHeap is a heap of flows by the tag of their next request.
type flowHeap []*flow

func (h flowHeap) Len() int { return len(h) }

func (h flowHeap) Less(i, j int) bool {
	a, b := h[i], h[j]
	return a.start < b.start || a.start == b.start && a.seq < b.seq
}

func (h flowHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].at, h[j].at = i, j
}

func (h *flowHeap) Push(x any) {
	f := x.(*flow) //nolint:errcheck,forcetypeassert // the heap holds nothing else
	f.at = len(*h)
	*h = append(*h, f)
}

func (h *flowHeap) Pop() any {
	old := *h
	f := old[len(old)-1]
	old[len(old)-1] = nil
	f.at = away
	*h = old[:len(old)-1]
	return f
}
