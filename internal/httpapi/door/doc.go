// Package door is the machinery of an HTTP API: it makes of a table of routes a
// handler that authenticates a request, reads it within limits, runs its route,
// and answers with JSON, NDJSON, events or a problem document (RFC 9457). It
// knows no resource: those are in package httpapi, and the packages below it.
//
// A [Route] is one line of the table: its path, its parameters, its body, its
// answers and the function that serves it. The mux, the check of query parameters
// and media types, the metrics and the OpenAPI 3.1 document are all made from
// that table, so none of them can differ from the others. Huma generates the
// document's schemas from the types in package client; its router is not used,
// because its error bodies repeat a caller's values (tokens) and can only be
// replaced through a global variable.
//
// A request goes through one chain: request id and trace context, recovery from
// panics, web pages of other origins, authentication, media type, query, then the
// route's own steps, and at the end one log line and the metrics. A log line has
// the route's pattern and never a URL, a query value or a body.
//
// The package has over 2,500 lines, tests left out, because all of it reads a
// [Route], which the resources fill in: the chain, the document and the refusals
// would need that type, and the table would need them.
package door
