package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"

	"github.com/alecthomas/kong"
)

// fileSuffix makes of a secret's variable the one that names a file with the
// secret in it, as orchestrators mount them.
const fileSuffix = "_FILE"

// maxSecretFile is far above any secret.
const maxSecretFile = 16 << 10

// isSecret reports whether the flag's value is a [Secret].
func isSecret(flag *kong.Flag) bool { return flag.Target.Type() == reflect.TypeFor[Secret]() }

// secretOf resolves a secret from its variable or from the file that the other
// one names; both are a fault. A fault leaves a stand-in, so that nobody
// complains of a missing secret as well: nothing starts with it.
func (p *Parser) secretOf(env Lookup, flag *kong.Flag) (value string, found bool) {
	const standIn = "unreadable"
	given := func(name string) string {
		if v, ok := env(name); ok {
			return v
		}
		return ""
	}
	name := flag.Envs[0]
	value, file := given(name), given(name+fileSuffix)
	fault := func(format string, args ...any) (string, bool) {
		f := Fault{Flag: "--" + flag.Name, Env: name + fileSuffix, Value: file, Detail: fmt.Sprintf(format, args...)}
		if !p.faults.has(f.Flag) {
			*p.faults = append(*p.faults, f)
		}
		return standIn, true
	}
	switch {
	case file == "":
		return value, value != ""
	case value != "":
		return fault("is set beside %s: set one of them", name)
	}
	secret, err := readSecret(file)
	if err != nil {
		return fault("%v", err)
	}
	if p.files == nil {
		p.files = map[string]string{}
	}
	p.files["--"+flag.Name] = name + fileSuffix
	p.warnings = append(p.warnings, secretFile("the file of "+name+fileSuffix+",", file)...)
	return secret, true
}

// readSecret reads a file that holds a secret and, most often, a line break.
func readSecret(name string) (string, error) {
	f, err := os.Open(name) //nolint:gosec // the operator names the file
	if err != nil {
		return "", fmt.Errorf("cannot be read: %w", reason(err))
	}
	defer func() { _ = f.Close() }()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return "", errors.New("must be a file, not a directory")
	}
	data, err := io.ReadAll(io.LimitReader(f, maxSecretFile+1))
	if err != nil {
		return "", fmt.Errorf("cannot be read: %w", reason(err))
	}
	if len(data) > maxSecretFile {
		return "", fmt.Errorf("must have at most %d KiB", maxSecretFile>>10)
	}
	const bom = "\xef\xbb\xbf"
	text := strings.TrimSuffix(strings.TrimSuffix(strings.TrimPrefix(string(data), bom), "\n"), "\r")
	if text == "" {
		return "", errors.New("holds nothing")
	}
	return text, nil
}
