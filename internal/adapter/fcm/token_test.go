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

	"github.com/belfry-push/belfry/internal/adapter/fcm/h2"
	"github.com/belfry-push/belfry/internal/push"
)

// fakeSource issues numbered tokens of a set lifetime, or fails.
type fakeSource struct {
	life    time.Duration // 0 = for ever
	takes   time.Duration
	fetches atomic.Int32
	broken  atomic.Bool
}

func (f *fakeSource) Token() (*oauth2.Token, error) {
	n := f.fetches.Add(1)
	time.Sleep(f.takes)
	if f.broken.Load() {
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
	c := newTokenCache(src, func(token string) *h2.Header { return h2.NewHeader("https", "x", "/", "authorization", token) }, zap.NewNop())
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

func TestTokenRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		src := &fakeSource{life: time.Hour}
		c := newCache(t, src)
		old := mustGet(t, c)
		c.invalidate(old)
		fresh := mustGet(t, c)
		if fresh == old || src.fetches.Load() != 2 {
			t.Error("the refused token is still in use")
		}
		c.invalidate(old) // a late refusal of the old one
		if mustGet(t, c) != fresh || src.fetches.Load() != 2 {
			t.Error("the new token was dropped for the old one's fault")
		}
	})
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
	c := newCache(t, &fakeSource{})
	c.close()
	if _, err := c.get(t.Context()); push.CodeOf(err) != push.CodeCredential {
		t.Errorf("got %v", err)
	}
}
