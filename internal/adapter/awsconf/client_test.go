package awsconf

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/belfry-push/belfry/internal/push"
)

// limit is what an attempt may take in these tests. Their time is a bubble's, so
// that it passes only while everybody waits.
const limit = 300 * time.Millisecond

// most is how many connections a service may have in these tests.
const most = 8

// through returns a configuration for a service that answers as serve does, with
// our own client.
func through(t *testing.T, serve http.HandlerFunc, attempt time.Duration) (aws.Config, *Client) {
	t.Helper()
	base := connections(&http.Transport{}, most)
	base.DialContext = listen(t, serve)
	client := newClient(base, attempt)
	t.Cleanup(client.Close)
	cfg := testConfig(address, nil)
	cfg.HTTPClient, cfg.RetryMaxAttempts, cfg.Retryer = client, MaxAttempts, retryer
	return cfg, client
}

// linger is how a peer is slow.
func linger(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// mute is a service of SQS's protocol whose connections fall silent and stay so.
type mute struct {
	silent atomic.Bool // connections opened before are dead, from now on

	mu    sync.Mutex
	dead  map[string]bool // by the client's address
	known map[string]bool
	asked []string // the address of each request
	gate  chan struct{}
}

func newMute() *mute { return &mute{dead: map[string]bool{}, known: map[string]bool{}} }

func (m *mute) serve(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	m.mu.Lock()
	m.known[r.RemoteAddr] = true
	m.asked = append(m.asked, r.RemoteAddr)
	dead, gate := m.dead[r.RemoteAddr] || m.silent.Load(), m.gate
	m.mu.Unlock()
	if dead {
		<-r.Context().Done()
		return
	}
	if gate != nil {
		<-gate
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	_, _ = io.WriteString(w, `{"QueueUrl":"http://queue"}`)
}

// kill makes every connection that there is silent, and no other.
func (m *mute) kill() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	for address := range m.known {
		m.dead[address] = true
	}
	m.asked, m.gate = nil, nil
	return len(m.dead)
}

// A silent peer costs an attempt, not the call: the next attempt has another
// connection.
func TestSilentAttemptsEndAndTellWhatItWas(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMute()
		m.silent.Store(true)
		cfg, _ := through(t, m.serve, limit)
		begun := time.Now()
		err := Explain(callSQS(t.Context(), cfg), "queue q")
		took := time.Since(begun)
		if _, ok := errors.AsType[*SilentError](err); !ok || !strings.Contains(err.Error(), "no answer from SQS for 300ms") {
			t.Errorf("error %v, want a *SilentError of SQS", err)
		}
		if push.OutageOf(err) != push.OutageDown || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
			t.Errorf("outage %q of %v, want %q and no end of a context", push.OutageOf(err), err, push.OutageDown)
		}
		if took < MaxAttempts*limit || took > MaxAttempts*limit+(MaxAttempts-1)*longestPause {
			t.Errorf("it took %s for %d attempts of %s", took, MaxAttempts, limit)
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		if len(m.asked) != MaxAttempts || len(m.known) != MaxAttempts {
			t.Errorf("%d attempts on %d connections, want %d on as many", len(m.asked), len(m.known), MaxAttempts)
		}
	})
}

// What a NAT has forgotten are all connections: no retry may try the next one of
// them.
func TestOneSilentConnectionTakesTheIdleOnesAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMute()
		m.gate = make(chan struct{})
		cfg, _ := through(t, m.serve, limit)
		const calls = 6
		var all sync.WaitGroup
		for range calls {
			all.Go(func() {
				if err := callSQS(t.Context(), cfg); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait() // until each has a connection of its own
		close(m.gate)
		all.Wait()
		synctest.Wait() // until all lie idle
		if n := m.kill(); n != calls {
			t.Fatalf("%d connections were opened, want %d", n, calls)
		}
		if err := callSQS(t.Context(), cfg); err != nil {
			t.Errorf("after all connections had died: %v", err)
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		if len(m.asked) != 2 || !m.dead[m.asked[0]] || m.dead[m.asked[1]] {
			t.Errorf("attempts on %v, want one on a dead connection and one on a new one", m.asked)
		}
	})
}

// A caller's own deadline is not exceeded by attempts or pauses, and stays what
// it is.
func TestRetriesStayWithinTheCallersBudget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMute()
		m.silent.Store(true)
		cfg, _ := through(t, m.serve, limit)
		const budget = limit + limit/2
		ctx, cancel := context.WithTimeout(t.Context(), budget)
		defer cancel()
		begun := time.Now()
		err := Explain(callSQS(ctx, cfg), "queue q")
		if took := time.Since(begun); took > budget {
			t.Errorf("it took %s of a budget of %s", took, budget)
		}
		if !errors.Is(err, context.DeadlineExceeded) || push.OutageOf(err) != push.OutageTimeout {
			t.Errorf("outage %q: %v", push.OutageOf(err), err)
		}
	})
}

// A long poll waits as long as it says, on the same connections.
func TestWithinLetsAPollWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cfg, _ := through(t, func(w http.ResponseWriter, r *http.Request) {
			linger(r.Context(), 2*limit)
			w.Header().Set("Content-Type", "application/x-amz-json-1.0")
			_, _ = io.WriteString(w, `{"Messages":[{"MessageId":"1"}]}`)
		}, limit)
		cfg.RetryMaxAttempts = 1
		client := sqs.NewFromConfig(cfg)
		poll := &sqs.ReceiveMessageInput{QueueUrl: aws.String("http://queue")}
		if _, err := client.ReceiveMessage(t.Context(), poll); err == nil {
			t.Error("a call waited beyond its attempt")
		}
		out, err := client.ReceiveMessage(t.Context(), poll, func(o *sqs.Options) { o.HTTPClient = Within(o.HTTPClient, time.Minute) })
		if err != nil || len(out.Messages) != 1 {
			t.Errorf("a poll brought %v, %v; want a message", out, err)
		}
		if other := Within(http.DefaultClient, time.Minute); other != aws.HTTPClient(http.DefaultClient) {
			t.Errorf("a client that is not ours became %v", other)
		}
	})
}

// slowly serves an object, a byte at a time; it stops in the middle if it is told
// to.
func slowly(bytes int, pause time.Duration, stops bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("ETag", `"x"`)
		for i := range bytes {
			if stops && i == bytes/2 {
				<-r.Context().Done()
				return
			}
			_, _ = io.WriteString(w, "x")
			w.(http.Flusher).Flush()
			linger(r.Context(), pause)
		}
	}
}

// Objects take as long as they need, as long as something comes.
func TestObjectsAreLimitedByTheirProgress(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		stops bool
	}{{"slow", false}, {"silent in the middle", true}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { readsObject(t, c.stops) })
		})
	}
}

func readsObject(t *testing.T, stops bool) {
	t.Helper()
	_, client := through(t, slowly(12, limit/6, stops), limit)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.do(r, s3.ServiceID, limit, true)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	linger(t.Context(), 2*limit) // what its reader does meanwhile is not the service's silence
	body, err := io.ReadAll(response.Body)
	if _, silent := errors.AsType[*SilentError](err); silent != stops {
		t.Errorf("%d bytes, %v", len(body), err)
	}
	if !stops && len(body) != 12 {
		t.Errorf("%d bytes, want 12", len(body))
	}
}

// An answer that drips is late all the same where it has to be small.
func TestSmallAnswersAreLimitedAsAWhole(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cfg, _ := through(t, slowly(100, limit/6, false), limit)
		cfg.RetryMaxAttempts = 1
		begun := time.Now()
		err := callSQS(t.Context(), cfg)
		if _, silent := errors.AsType[*SilentError](err); !silent || time.Since(begun) != limit {
			t.Errorf("%v after %s", err, time.Since(begun))
		}
	})
}

// sdkBody is the body of a request as the SDK makes it, whose end is looked for
// only once it was closed: what happens when the answer is quicker.
type sdkBody struct {
	io.Reader
	sent   atomic.Bool
	closed chan struct{}
}

// Read implements io.Reader.
func (b *sdkBody) Read(p []byte) (int, error) {
	if b.sent.Swap(true) {
		<-b.closed
		return 0, io.EOF
	}
	return b.Reader.Read(p)
}

// WriteTo implements io.WriterTo. That of a closed body fails in the SDK.
func (b *sdkBody) WriteTo(io.Writer) (int64, error) {
	<-b.closed
	return 0, io.EOF
}

// Close implements io.Closer.
func (b *sdkBody) Close() error {
	select {
	case <-b.closed:
	default:
		close(b.closed)
	}
	return nil
}

// The SDK closes the body of a request once the head of its answer is there. The
// rest of the answer comes all the same, though the connection may still be
// looking for that body's end.
func TestAnswersOutliveTheBodyOfTheirRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		body := &sdkBody{Reader: strings.NewReader("{}"), closed: make(chan struct{})}
		_, client := through(t, func(w http.ResponseWriter, r *http.Request) {
			_ = http.NewResponseController(w).EnableFullDuplex()
			w.(http.Flusher).Flush()
			_, _ = io.Copy(io.Discard, r.Body)
			linger(r.Context(), limit/6) // its reader has time to find a closed connection
			_, _ = io.WriteString(w, "answer")
		}, 0)
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, body)
		if err != nil {
			t.Fatal(err)
		}
		r.ContentLength = 2
		response, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		_ = body.Close()
		if got, err := io.ReadAll(response.Body); err != nil || string(got) != "answer" {
			t.Errorf("%q, %v", got, err)
		}
	})
}

// A time-out of dialling compares equal to the end of a context, and is none.
func TestDialsThatTakeTooLongAreOutages(t *testing.T) {
	t.Parallel()
	base := connections(&http.Transport{}, most)
	base.DialContext = (&net.Dialer{Timeout: time.Nanosecond}).DialContext
	client := newClient(base, 0)
	cfg := testConfig("http://127.0.0.1:1", nil)
	cfg.HTTPClient = client
	err := Explain(callDynamoDB(t.Context(), cfg), "table t")
	if push.OutageOf(err) != push.OutageDown || KindOf(err) == "" {
		t.Errorf("outage %q of kind %q: %v", push.OutageOf(err), KindOf(err), err)
	}
}

// The peer is a service of AWS and never redirects a signed request to a good
// end.
func TestRedirectsAreAnswers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cfg, _ := through(t, http.RedirectHandler("http://elsewhere.invalid/", http.StatusTemporaryRedirect).ServeHTTP, limit)
		if err := callS3(t.Context(), cfg); KindOf(err) != KindRegion {
			t.Errorf("kind %q: %v", KindOf(err), err)
		}
	})
}
