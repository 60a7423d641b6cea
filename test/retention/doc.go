// Package retention proves on a real data directory that it gives back what it no longer
// needs: its files stay level over a year of use, and a sweep that is killed anywhere loses
// nothing and is gone on with.
package retention
