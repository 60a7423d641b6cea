// Package protojson reads the body of a send request as Google's front end does, in front of FCM: JSON against the
// types of protocol buffers (https://protobuf.dev/programming-guides/json/), with its words for what does not fit. What
// the fields are and which values FCM takes is said by package message; this package adds where in the body something
// stands, which neither encoding/json nor google.golang.org/protobuf tell.
//
// It decides nothing about addresses and knows no HTTP.
package protojson
