// Package httpapi is the HTTP door: it authenticates a request, reads it within
// limits, calls the room that it is for, and answers with JSON, NDJSON or a
// problem document (RFC 9457). It decides nothing about notifications and keeps
// nothing.
//
// Every route is one line of the table in routes.go: its path, its parameters,
// its body, its answers and the function that serves it. The mux, the check of
// query parameters and media types, the metrics and the OpenAPI 3.1 document at
// /openapi.json are all made from that table, so none of them can differ from
// the others. Huma generates the document's schemas from the types in package
// client; its router is not used, because its error bodies repeat a caller's
// values (tokens) and can only be replaced through a global variable.
//
// A request goes through one chain: request id and trace context, recovery from
// panics, authentication, media type, query, then the route's own steps, and at
// the end one log line and the metrics. A log line has the route's pattern and
// never a URL, a query value or a body.
package httpapi
