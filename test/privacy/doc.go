// Package privacy proves with whole programs, on both backends, that nothing is sent to an erased
// user, and that neither logs, errors nor metrics say who anybody is.
package privacy
