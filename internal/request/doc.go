// Package request reads what comes in from outside: send requests, messages,
// devices, lines and columns of uploads, archived dead letters, and any other JSON
// body ([DecodeJSON]).
//
// It reads strictly (see package strict) and in one way: what was checked is what
// is read. All faults of an input come back at once as push.Faults, each with its
// RFC 6901 pointer, in the words of JSON and not of Go, and a name or value that
// was nearly right is asked back.
//
// What the things are is the business of package push, and what FCM accepts that
// of package message. The package is pure: safe for concurrent use but where a
// type says otherwise.
package request
