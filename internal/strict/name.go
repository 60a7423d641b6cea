package strict

import (
	"bytes"
)

// name is where an object's name stands, without its quotes.
type name struct {
	from, to int
	escaped  bool
}

// name reads an object's next name, which none before it may equal.
func (s *scanner) name(f *frame) *Error {
	const many = 16
	at := s.at
	n, err := s.quoted()
	if err != nil {
		return err
	}
	before := s.names.n - f.first
	s.names.add(n)
	f.named = true
	twice := false
	switch {
	case f.seen != nil:
		key := string(s.unescaped(n))
		_, twice = f.seen[key]
		f.seen[key] = struct{}{}
	case before == many:
		f.seen = make(map[string]struct{}, 2*many)
		for i := f.first; i < s.names.n; i++ {
			f.seen[string(s.unescaped(*s.names.at(i)))] = struct{}{}
		}
		twice = len(f.seen) <= many
	default:
		for i := f.first; i < f.first+before && !twice; i++ {
			twice = s.same(s.names.at(i), &n)
		}
	}
	if twice {
		err := s.fault(at, "is there twice in one object, for the second time at byte %d: give it once", at)
		err.Twice = true
		return err
	}
	return nil
}

func (s *scanner) same(a, b *name) bool {
	if !a.escaped && !b.escaped {
		return bytes.Equal(s.text[a.from:a.to], s.text[b.from:b.to])
	}
	return bytes.Equal(s.unescaped(*a), s.unescaped(*b))
}

// names is a stack of names. It is not one slice so that a scanner with few
// names stays off the heap.
type names struct {
	n    int
	few  [64]name
	more []name // beyond few
}

func (s *names) at(i int) *name {
	if i < len(s.few) {
		return &s.few[i]
	}
	return &s.more[i-len(s.few)]
}

func (s *names) add(x name) {
	if s.n < len(s.few) {
		s.few[s.n] = x
	} else {
		s.more = append(s.more[:s.n-len(s.few)], x)
	}
	s.n++
}

// cut keeps the first n.
func (s *names) cut(n int) { s.n = n }
