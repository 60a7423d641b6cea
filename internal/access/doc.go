// Package access knows who is asking and what they may: tenants and their apps, API
// keys, roles, and settings that are inherited from the platform to a tenant to an app.
//
// All of it is kept as configuration documents ([document.Store]), so every process
// sees the same, and a change is one conditional write. A request is authenticated by
// [Authenticator], which remembers keys and tenants for at most [CacheFor]: a key that is
// revoked in one process is refused by all of them after that.
package access
