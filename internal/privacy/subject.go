package privacy

import (
	"bytes"
	"encoding/json"
	"slices"

	"github.com/belfry-push/belfry/internal/push"
)

// person tells who is meant by a request.
type person struct {
	q       *Request
	keys    *Keys
	hashes  map[Hash]bool
	devices map[push.ID]bool
	sums    map[uint64]bool // push.Address.Hash, which plans have
	mark    uint64          // what stands in plans in place of one
}

func newPerson(q *Request, keys *Keys) *person {
	p := &person{
		q: q, keys: keys, hashes: setOf(q.Hashes).has, devices: setOf(slices.Concat(q.Devices, q.Subject.DeviceIDs)).has,
		sums: map[uint64]bool{}, mark: push.Address{Kind: push.KindToken, Value: push.Token(push.ErasedMark(q.ID))}.Hash(),
	}
	for _, a := range q.Found {
		p.sums[a.Hash()] = true
	}
	return p
}

// is reports whether a recipient is meant, or was, before this request erased it.
func (p *person) is(r *push.Recipient) bool {
	if r.ErasedBy(p.q.ID) || r.DeviceID != "" && p.devices[r.DeviceID] {
		return true
	}
	return r.UserID != "" && p.hashes[p.keys.User(p.q.Tenant, r.UserID)] ||
		r.Address.Kind.IsDevice() && p.hashes[p.keys.Address(p.q.Tenant, r.Address)]
}

// cell reports whether a cell of a plan is meant.
func (p *person) cell(hash uint64) bool { return hash != 0 && (hash == p.mark || p.sums[hash]) }

// rows returns which recipients are meant, by their place.
func (p *person) rows(rs []push.Recipient) map[int]bool {
	hits := map[int]bool{}
	for i := range rs {
		if p.is(&rs[i]) {
			hits[i] = true
		}
	}
	return hits
}

// letter reports whether a dead letter is of the person, or names them in its bytes.
func (p *person) letter(l *push.Letter) bool {
	if l.Kind == push.LetterRecipient {
		return p.is(&l.Recipient)
	}
	return bytes.Contains(l.Body, []byte(push.ErasedMark(p.q.ID))) || !bytes.Equal(p.scrub(l.Body), l.Body)
}

// names are the texts that name the person.
func (p *person) names() []string {
	var all []string
	if u := p.q.Subject.UserID; u != "" {
		all = append(all, u)
	}
	for _, a := range p.q.Found {
		all = append(all, a.Value.Reveal())
	}
	for id := range p.devices {
		all = append(all, string(id))
	}
	return all
}

// scrub returns a body in which every JSON text that names the person is replaced by the mark.
// Names of fields stay, and so does the order of everything.
func (p *person) scrub(body []byte) []byte {
	mark, _ := json.Marshal(push.ErasedMark(p.q.ID)) // a text: it cannot fail
	for _, name := range p.names() {
		quoted, _ := json.Marshal(name)
		body = replaceValues(body, quoted, mark)
	}
	return body
}

// replaceValues replaces texts in JSON that stand where a value does.
func replaceValues(body, old, by []byte) []byte {
	var out []byte
	rest := body
	for {
		at := bytes.Index(rest, old)
		if at < 0 {
			break
		}
		end := at + len(old)
		out = append(out, rest[:at]...)
		if next := bytes.TrimLeft(rest[end:], " \t\r\n"); len(next) > 0 && next[0] == ':' {
			out = append(out, old...)
		} else {
			out = append(out, by...)
		}
		rest = rest[end:]
	}
	return append(out, rest...)
}
