// Package guard stands between a dispatcher and one FCM credential: it says
// whether a request may be made now, and if not, when to come back.
//
// A [Guard] joins three mechanisms, each blind to the others:
//
//   - a pace, which climbs slowly to the project's quota and yields to 429;
//   - a circuit breaker, which hears of the provider's health and of nothing
//     else: a recipient's own fault and a 429 never open it;
//   - a retry budget, which keeps retries from multiplying the load of a
//     provider that is failing already.
//
// [Guard.Admit] asks all three, [Ticket.Done] tells them how it went. A refusal
// is a [Deferred] with a time. It says nothing about the delivery and must not
// use up one of its attempts. [Backoff] is the other half of a retry: how long
// a delivery that did fail waits.
//
// The package makes no request, starts no goroutine and retries nothing: the
// dispatcher is the only owner of retries.
package guard
