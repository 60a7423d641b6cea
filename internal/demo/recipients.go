package demo

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
)

// recipients are the devices that the demo sends to: mostly healthy ones, and the share of
// trouble that real lists have.
type recipients struct {
	tokens []string
	kinds  []int // of each token, an index into mix; -1 is a healthy device
}

// kind is a kind of trouble that is mixed in.
type kind struct {
	prefix   string // the simulator decides by it
	perMille int
	about    string
}

// mix is what is mixed in: 1 % are gone, 0.3 % invalid, 2 % fail once and work
// then, 0.5 % fail as often as Belfry tries, and become dead letters.
func mix() []kind {
	return []kind{
		{"sim-unregistered-", 10, "app uninstalled (404 UNREGISTERED)"},
		{"sim-invalid-", 3, "token malformed (400 INVALID_ARGUMENT)"},
		{"sim-unavailable-1-", 4, "FCM unavailable, once (503)"},
		{"sim-internal-1-", 4, "FCM broken, once (500)"},
		{"sim-quota-1-", 12, "FCM's quota used up, once (429)"},
		{fmt.Sprintf("sim-internal-%d-", attempts), 5, fmt.Sprintf("FCM broken, %d times (500)", attempts)},
	}
}

// newRecipients returns n devices with some kinds of trouble among them.
func newRecipients(n int, trouble []kind) *recipients {
	const tokenBytes = 152 // as today's registration tokens
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
	r := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same devices every time
	c := &recipients{tokens: make([]string, n), kinds: make([]int, n)}
	for i := range c.tokens {
		prefix := "device-"
		if c.kinds[i] = draw(trouble, r.IntN(1000)); c.kinds[i] >= 0 {
			prefix = trouble[c.kinds[i]].prefix
		}
		token := []byte(fmt.Sprintf("%s%06d:", prefix, i))
		for len(token) < tokenBytes {
			token = append(token, alphabet[r.IntN(len(alphabet))])
		}
		c.tokens[i] = string(token)
	}
	return c
}

// draw returns the kind of trouble for a number of 0..999, -1 for none.
func draw(trouble []kind, n int) int {
	for i, k := range trouble {
		if n < k.perMille {
			return i
		}
		n -= k.perMille
	}
	return -1
}

// write makes the recipients file, a line for each.
func (c *recipients) write(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600) //nolint:gosec // our own directory
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	for _, t := range c.tokens {
		_, _ = fmt.Fprintf(w, "{\"token\":%q}\n", t)
	}
	if err := w.Flush(); err != nil {
		_ = f.Close()
		return err
	}
	return f.Close()
}

// devices streams one registration per token.
func (c *recipients) devices() io.Reader {
	r, w := io.Pipe()
	go func() {
		enc := json.NewEncoder(w)
		for i, t := range c.tokens {
			if err := enc.Encode(
				map[string]any{"id": fmt.Sprintf("demo-%06d", i), "token": t, "platform": "android", "user_id": fmt.Sprintf("user-%d", i)},
			); err != nil {
				return // the reader is gone
			}
		}
		_ = w.Close()
	}()
	return r
}
