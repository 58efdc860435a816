package known

import (
	"strings"
	"testing"
)

func FuzzKnown(f *testing.F) {
	f.Add("files")
	f.Fuzz(func(t *testing.T, words string) {
		for _, word := range strings.Fields(words) {
			if word == "tempdir" {
				t.TempDir()
			} else if step, known := Steps[word]; known {
				step()
			}
		}
	})
}
