package main

import (
	"archive/tar"
	"cmp"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	dirMode     = 0o755
	fileMode    = 0o644
	programMode = 0o755
)

// file is one in an archive.
type file struct {
	name, from string // in the archive, and where it is now
	mode       int64
}

// contents are the files of an archive for a system, whose programs are in stage.
func (r *release) contents(system, stage string) ([]file, error) {
	var files []file
	for _, p := range programs() {
		files = append(files, file{"bin/" + p, filepath.Join(stage, "bin", p), programMode})
	}
	for _, doc := range []string{"LICENSE", "README.md", "CHANGELOG.md", "SECURITY.md"} {
		files = append(files, file{doc, filepath.Join(r.source, doc), fileMode})
	}
	folders := map[string]string{"share": filepath.Join(r.out, "stage", "share")}
	if system == "linux" {
		folders["systemd"] = filepath.Join(r.source, "packaging", "systemd")
	}
	for name, dir := range folders {
		err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			rel, err := filepath.Rel(dir, path)
			files = append(files, file{name + "/" + filepath.ToSlash(rel), path, fileMode})
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("the files of %s: %w", name, err)
		}
	}
	return files, nil
}

// writeArchive packs files below a folder. The bytes depend on names, modes, contents and the time, and on nothing else.
func writeArchive(path, folder string, files []file, when time.Time) error {
	files = slices.Clone(files)
	slices.SortFunc(files, func(a, b file) int { return cmp.Compare(a.name, b.name) })
	out, err := os.Create(path) //nolint:gosec // where the release goes
	if err != nil {
		return fmt.Errorf("make the archive: %w", err)
	}
	zip, err := gzip.NewWriterLevel(out, gzip.BestCompression)
	if err != nil {
		return errors.Join(err, out.Close())
	}
	pack := tar.NewWriter(zip)
	for _, f := range files {
		if err == nil {
			err = addFile(pack, folder+"/"+f.name, f, when)
		}
	}
	if err := errors.Join(err, pack.Close(), zip.Close(), out.Close()); err != nil {
		return fmt.Errorf("archive %s: %w", filepath.Base(path), err)
	}
	return nil
}

func addFile(pack *tar.Writer, name string, f file, when time.Time) error {
	content, err := os.Open(f.from)
	if err != nil {
		return err
	}
	defer func() { _ = content.Close() }()
	info, err := content.Stat()
	if err != nil {
		return err
	}
	header := &tar.Header{
		Typeflag: tar.TypeReg, Name: name, Size: info.Size(), Mode: f.mode, ModTime: when.Truncate(time.Second), Format: tar.FormatUSTAR,
	}
	if err := pack.WriteHeader(header); err != nil {
		return err
	}
	_, err = io.Copy(pack, content)
	return err
}

// digests are the SHA-256 of files, by name.
type digests map[string]string

// String is what sha256sum -c reads.
func (d digests) String() string {
	var b strings.Builder
	for _, name := range sortedKeys(d) {
		fmt.Fprintf(&b, "%s  %s\n", d[name], name)
	}
	return b.String()
}

// checksums returns those of the files of a folder that match a pattern.
func checksums(dir, pattern string) (digests, error) {
	paths, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil {
		return nil, fmt.Errorf("checksums: %w", err)
	}
	sums := digests{}
	for _, path := range paths {
		sum, err := checksum(path)
		if err != nil {
			return nil, fmt.Errorf("checksum of %s: %w", filepath.Base(path), err)
		}
		sums[filepath.Base(path)] = sum
	}
	return sums, nil
}

func checksum(path string) (string, error) {
	f, err := os.Open(path) //nolint:gosec // what was just made
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
