// Package keyfile reads key files of Google service accounts. Its errors name the kind of a file
// that is something else.
package keyfile
