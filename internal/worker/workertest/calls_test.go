package workertest_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/belfry-push/belfry/internal/worker/workertest"
)

func TestCalls(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		choose  func(*workertest.Calls)
		effects []bool // of five calls
		errors  []bool
	}{
		{"none", func(*workertest.Calls) {}, []bool{true, true, true, true, true}, []bool{false, false, false, false, false}},
		{
			"the second fails", func(c *workertest.Calls) { c.Fail(2, false) },
			[]bool{true, false, true, true, true},
			[]bool{false, true, false, false, false},
		},
		{
			"the answer of the second is lost", func(c *workertest.Calls) { c.Fail(2, true) },
			[]bool{true, true, true, true, true},
			[]bool{false, true, false, false, false},
		},
		{
			"it dies at the second", func(c *workertest.Calls) { c.Die(2, false) },
			[]bool{true, false, false, false, false},
			[]bool{false, true, true, true, true},
		},
		{
			"it dies after the second", func(c *workertest.Calls) { c.Die(2, true) },
			[]bool{true, true, false, false, false},
			[]bool{false, true, true, true, true},
		},
		{
			"mended", func(c *workertest.Calls) { c.Die(1, false); c.Mend() },
			[]bool{true, true, true, true, true},
			[]bool{false, false, false, false, false},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var calls workertest.Calls
			c.choose(&calls)
			var effects, failed []bool
			for range c.effects {
				ran := false
				err := calls.Do("", func() error { ran = true; return nil })
				effects, failed = append(effects, ran), append(failed, errors.Is(err, workertest.ErrFault))
			}
			if !slices.Equal(effects, c.effects) || !slices.Equal(failed, c.errors) || calls.Made() != len(c.effects) {
				t.Errorf("effects %v, errors %v, want %v and %v", effects, failed, c.effects, c.errors)
			}
		})
	}
}
