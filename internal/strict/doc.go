// Package strict accepts only JSON that every reader understands in the same way.
// encoding/json accepts more: it replaces invalid UTF-8 and half surrogate pairs by
// U+FFFD, so that two user ids may become one, and it takes the last of two members
// with the same name.
//
// The package is pure and imports nothing of Belfry. [encoding/json] decodes every
// text that Check accepts without loss.
package strict
