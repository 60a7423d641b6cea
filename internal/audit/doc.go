// Package audit is the record of who did what: entries in one chain per tenant, without a gap, in which each entry's hash
// covers the hash before it, and heads of the chain that are signed. It has the words, the port of the store, and the
// verification, which needs nothing but what was stored or exported and a public key. It writes nothing itself.
package audit
