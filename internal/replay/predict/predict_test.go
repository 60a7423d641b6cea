package predict

import (
	"strings"
	"testing"
)

// What is missing of a configuration is named, all of it.
func TestNewNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	_, err := New(Config{})
	if err == nil {
		t.Fatal("an empty configuration is taken")
	}
	for _, name := range []string{"Keeper", "Letters", "Notifications", "Lines", "Documents", "Now"} {
		if !strings.Contains(err.Error(), "predict: "+name+" is required") {
			t.Errorf("%v does not name %s", err, name)
		}
	}
}
