// Package push holds the words of the house: what a notification, a target, a
// message, a device, a recipient, a chunk and an outcome are, and what makes
// them valid. Every room and every adapter speaks these types.
//
// The package is pure. It knows no clock, no network, no storage and no
// Firebase type; times and random identities come in as arguments. Values are
// plain data: safe to copy, and safe for concurrent use as long as nobody
// writes to a map or slice inside them after handing the value on.
package push
