package strict

import (
	"slices"
	"strings"
)

// Suggest returns the known name that a misspelt one most probably meant, "" if
// none is near. Case, hyphens and underscores do not count: lowerCamelCase is
// what most other JSON APIs have.
func Suggest(name string, known []string) string {
	const longest = 64 // nobody means a known name by more
	if len(name) > longest {
		return ""
	}
	flat, best := flatten(name), ""
	nearest := min(2, len(flat)/3) // as many slips are a misspelling, more are another word
	for _, k := range slices.Sorted(slices.Values(known)) {
		other := flatten(k)
		if flat == other {
			return k
		}
		if d := distance(flat, other); d <= nearest {
			if best == "" || d < distance(flat, flatten(best)) {
				best = k
			}
		}
	}
	return best
}

func flatten(name string) string {
	return strings.ToLower(strings.NewReplacer("_", "", "-", "", " ", "").Replace(name))
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
