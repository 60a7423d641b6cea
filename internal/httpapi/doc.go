// Package httpapi is Belfry's HTTP API: it calls the room that a request is for, and shows
// the result. It decides nothing about notifications and keeps nothing.
//
// Package door has what all routes have in common. Each resource has its files
// here, with one type that holds the rooms it needs, or a package of its own; all
// of them give their routes to the table in table.go.
package httpapi
