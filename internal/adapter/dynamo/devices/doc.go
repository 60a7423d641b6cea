// Package devices is the DynamoDB driver of the device registry: a table of devices
// by address, with pointers by id, and notes in the table of configuration.
package devices
