// Package strict decides which bytes from outside are JSON that means the same
// to everybody who reads it. encoding/json does not: it puts U+FFFD in the place
// of what is not UTF-8 and of half a surrogate pair, so that two users become
// one, and of a name that stands twice in an object it takes the last.
//
// The package is pure and knows none of the house's words. What it lets pass,
// [encoding/json] reads without losing a byte.
package strict
