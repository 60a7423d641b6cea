// Package operators runs what operators do by both ways, over a server's API and on the data directory itself, with real programs:
// it has the same effect, and stands in the audit log with who did it and why.
package operators
