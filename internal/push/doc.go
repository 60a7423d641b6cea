// Package push defines the types that every other package uses: notification,
// target, message, device, recipient, chunk and outcome.
//
// The package is pure. It knows no clock, no network, no storage and no
// Firebase type; times and random identities come in as arguments. Values are
// plain data: safe to copy, and safe for concurrent use as long as nobody
// writes to a map or slice inside them after handing the value on.
package push
