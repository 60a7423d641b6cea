package infra

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2/hclwrite"
)

// The files are as tofu fmt leaves them, as far as HCL's own formatter goes.
func TestFormat(t *testing.T) {
	t.Parallel()
	err := filepath.WalkDir(".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".tf" {
			return err
		}
		src, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if d := cmp.Diff(string(hclwrite.Format(src)), string(src)); d != "" {
			t.Errorf("%s (-formatted +as it is):\n%s", path, d)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
