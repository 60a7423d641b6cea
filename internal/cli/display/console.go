package display

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/belfry-push/belfry/internal/config"
	"github.com/belfry-push/belfry/internal/visible"
)

// Console is where a command reads and writes: results to out, everything else
// to err, so that results can be piped.
type Console struct {
	In       io.Reader
	Out, Err io.Writer
	Terminal bool // Err is one
	Asks     bool // In is a terminal, too: somebody can answer

	// Width is how many columns Out has; 0 is no terminal, for which nothing is cut.
	Width int
	// ErrWidth is the same of Err.
	ErrWidth int
	// Colour and ErrColour say whether Out and Err show colours.
	Colour, ErrColour bool
	// Now is the time from which ages are counted; nil is the clock's.
	Now func() time.Time

	dumb   bool    // TERM says that its cursor cannot be moved
	server *Server // that the command asks; nil before it does
}

// NewConsole returns the console of a process. A terminal gets its width and,
// unless NO_COLOR is set (https://no-color.org) or TERM is dumb, colours.
func NewConsole(env config.Lookup, in io.Reader, out, errs io.Writer) *Console {
	c := &Console{In: in, Out: out, Err: errs, Terminal: IsTerminal(errs)}
	if f, ok := in.(*os.File); ok {
		c.Asks = c.Terminal && term.IsTerminal(int(f.Fd()))
	}
	noColour, _ := env("NO_COLOR")
	kind, _ := env("TERM")
	coloured := noColour == "" && kind != "dumb"
	c.dumb = kind == "dumb"
	c.ErrColour = coloured && c.Terminal
	if c.Terminal {
		c.ErrWidth = terminalWidth(env, errs)
	}
	if !IsTerminal(out) {
		return c
	}
	c.Colour = coloured
	c.Width = terminalWidth(env, out)
	_ = os.Setenv("COLUMNS", strconv.Itoa(c.Width)) // kong wraps help to it: it sees no terminal behind our guard
	return c
}

// terminalWidth is what COLUMNS says, or the terminal; most are 80 columns wide.
func terminalWidth(env config.Lookup, out io.Writer) int {
	columns, _ := env("COLUMNS")
	if n, err := strconv.Atoi(columns); err == nil && n > 0 {
		return n
	}
	return WidthOf(out)
}

// WidthOf is how many columns a terminal has; what is not one has 80.
func WidthOf(out io.Writer) int {
	const usual = 80
	if f, ok := out.(*os.File); ok {
		if n, _, err := term.GetSize(int(f.Fd())); err == nil && n > 0 {
			return n
		}
	}
	return usual
}

// Screen returns the terminal that reads keys and the one that is drawn on, for a command that fills it. Whoever draws makes
// texts visible before. ok is false if either is no terminal, or one whose cursor cannot be moved.
func (c *Console) Screen() (keys, screen *os.File, ok bool) {
	keys, reads := c.In.(*os.File)
	screen, draws := raw(c.Out).(*os.File)
	ok = reads && draws && !c.dumb && term.IsTerminal(int(keys.Fd())) && IsTerminal(screen)
	return keys, screen, ok
}

// Guarded returns the console with both outputs behind [visible.Writer]s: servers,
// files and providers choose many of the texts that commands print.
func (c *Console) Guarded() *Console {
	guarded := *c
	guarded.Out, guarded.Err = visible.NewWriter(c.Out), visible.NewWriter(c.Err)
	return &guarded
}

// ToErr returns the console with standard error in the place of standard output,
// for what is shown before the result.
func (c *Console) ToErr() *Console {
	other := *c
	other.Out, other.Colour = c.Err, c.ErrColour
	return &other
}

// SetColour applies --color: auto leaves to the terminal what never and always decide.
func (c *Console) SetColour(when string) {
	if when != "auto" {
		c.Colour, c.ErrColour = when == "always", when == "always"
	}
}

// now is the time from which ages are counted.
func (c *Console) now() time.Time {
	if c.Now != nil {
		return c.Now()
	}
	return time.Now()
}

// IsTerminal reports whether what is written to w is shown to a person.
func IsTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// raw is a writer without its guard, for texts of which every part was made
// visible before the program drew around it.
func raw(w io.Writer) io.Writer {
	if guarded, ok := w.(*visible.Writer); ok {
		return guarded.Raw()
	}
	return w
}

// Confirm asks; only y or yes is a yes.
func (c *Console) Confirm(question string) bool {
	_, _ = fmt.Fprintf(c.Err, "%s [y/N] ", question)
	var answer string
	_, _ = fmt.Fscanln(c.In, &answer)
	answer = strings.ToLower(answer)
	return answer == "y" || answer == "yes"
}
