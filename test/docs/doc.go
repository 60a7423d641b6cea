// Package docs holds what the documents say against what the programs do.
package docs
