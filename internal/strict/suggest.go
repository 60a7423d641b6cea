package strict

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// Suggest returns the known name that a misspelt one most probably meant, "" if
// none is near. Case, hyphens and underscores do not count: lowerCamelCase is
// what most other JSON APIs have.
func Suggest(name string, known []string) string {
	const longest = 64 // nobody means a known name by more
	if len(name) > longest {
		return ""
	}
	flat, best, least := flatten(name), "", 3
	for _, k := range slices.Sorted(slices.Values(known)) {
		other := flatten(k)
		if flat == other {
			return k
		}
		// As many slips are a misspelling, more are another word. The longer of the
		// two counts: a letter may be missing.
		nearest := min(2, max(len(flat), len(other))/3)
		if d := distance(flat, other); flat != "" && d <= nearest && d < least {
			best, least = k, d
		}
	}
	return best
}

// DidYouMean is the end of a sentence about a name that nobody knows: what was
// most probably meant, "" if nothing is near.
func DidYouMean(name string, known []string) string {
	if meant := Suggest(name, known); meant != "" {
		return fmt.Sprintf("; did you mean %q?", meant)
	}
	return ""
}

// Slip reports whether name is known with one letter left out, doubled or
// swapped with its neighbour: what fingers do, and hardly another word.
func Slip(name, known string) bool {
	for i := range known {
		left, doubled := known[:i]+known[i+1:], known[:i]+known[i:i+1]+known[i:]
		swapped := i > 0 && known[i] != known[i-1] && name == known[:i-1]+known[i:i+1]+known[i-1:i]+known[i+1:]
		if name == left || name == doubled || swapped {
			return true
		}
	}
	return false
}

// Alike reports whether two names are the same but for case, hyphens and
// underscores.
func Alike(a, b string) bool { return flatten(a) == flatten(b) }

func flatten(name string) string {
	return strings.Map(func(r rune) rune {
		if r == '_' || r == '-' || r == ' ' {
			return -1
		}
		return unicode.ToLower(r)
	}, name)
}

// distance returns how many letters must be changed, added, left out or swapped
// with their neighbour to make one word of the other (optimal string alignment).
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
