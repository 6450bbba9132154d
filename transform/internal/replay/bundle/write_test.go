package bundle

import (
	"path/filepath"
	"strings"
	"testing"
)

// A file that takes no more is complained of once.
func TestFinishSaysOnceWhatWentWrong(t *testing.T) {
	w, err := Create(filepath.Join(t.TempDir(), "x.bundle"), Head{})
	if err != nil {
		t.Fatal(err)
	}
	w.Drop()
	err = w.Finish()
	if err == nil || strings.Contains(err.Error(), "\n") || strings.Count(err.Error(), "write ") != 2 {
		t.Errorf("it says %v", err)
	}
}
