// Package upload proves on a whole sandbox that what an upload says of a
// recipient is what reaches FCM, and that a request does what its check foretold.
package upload
