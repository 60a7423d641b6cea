// Package alerts holds the rules for Prometheus for the programs that show them at work: who has
// the program has perhaps not the repository.
package alerts

import _ "embed" // the rules

//go:embed belfry.rules.yml
var rules string

// Rules returns belfry.rules.yml, as Prometheus reads it.
func Rules() string { return rules }
