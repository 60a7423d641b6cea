// Package cli is the command line of belfry: its commands, their help, tables
// and exit codes. The commands that use a running server speak its public API
// through package client and nothing else. Those that are a server are handed
// in as [Services], so that this package knows no backend.
package cli
