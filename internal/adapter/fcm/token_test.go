package fcm

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"golang.org/x/oauth2"

	"github.com/belfry-push/belfry/internal/adapter/fcm/transport"
	"github.com/belfry-push/belfry/internal/push"
)

// fakeSource issues numbered tokens of a set lifetime, or fails.
type fakeSource struct {
	life    time.Duration // 0 = for ever
	takes   time.Duration
	fetches atomic.Int32
	broken  atomic.Bool

	breaksAfter int32 // fetches; 0 = never
}

func (f *fakeSource) Token() (*oauth2.Token, error) {
	n := f.fetches.Add(1)
	time.Sleep(f.takes)
	if f.broken.Load() || f.breaksAfter > 0 && n > f.breaksAfter {
		return nil, errors.New("token endpoint is down")
	}
	t := &oauth2.Token{AccessToken: fmt.Sprintf("token-%d", n)}
	if f.life > 0 {
		t.Expiry = time.Now().Add(f.life)
	}
	return t, nil
}

// newCache returns a cache whose headers tell the token apart by address.
func newCache(t *testing.T, src oauth2.TokenSource) *tokenCache {
	t.Helper()
	c := newTokenCache(src, func(token string) *transport.Header {
		return transport.NewHeader("https", "x", "/", "authorization", token)
	}, newCredentialState(zap.NewNop(), nil))
	t.Cleanup(c.close)
	return c
}

func mustGet(t *testing.T, c *tokenCache) *bearer {
	t.Helper()
	b, err := c.get(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestTokenIsShared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		src := &fakeSource{life: time.Hour, takes: 200 * time.Millisecond}
		c := newCache(t, src)
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() { mustGet(t, c) })
		}
		wg.Wait()
		if n := src.fetches.Load(); n != 1 {
			t.Errorf("%d fetches for 100 callers, want 1", n)
		}
	})
}

func TestTokenIsRenewedAhead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		src := &fakeSource{life: time.Hour, takes: time.Second}
		c := newCache(t, src)
		first := mustGet(t, c)
		time.Sleep(54 * time.Minute)
		if mustGet(t, c) != first || src.fetches.Load() != 1 {
			t.Error("renewed too early")
		}
		time.Sleep(2 * time.Minute)
		start := time.Now()
		if mustGet(t, c) == first || time.Since(start) != 0 {
			t.Error("not renewed ahead of expiry, or the caller had to wait")
		}
		time.Sleep(24 * time.Hour)
		mustGet(t, c)
		if n := src.fetches.Load(); n < 26 || n > 28 {
			t.Errorf("%d fetches in 25 hours", n)
		}
	})
}

func TestTokenEndpointDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		src := &fakeSource{life: time.Hour}
		c := newCache(t, src)
		first := mustGet(t, c)
		src.broken.Store(true)
		time.Sleep(59 * time.Minute)
		if b := mustGet(t, c); b.header != first.header {
			t.Error("a valid token was dropped because the next could not be had")
		}
		if n := src.fetches.Load(); n < 20 || n > 30 {
			t.Errorf("%d fetches in 4 minutes, want one each 10 s", n)
		}

		time.Sleep(time.Minute) // expired
		before := src.fetches.Load()
		for range 1000 {
			if _, err := c.get(t.Context()); push.CodeOf(err) != push.CodeCredential {
				t.Fatalf("got %v, want credential", err)
			}
			time.Sleep(10 * time.Millisecond)
		}
		if n := src.fetches.Load() - before; n < 8 || n > 12 {
			t.Errorf("%d fetches in 10 s of failing, want one a second", n)
		}
		src.broken.Store(false)
		time.Sleep(time.Second)
		mustGet(t, c)
	})
}

// A token that worked and is refused is replaced at once, by one fetch for all
// who ask; a late refusal of the old one costs nothing.
func TestTokenRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		src := &fakeSource{life: time.Hour, takes: 100 * time.Millisecond}
		c := newCache(t, src)
		for round := range int32(3) { // however soon after each other
			old := mustGet(t, c)
			old.accepted()
			var wg sync.WaitGroup
			for range 100 {
				wg.Go(func() {
					if b, err := c.replace(t.Context(), old); err != nil || b == nil || b.token == old.token {
						t.Errorf("round %d: got %v, %v", round, b, err)
					}
				})
			}
			wg.Wait()
			if b, err := c.replace(t.Context(), old); err != nil || b != mustGet(t, c) {
				t.Errorf("round %d, late: got %v, %v", round, b, err)
			}
			if n := src.fetches.Load(); n != round+2 {
				t.Errorf("round %d: %d fetches", round, n)
			}
		}
	})
}

// An account whose tokens never work costs a fetch every ten seconds, not one
// for every send.
func TestTokenThatNeverWorks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		src := &fakeSource{life: time.Hour}
		c := newCache(t, src)
		replaced := 0
		for range 100 {
			b, err := c.replace(t.Context(), mustGet(t, c))
			if err != nil {
				t.Fatal(err)
			}
			if b != nil {
				replaced++
			}
			time.Sleep(time.Second)
		}
		if n := src.fetches.Load(); replaced != 10 || n != 11 {
			t.Errorf("%d replaced and %d fetches in 100 s, want 10 and 11", replaced, n)
		}
	})
}

func TestTokenNotReplaced(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		source oauth2.TokenSource
		want   push.Code
	}{
		{"none needed", nil, push.CodeSent},
		{"the same again", oauth2.StaticTokenSource(&oauth2.Token{AccessToken: "one"}), push.CodeSent},
		{"the next can't be had", &fakeSource{breaksAfter: 1}, push.CodeCredential},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := newCache(t, tc.source)
				b, err := c.replace(t.Context(), mustGet(t, c))
				if b != nil || push.CodeOf(err) != tc.want {
					t.Errorf("got %v, %v", b, err)
				}
			})
		})
	}
}

func TestTokenContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		src := &fakeSource{life: time.Hour, takes: time.Minute}
		c := newCache(t, src)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := c.get(ctx); !errors.Is(err, context.DeadlineExceeded) || errors.As(err, new(*push.Error)) {
			t.Errorf("got %v, want ctx's own error", err)
		}
		mustGet(t, c) // the fetch went on for those with more patience
		if src.fetches.Load() != 1 {
			t.Errorf("%d fetches", src.fetches.Load())
		}
	})
}

func TestTokenForms(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		source oauth2.TokenSource
		want   push.Code
	}{
		{"none needed", nil, push.CodeSent},
		{"for ever", &fakeSource{}, push.CodeSent},
		{"empty", oauth2.StaticTokenSource(&oauth2.Token{}), push.CodeCredential},
		{"with a line break", oauth2.StaticTokenSource(&oauth2.Token{AccessToken: "a\r\nb"}), push.CodeCredential},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := newCache(t, tc.source)
				for range 3 {
					if _, err := c.get(t.Context()); push.CodeOf(err) != tc.want {
						t.Errorf("got %v, want %v", err, tc.want)
					}
					time.Sleep(24 * time.Hour)
				}
			})
		})
	}
}

func TestTokenClosed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		src := &fakeSource{}
		src.broken.Store(true)
		c := newCache(t, src)
		c.close()
		if _, err := c.get(t.Context()); push.CodeOf(err) != push.CodeCredential {
			t.Errorf("got %v", err)
		}
	})
}
