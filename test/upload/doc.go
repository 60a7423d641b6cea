// Package upload proves on a whole sandbox that what an upload says of a
// recipient is what reaches FCM.
package upload
