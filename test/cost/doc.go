// Package cost holds what internal/cost promises to what the programs' own
// meters count, on stand-ins for AWS: nothing of it is shipped.
package cost
