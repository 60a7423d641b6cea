// Package documents is the DynamoDB driver of configuration documents. It does not
// read them.
package documents
