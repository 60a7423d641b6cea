package guard_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/guard"
	"github.com/belfry-push/belfry/internal/push"
)

func ExampleGuard() {
	cfg := guard.DefaultConfig("my-project")
	cfg.OpenAfter.Many = 2
	told := func(c guard.Change) { fmt.Println(c.From, "->", c.To, "because of", c.Cause) }
	g, err := guard.New(cfg, time.Now, rand.New(rand.NewPCG(1, 2)), zap.NewNop(), nil, told)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, token := range []push.Token{"a", "b", "c"} {
		to := push.Address{Kind: push.KindToken, Value: token}
		ticket, err := g.Admit(context.Background(), guard.Ask{Traffic: guard.TrafficLive, To: to})
		if d, ok := errors.AsType[*guard.Deferred](err); ok {
			fmt.Println("put off:", d.Why) // until d.Until, without using up an attempt
			continue
		}
		ticket.Done(push.CodeFCMUnavailable, 0) // what the sender answered
	}
	// Output:
	// closed -> open because of fcm.unavailable
	// put off: breaker_open
}

func ExampleBackoff_Next() {
	var b guard.Backoff
	r := rand.New(rand.NewPCG(1, 2))
	wait := b.Next(1, push.CodeFCMUnavailable, 30*time.Second, r)
	fmt.Println(wait) // FCM's own wish is longer than what was drawn
	// Output: 30s
}
