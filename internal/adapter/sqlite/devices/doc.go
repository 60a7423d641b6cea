// Package devices is the embedded driver of the device registry, on an SQLite
// file that it may share with other stores.
package devices
