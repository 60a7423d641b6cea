package doctor

import "context"

const nameSettings = "settings"

// Settings shows what a service would warn of when it starts. warnings is called
// when its turn comes: after the checks that find some.
func Settings(warnings func() []string) Check {
	return func(context.Context) []Result {
		var results []Result
		for _, w := range warnings() {
			results = append(results, warning(nameSettings, w, "change it, or keep it if you meant it"))
		}
		return results
	}
}
