package privacy

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/push"
)

// set is a list without repetitions, in the order in which it grew.
type set[T comparable] struct {
	has  map[T]bool
	list []T
}

func setOf[T comparable](all []T) *set[T] {
	s := &set[T]{has: map[T]bool{}}
	for _, v := range all {
		s.add(v)
	}
	return s
}

func (s *set[T]) add(v T) {
	if !s.has[v] {
		s.has[v] = true
		s.list = append(s.list, v)
	}
}

func decode(d *document.Document) (Request, error) {
	var q Request
	if err := json.Unmarshal(d.Body, &q); err != nil {
		return q, fmt.Errorf("read privacy request %s: %w", d.Name, err)
	}
	q.version = d.Version
	return q, nil
}

func (r *Room) load(ctx context.Context, id push.ID) (Request, error) {
	d, err := r.cfg.Documents.Document(ctx, kindRequest, string(id))
	if err != nil {
		return Request{}, err
	}
	return decode(&d)
}

// save stores a request on condition that nobody else has since it was read.
func (r *Room) save(ctx context.Context, q *Request) error {
	if err := document.Save(ctx, r.cfg.Documents, kindRequest, string(q.ID), q.version+1, q, r.cfg.Now()); err != nil {
		return fmt.Errorf("save privacy request %s: %w", q.ID, err)
	}
	q.version++
	return nil
}
