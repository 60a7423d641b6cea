// Package journal keeps the audit log: it puts entries into their tenant's chain, many in one write, and finds them again.
package journal
