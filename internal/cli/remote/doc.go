// Package remote has the commands of belfry that use a running server. They speak
// its public API through package client and nothing else.
package remote
