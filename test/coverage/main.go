// Command coverage compares the test coverage of each package with its floor.
//
// It reads what "go tool covdata percent" prints from standard input. A package
// below its floor, or without one, is an error. With -raise floors are written:
// each becomes two points less than what is covered now, in whole percent, and
// none becomes lower than it was. The difference is for tests of
// processes that are killed, which do not reach the same lines each time.
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
)

const module = "github.com/belfry-push/belfry/"

func main() {
	file := flag.String("floors", "test/coverage/floors.txt", "the `file` of floors: a package and a whole percent a line")
	raise := flag.Bool("raise", false, "write floors that are higher than those in the file")
	flag.Parse()
	if err := run(*file, *raise, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(file string, raise bool, in io.Reader, out io.Writer) error {
	covered, err := readCovered(in)
	if err != nil {
		return err
	}
	floors, err := readFloors(file)
	if err != nil {
		return err
	}
	if raise {
		return writeFloors(file, raised(floors, covered))
	}
	var faults []string
	for _, name := range slices.Sorted(maps.Keys(covered)) {
		floor, ok := floors[name]
		if _, err := fmt.Fprintf(out, "%5.1f %%  %s\n", covered[name], name); err != nil {
			return fmt.Errorf("coverage: %w", err)
		}
		switch {
		case !ok:
			faults = append(faults, name+" has no floor: make cover-raise")
		case covered[name] < float64(floor):
			faults = append(faults, fmt.Sprintf("%s is covered to %.1f %%, its floor is %d %%: test what is new", name, covered[name], floor))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(floors)) {
		if _, ok := covered[name]; !ok {
			faults = append(faults, name+" has a floor and no coverage: take its line out of "+file)
		}
	}
	if len(faults) > 0 {
		return fmt.Errorf("coverage:\n  %s", strings.Join(faults, "\n  "))
	}
	return nil
}

// readCovered returns the percent of each package, without conformance suites:
// their branches for failing drivers are not meant to be reached.
func readCovered(in io.Reader) (map[string]float64, error) {
	covered := make(map[string]float64)
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		name, rest, ok := strings.Cut(strings.TrimSpace(lines.Text()), "coverage:")
		if !ok {
			continue
		}
		name = strings.TrimPrefix(strings.TrimSpace(name), module)
		text, _, ok := strings.Cut(strings.TrimSpace(rest), "%")
		percent, err := strconv.ParseFloat(text, 64)
		if !ok || err != nil {
			return nil, fmt.Errorf("coverage: %q is no line of go tool covdata percent", lines.Text())
		}
		if path.Base(name) != path.Base(path.Dir(name))+"test" {
			covered[name] = percent
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("coverage: %w", err)
	}
	if len(covered) == 0 {
		return nil, errors.New("coverage: nothing to compare: go tool covdata percent -i=DIR | go run ./test/coverage")
	}
	return covered, nil
}

func readFloors(file string) (map[string]int, error) {
	floors := make(map[string]int)
	text, err := os.ReadFile(file) //nolint:gosec // named by whoever runs it
	if os.IsNotExist(err) {
		return floors, nil
	}
	if err != nil {
		return nil, fmt.Errorf("coverage: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		if len(fields) != 2 {
			return nil, fmt.Errorf("coverage: %s: %q is not a package and its floor", file, line)
		}
		floor, err := strconv.Atoi(fields[1])
		if err != nil || floor < 0 || floor > 100 {
			return nil, fmt.Errorf("coverage: %s: %q is no floor: 0 to 100", file, fields[1])
		}
		floors[fields[0]] = floor
	}
	return floors, nil
}

// slack is by how many points a floor is set below what was measured.
const slack = 2

// raised are the floors that covered allows: for its packages only.
func raised(floors map[string]int, covered map[string]float64) map[string]int {
	next := make(map[string]int, len(covered))
	for name, percent := range covered {
		next[name] = max(floors[name], int(math.Floor(percent))-slack, 0)
	}
	return next
}

func writeFloors(file string, floors map[string]int) error {
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(floors)) {
		fmt.Fprintf(&text, "%s %d\n", name, floors[name])
	}
	if err := os.WriteFile(file, []byte(text.String()), 0o644); err != nil { //nolint:gosec // a source file, for all to read
		return fmt.Errorf("coverage: %w", err)
	}
	return nil
}
