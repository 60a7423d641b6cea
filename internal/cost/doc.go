// Package cost says what Belfry's use of AWS costs: prices from a versioned
// file times the units that internal/adapter/awsmeter counted, and a model of
// the units for volumes that nobody has measured yet. docs/cost.md explains the
// formula; its tables are made by this package's tests.
//
// It asks AWS for nothing. Prices are list prices without free tiers, savings
// plans and taxes.
package cost
