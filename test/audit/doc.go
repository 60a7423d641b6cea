// Package audit has the test that somebody who can write the data directory cannot change the audit log unnoticed.
package audit
