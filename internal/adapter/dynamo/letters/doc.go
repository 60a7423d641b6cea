// Package letters is the DynamoDB driver of dead letters. What becomes of a letter
// is decided elsewhere.
package letters
