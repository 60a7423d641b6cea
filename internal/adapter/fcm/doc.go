// Package fcm sends messages through the HTTP v1 API of Firebase Cloud
// Messaging and is the only place that classifies FCM's answers.
//
// A [Sender] makes one HTTP request for each call: it never retries a delivery,
// because that is decided by whoever owns its attempts. The one exception is a
// refused access token (401), which says nothing about the delivery: the same
// request goes out once more with a new one. Every
// failure leaves it as a [push.Error] with one code of the closed taxonomy; the
// tables are in classify.go. Requests travel over a fixed number of HTTP/2
// connections (package h2); access tokens are fetched ahead of their expiry by
// one fetch for all callers.
//
// An [Encoder] runs a message through Google's own client once per
// notification, so that what Belfry sends is what that client would send.
//
// The package knows nothing of notifications, chunks, ledgers and queues, and
// never logs or returns a registration token or an access token.
package fcm
