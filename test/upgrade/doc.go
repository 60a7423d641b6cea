// Package upgrade opens what the last version left: a data directory, and tables of DynamoDB.
package upgrade
