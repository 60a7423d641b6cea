package sendapi

import (
	"bytes"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/belfry-push/belfry/internal/fcmsim/protojson"
	"github.com/belfry-push/belfry/internal/message"
)

// template is a valid request body with the address cut out. A sender that fans one message out produces the same
// template again and again, so the verdict of the decoder is kept with it: a body that equals a known template around
// a plain string is the same JSON but for that string, hence as valid as the first one.
type template struct {
	prefix, suffix []byte
	validateOnly   bool
	target         protojson.Target
	belfryID       string
	identity       uint64 // equal for messages that count as the same: same belfry_id, or else same template

	counted atomic.Bool // its bytes, as those of the first record that is of it
}

// bytes is what the template takes, and the map's entry for it.
func (t *template) bytes() int64 {
	const entry = 32
	return int64(unsafe.Sizeof(*t)) + int64(len(t.prefix)+len(t.suffix)+len(t.belfryID)) + entry
}

// match returns the address in a body that was made from the template.
func (t *template) match(body []byte) (address []byte, ok bool) {
	end := len(body) - len(t.suffix)
	if end <= len(t.prefix) || !bytes.HasPrefix(body, t.prefix) || !bytes.HasSuffix(body, t.suffix) {
		return nil, false
	}
	address = body[len(t.prefix):end]
	return address, protojson.IsPlain(address)
}

// templates is the store of templates that were in use of late, some budget's worth. Those beyond live on in their
// records alone. It is safe for concurrent use.
type templates struct {
	schema *message.Type
	seed   maphash.Seed
	budget int64
	last   atomic.Pointer[template] // the one that matched last; most often the next one too

	mu    sync.RWMutex
	known map[uint64]*template
	bytes int64 // of the known
}

func newTemplates(budget int64) *templates {
	return &templates{
		schema: protojson.Schema(), seed: maphash.MakeSeed(), budget: budget, known: make(map[uint64]*template),
	}
}

// read returns the template and the address of a request, or the answer that refuses it. It does not keep body.
func (s *templates) read(body []byte) (*template, string, *Answer) {
	if t := s.last.Load(); t != nil {
		if address, ok := t.match(body); ok {
			return t, string(address), nil
		}
	}
	if start, end := protojson.GuessAddress(body); start < end {
		if t := s.find(body[:start], body[end:]); t != nil && protojson.IsPlain(body[start:end]) {
			s.last.Store(t)
			return t, string(body[start:end]), nil
		}
	}
	req, refusal := protojson.Decode(s.schema, body)
	if refusal != nil {
		return nil, "", refusedBody(refusal)
	}
	return s.intern(body, req), req.Address, nil
}

// find returns the template around an address: the decoder finds it where the template was stored, or not at all.
func (s *templates) find(prefix, suffix []byte) *template {
	s.mu.RLock()
	t := s.known[s.hash(prefix, suffix)]
	s.mu.RUnlock()
	if t == nil || !bytes.Equal(t.prefix, prefix) || !bytes.Equal(t.suffix, suffix) {
		return nil
	}
	return t
}

// intern returns the template of a decoded body, and remembers it. When the budget is used up it begins anew.
func (s *templates) intern(body []byte, req protojson.Request) *template {
	prefix, suffix := body, []byte(nil)
	if req.Start < req.End {
		prefix, suffix = body[:req.Start], body[req.End:]
	}
	if t := s.find(prefix, suffix); t != nil {
		return t
	}
	t := &template{
		prefix: bytes.Clone(prefix), suffix: bytes.Clone(suffix), validateOnly: req.ValidateOnly, target: req.Target, belfryID: req.BelfryID,
	}
	key := s.hash(prefix, suffix)
	t.identity = key
	if req.BelfryID != "" {
		t.identity = maphash.String(s.seed, req.BelfryID)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bytes += t.bytes(); s.bytes > s.budget {
		clear(s.known)
		s.bytes = t.bytes()
	}
	s.known[key] = t
	if req.Start < req.End {
		s.last.Store(t)
	}
	return t
}

func (s *templates) hash(prefix, suffix []byte) uint64 {
	return mix(maphash.Bytes(s.seed, prefix)) ^ maphash.Bytes(s.seed, suffix)
}

// reset forgets all templates. Those in use stay valid for their users.
func (s *templates) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.known)
	s.bytes = 0
	s.last.Store(nil)
}
