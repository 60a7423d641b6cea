// Package replayer is the command line of dlq-replayer: what an operator does with
// dead letters. Every command speaks the public API through package client, of a
// server or, without --api, of one inside this process on the open backend.
package replayer
