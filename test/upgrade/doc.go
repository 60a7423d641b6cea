// Package upgrade opens what the last version left.
package upgrade
