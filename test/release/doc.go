// Package release tests what a release is made of: install.sh against a server of its own, the units of systemd, compose.yaml,
// the image's recipe, and the workflow that publishes. With -full, as make release-check has it, it builds a release for this
// machine twice, compares the two, and installs the packages and the image; what this machine lacks for that, it says.
package release
