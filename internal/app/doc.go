// Package app is what all programs of the house have in common: a service with its
// backend, its stop stack, its listeners, its health and its metrics. Below it is a
// package for each program, which joins rooms to adapters: ingester, dispatcher,
// deadletters, and allinone for `belfry up`. They are the only ones that see both sides,
// and each reaches no more than its program needs: none but dispatcher sends to FCM,
// so the other programs do not contain Google's client. A test, a command and
// `belfry up` start the same thing.
package app
