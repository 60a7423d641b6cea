// Package tenants has tests of what tenants see of each other, against a whole Belfry: which
// key gets which answer on which route.
package tenants
