// Package pages is what the HTTP API shows to people: what there is (/), the API's
// document as a page to try it on (/docs), and what each kind of problem means
// (/problems). Programs get the first and the last as JSON. It knows no resource,
// and nothing that it shows is a tenant's: no key is needed.
//
// The page of /docs is Swagger UI, which is kept in swagger-ui/ as its package has
// it, compressed. It runs under a Content-Security-Policy that lets it load and call
// this server only, so that it works without the internet and cannot send a key
// anywhere else.
package pages
