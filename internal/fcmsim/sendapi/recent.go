package sendapi

// recent is a map that forgets: it holds the last keys that were set or asked for, at least so many and
// less than twice as many. 0 is no limit.
type recent[K comparable, V any] struct {
	least      int
	young, old map[K]V
}

func newRecent[K comparable, V any](least int) recent[K, V] {
	return recent[K, V]{least: least, young: make(map[K]V)}
}

func (r *recent[K, V]) get(k K) (V, bool) {
	v, ok := r.young[k]
	if !ok {
		if v, ok = r.old[k]; ok {
			r.set(k, v)
		}
	}
	return v, ok
}

func (r *recent[K, V]) set(k K, v V) {
	r.young[k] = v
	if r.least > 0 && len(r.young) >= r.least {
		r.old, r.young = r.young, make(map[K]V)
	}
}

func (r *recent[K, V]) clear() { r.young, r.old = make(map[K]V), nil }
