package remote

import (
	"fmt"
	"maps"
	"strings"

	"github.com/alecthomas/kong"
)

// pairs are the values of a flag KEY=VALUE that may be repeated, with another key
// each time: which of two values would be meant?
type pairs map[string]string

// Decode implements kong.MapperValue.
func (p *pairs) Decode(ctx *kong.DecodeContext) error {
	var text string
	if err := ctx.Scan.PopValueInto("KEY=VALUE", &text); err != nil {
		return err
	}
	key, value, ok := strings.Cut(text, "=")
	if !ok {
		return fmt.Errorf("must be KEY=VALUE (got %q)", text)
	}
	if _, twice := (*p)[key]; twice {
		return fmt.Errorf("%q is given twice", key)
	}
	more := pairs{key: value}
	maps.Copy(more, *p)
	*p = more
	return nil
}
