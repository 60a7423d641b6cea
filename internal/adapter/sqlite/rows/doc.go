// Package rows is what the stores on SQLite share in reading and writing rows:
// queries to values, times and bytes in columns, and the cursors of listings. It
// opens nothing and knows no table.
package rows
