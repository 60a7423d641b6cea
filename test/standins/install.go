package standins

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// marker stands in node_modules when the installation is complete; it holds the
// hash of the lock file that was installed.
const marker = ".belfry-standins"

// Available says why the stand-ins cannot run here, or nil. It installs nothing.
func Available() error {
	if set(envLeaveOut) {
		return errors.New(envLeaveOut + " is set")
	}
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("%s is missing: install Node.js 20 or newer with npm", tool)
		}
	}
	return nil
}

// install returns the directory of the stand-ins, installed.
func install(ctx context.Context) (string, error) { return Install(ctx, "standins") }

// Install runs npm ci in a folder of test/ once for its lock file, for all
// processes together, and returns the folder.
func Install(ctx context.Context, folder string) (string, error) {
	if err := Available(); err != nil {
		return "", err
	}
	dir, err := findDir(folder)
	if err != nil {
		return "", err
	}
	lock, err := os.ReadFile(filepath.Join(dir, "package-lock.json")) //nolint:gosec // below the module
	if err != nil {
		return "", fmt.Errorf("install test/%s: %w", folder, err)
	}
	sum := sha256.Sum256(lock)
	want := hex.EncodeToString(sum[:])
	if installed(dir) == want {
		return dir, nil
	}
	unlock, err := lockFile(filepath.Join(dir, "node_modules.lock"))
	if err != nil {
		return "", fmt.Errorf("install test/%s: %w", folder, err)
	}
	defer unlock()
	if installed(dir) == want { // by the process that had the lock
		return dir, nil
	}
	// Scripts are not run: what these packages need of native code is shipped in them.
	cmd := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	cmd.Dir = dir
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("npm ci in test/%s: %w: %s", folder, err, lastLines(out.String()))
	}
	if err := os.WriteFile(filepath.Join(dir, "node_modules", marker), []byte(want), 0o600); err != nil { //nolint:gosec // below the module
		return "", fmt.Errorf("install test/%s: %w", folder, err)
	}
	return dir, nil
}

func installed(dir string) string {
	sum, err := os.ReadFile(filepath.Join(dir, "node_modules", marker)) //nolint:gosec // below the module
	if err != nil {
		return ""
	}
	return string(sum)
}

// findDir finds a folder of test/ from anywhere inside the module; tests run in the
// directory of their package.
func findDir(folder string) (string, error) {
	at, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find test/%s: %w", folder, err)
	}
	for {
		dir := filepath.Join(at, "test", folder)
		if _, err := os.Stat(filepath.Join(dir, "package.json")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(at)
		if up == at {
			return "", fmt.Errorf("find test/%s: not inside the repository", folder)
		}
		at = up
	}
}

// lastLines are enough of npm's output to see what is wrong.
func lastLines(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(lines[max(0, len(lines)-5):], "; ")
}
