package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// What bounds a call that takes as long as it is large: not the whole, but how
// long nothing may move.
const (
	// streamSilence is how long a stream may go without a byte, and how long the
	// head of its answer may take. The server gives up a client sooner.
	streamSilence = time.Minute
	// workPatience is how long the answer may take once the server has the whole
	// request, where it answers when its work is done: an upload or an import, a
	// simulation, giving letters up.
	workPatience = 10 * time.Minute
)

// pulse breaks off a call in which nothing moves. The time that its caller takes
// to read the answer, or its stream to give bytes, does not count. Safe for
// concurrent use: a transport may still read the request when the answer is read.
type pulse struct {
	ctx    context.Context //nolint:containedctx // of the call: its cause says who ended it
	cancel context.CancelCauseFunc

	mu       sync.Mutex
	timer    *time.Timer
	answered bool // what is left of the request says nothing any more
}

// stillError says that a server did nothing for too long.
type stillError struct{ after time.Duration }

func (e *stillError) Error() string {
	return fmt.Sprintf("the server neither took nor sent anything for %s", e.after)
}

// Timeout marks it as a time-out, as those of net are.
func (e *stillError) Timeout() bool { return true }

// newPulse begins to watch over a call whose server may be silent for d.
func newPulse(ctx context.Context, d time.Duration) *pulse {
	p := &pulse{}
	p.ctx, p.cancel = context.WithCancelCause(ctx)
	p.beat(d)
	return p
}

// beat begins a wait of d; 0 means that it is not the server's turn.
func (p *pulse) beat(d time.Duration) {
	if p.timer != nil {
		p.timer.Stop()
	}
	if d > 0 {
		p.timer = time.AfterFunc(d, func() { p.cancel(&stillError{d}) })
	}
}

// asking is a beat of the request, which counts until there is an answer.
func (p *pulse) asking(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.answered {
		p.beat(d)
	}
}

// answering is a beat of the answer.
func (p *pulse) answering(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answered = true
	p.beat(d)
}

// end gives up what is left of the call.
func (p *pulse) end() {
	p.answering(0)
	p.cancel(nil)
}

// told is err, or that nothing moved if that was its cause.
func (p *pulse) told(err error) error {
	if still, ok := errors.AsType[*stillError](context.Cause(p.ctx)); ok && err != nil && !errors.Is(err, io.EOF) {
		return &transportError{still}
	}
	return err
}

// give watches over the body of a request as well.
func (p *pulse) give(r *http.Request) {
	if r.Body == nil || r.Body == http.NoBody {
		return
	}
	r.Body = &given{r.Body, p}
	if again := r.GetBody; again != nil {
		r.GetBody = func() (io.ReadCloser, error) {
			body, err := again()
			return &given{body, p}, err
		}
	}
}

// given is the stream of a request.
type given struct {
	io.ReadCloser
	pulse *pulse
}

// Read implements io.Reader.
func (g *given) Read(b []byte) (int, error) {
	g.pulse.asking(0)
	n, err := g.ReadCloser.Read(b)
	if err != nil {
		g.pulse.asking(workPatience)
	} else {
		g.pulse.asking(streamSilence)
	}
	return n, err
}

// taken is the body of an answer. The call is over when it is closed.
type taken struct {
	io.ReadCloser
	pulse *pulse
}

// Read implements io.Reader.
func (t *taken) Read(b []byte) (int, error) {
	t.pulse.answering(streamSilence)
	defer t.pulse.answering(0)
	n, err := t.ReadCloser.Read(b)
	return n, t.pulse.told(err)
}

// Close implements io.Closer.
func (t *taken) Close() error {
	defer t.pulse.end()
	return t.ReadCloser.Close()
}
