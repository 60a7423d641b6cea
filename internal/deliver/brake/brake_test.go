package brake_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/belfry-push/belfry/internal/deliver/brake"
	"github.com/belfry-push/belfry/internal/push"
)

const after = 5

func recipient(i int) *push.Recipient {
	return &push.Recipient{Address: push.Address{Kind: push.KindToken, Value: push.Token("t" + strconv.Itoa(i))}, Platform: push.PlatformIOS}
}

// ask makes a request to the i-th recipient that is answered at once.
func ask(t *testing.T, b *brake.Brake, p *push.Progress, i int, code push.Code) (push.Hold, bool) {
	t.Helper()
	if ok, _ := b.Enter(p, recipient(i), after, 0); !ok {
		t.Fatalf("no seat for recipient %d", i)
	}
	return b.Answered(recipient(i), code, time.Now())
}

// TestVerdict: that many recipients who are refused alike bring a verdict, once.
// One who is refused twice counts once.
func TestVerdict(t *testing.T) {
	t.Parallel()
	b, p := new(brake.Brake), new(push.Progress)
	for i := range after {
		if _, ok := ask(t, b, p, 0, push.CodeFCMThirdPartyAuth); ok {
			t.Fatalf("one recipient brought a verdict, refused %d times", i+1)
		}
	}
	for i := 1; i < after-1; i++ {
		if _, ok := ask(t, b, p, i, push.CodeFCMThirdPartyAuth); ok {
			t.Fatalf("a verdict after %d recipients", i+1)
		}
	}
	if b.Stopped(p, push.PartIOS) || !b.Doubtful(p, recipient(1), push.CodeFCMThirdPartyAuth) {
		t.Error("before the verdict: the part rests, or its refusals are not in doubt")
	}
	hold, ok := ask(t, b, p, after, push.CodeFCMThirdPartyAuth)
	if !ok || hold.Code != push.CodeFCMThirdPartyAuth || hold.Refused != after || hold.Scattered {
		t.Errorf("verdict %+v, %t", hold, ok)
	}
	if got := b.Verdicts(p)[push.PartIOS]; got != hold {
		t.Errorf("unwritten is %+v", got)
	}
	if !b.Stopped(p, push.PartIOS) || b.Stopped(p, push.PartUnknown) {
		t.Error("after the verdict: the part does not rest, or another one does")
	}
	p.Held[push.PartIOS] = hold
	if missing := b.Verdicts(p); missing.Any() {
		t.Errorf("unwritten after the write: %+v", missing)
	}
	p.Held, p.Generation = push.Holds{}, p.Generation+1 // resumed
	if ask(t, b, p, 0, push.CodeFCMThirdPartyAuth); b.Stopped(p, push.PartIOS) || b.Generation() != p.Generation {
		t.Error("a resume does not begin anew")
	}
}

// TestAccepted: once somebody of the part got the message, a refusal that blames the
// message is about the address, and nobody takes seats from others.
func TestAccepted(t *testing.T) {
	t.Parallel()
	b, p := new(brake.Brake), new(push.Progress)
	ask(t, b, p, 0, push.CodeSent)
	for i := range 4 * after {
		if _, ok := ask(t, b, p, i+1, push.CodePayloadInvalid); ok || b.Doubtful(p, recipient(i+1), push.CodePayloadInvalid) {
			t.Fatalf("refusal %d is taken for everybody's", i+1)
		}
	}
	for i := range 4 * after {
		if ok, _ := b.Enter(p, recipient(i), after, 0); !ok {
			t.Fatalf("no seat for recipient %d", i)
		}
	}
}

// TestSeats: no more requests are under way than refusals are missing to the verdict,
// until one ends or takes longer than SeatFor.
func TestSeats(t *testing.T) {
	t.Parallel()
	b, p := new(brake.Brake), new(push.Progress)
	for i := range after {
		if ok, _ := b.Enter(p, recipient(i), after, 0); !ok {
			t.Fatalf("no seat for recipient %d", i)
		}
	}
	ok, freed := b.Enter(p, recipient(after), after, 0)
	if ok {
		t.Fatal("one seat too many")
	}
	b.Leave(recipient(0))
	select {
	case <-freed:
	default:
		t.Error("nobody is told of a free seat")
	}
	if ok, _ := b.Enter(p, recipient(after), after, 0); !ok {
		t.Error("no seat after one was given back")
	}
	if ok, _ := b.Enter(p, recipient(after), after, brake.SeatFor-1); ok {
		t.Error("a seat before the others took too long")
	}
	if ok, _ := b.Enter(p, recipient(after), after, brake.SeatFor); !ok {
		t.Error("no seat although the others take too long")
	}
	p.BrakeOff = true
	if ok, _ := b.Enter(p, recipient(after), after, 0); !ok {
		t.Error("no seat although the brake is off")
	}
}

// TestNil: a notification without a brake stops nobody.
func TestNil(t *testing.T) {
	t.Parallel()
	var b *brake.Brake
	if ok, _ := b.Enter(new(push.Progress), recipient(0), after, 0); !ok {
		t.Error("no seat")
	}
	b.Leave(recipient(0))
}
