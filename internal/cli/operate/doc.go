// Package operate has the commands of belfry for whoever runs it: they make what a
// backend needs, examine it, copy and repair it, and say what it costs. What they
// do is handed in as [Services], so that this package knows no backend.
package operate
