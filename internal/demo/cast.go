package demo

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
)

// cast is who the demo sends to: mostly healthy devices, and the share of
// trouble that real lists have.
type cast struct{ tokens []string }

// The mix, per mille: 1 % are gone, 0.3 % invalid, 2 % fail once and work then.
// The names are the simulator's scripts.
func mix() []struct {
	prefix   string
	perMille int
} {
	return []struct {
		prefix   string
		perMille int
	}{
		{"sim-unregistered-", 10},
		{"sim-invalid-", 3},
		{"sim-unavailable-1-", 4},
		{"sim-internal-1-", 4},
		{"sim-quota-1-", 12},
	}
}

func newCast(n int) *cast {
	const tokenBytes = 152 // as today's registration tokens
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
	r := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same cast every time
	c := &cast{tokens: make([]string, n)}
	for i := range c.tokens {
		token := []byte(fmt.Sprintf("%s%06d:", prefixOf(r.IntN(1000)), i))
		for len(token) < tokenBytes {
			token = append(token, alphabet[r.IntN(len(alphabet))])
		}
		c.tokens[i] = string(token)
	}
	return c
}

func prefixOf(draw int) string {
	for _, m := range mix() {
		if draw < m.perMille {
			return m.prefix
		}
		draw -= m.perMille
	}
	return "device-"
}

// write makes the recipients file, a line for each.
func (c *cast) write(path string) error {
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
func (c *cast) devices() io.Reader {
	r, w := io.Pipe()
	go func() {
		enc := json.NewEncoder(w)
		for i, t := range c.tokens {
			if err := enc.Encode(map[string]any{"id": fmt.Sprintf("demo-%06d", i), "token": t, "platform": "android", "user_id": fmt.Sprintf("user-%d", i)}); err != nil {
				return // the reader is gone
			}
		}
		_ = w.Close()
	}()
	return r
}
