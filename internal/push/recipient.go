package push

import "maps"

// MergeData returns base with over's entries on top; neither is changed.
func MergeData(base, over map[string]string) map[string]string {
	out := make(map[string]string, len(base)+len(over))
	maps.Copy(out, base)
	maps.Copy(out, over)
	return out
}
