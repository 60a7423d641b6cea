// Package guard stands between a dispatcher and one FCM credential: it says
// whether a request may be made now, and if not, when to come back.
//
// Requests come in four kinds of [Traffic], and whatever the guard does it does for
// the best of them first. A [Guard] joins four mechanisms, each blind to the others:
//
//   - a pace, which climbs slowly to the project's quota and yields to 429, and which
//     tenants that share the credential share by their weights (docs/fairness.md);
//   - a circuit breaker for each kind of traffic, which opens when the provider is
//     gone: it hears of the provider's health and of nothing else, so a recipient's
//     own fault and a 429 never open it, and a recipient that fails again and again
//     counts once;
//   - a throttle for each kind of traffic, which follows a provider that takes a
//     part of what it is asked;
//   - a retry budget, which keeps retries from multiplying the load of a
//     provider that is failing already.
//
// What fails speaks against its own kind of traffic and those that are worse, never
// against a better one; what gets through speaks for all (docs/adr/0006).
//
// [Guard.Admit] asks all four, [Ticket.Done] tells them how it went. A refusal
// is a [Deferred] with a time. It says nothing about the delivery and must not
// use up one of its attempts. [Backoff] is the other half of a retry: how long
// a delivery that did fail waits.
//
// The package makes no request, starts no goroutine that lasts and retries nothing: the
// dispatcher is the only owner of retries.
package guard
