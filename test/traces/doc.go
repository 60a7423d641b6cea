// Package traces runs a whole Belfry and holds the trees of its spans against what
// docs/tracing.md shows: on the embedded backend and on the stand-ins for AWS.
package traces
