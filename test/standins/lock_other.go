//go:build !unix

package standins

import "errors"

// lockFile is not there on this system: run npm ci in test/standins by hand.
func lockFile(string) (unlock func(), err error) {
	return nil, errors.New("no file locks on this system: develop on Linux, macOS or WSL")
}
