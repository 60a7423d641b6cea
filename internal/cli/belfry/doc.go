// Package belfry is the command line of belfry: its grammar and the commands that
// run Belfry itself, which are handed in as [Services]. The other commands are in
// packages of their own: [remote] and [operate].
//
// [remote]: https://pkg.go.dev/github.com/belfry-push/belfry/internal/cli/remote
// [operate]: https://pkg.go.dev/github.com/belfry-push/belfry/internal/cli/operate
package belfry
