package config

import (
	"strings"
	"testing"
)

func TestProvisionPlansOrForces(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--plan"}, ""},
		{[]string{"--force"}, ""},
		{[]string{"--plan", "--force"}, "--plan: and --force: give one of them"},
	} {
		_, ok, _, stderr := load(&Provision{}, nil, c.args...)
		if ok != (c.want == "") || !strings.Contains(stderr, c.want) {
			t.Errorf("%v: ok %v, %s", c.args, ok, stderr)
		}
	}
}
