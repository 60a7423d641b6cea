// Package oauth is Google's OAuth 2.0 token endpoint as far as a service account uses it: it hands out a service-account
// file, trades assertions that are signed with its key for access tokens (RFC 7523), and says why a bearer token is not
// good enough. It knows nothing of what the tokens are for.
package oauth
