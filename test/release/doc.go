// Package release tests what a release is made of: install.sh against a server of its own, the units of systemd, compose.yaml,
// the image's recipe, and the workflow that publishes.
package release
