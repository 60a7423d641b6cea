// Package console serves the operator console: a web page that shows how the system is, and acts on it by the public
// API alone. Its source is in web/, what is built of that in dist/, which is embedded and not committed; without it a
// page says how to build it. It knows no resource of the API; whoever signs in is known to the door.
package console
