package verified

import (
	"os"
	"testing"
)

func FuzzDo(f *testing.F) {
	f.Add("nothing")
	f.Fuzz(func(t *testing.T, word string) {
		if len(word) >= 7 && word[:7] == "tempdir" {
			t.TempDir()
		}
		if err := Do(word); err != nil && word != "child" {
			t.Error(err)
		}
	})
}

func TestPriority(t *testing.T) {
	t.Run("inner", func(t *testing.T) {
		if err := Do("priority"); err != nil {
			t.Fatal(err)
		}
	})
}

func TestTolerant(t *testing.T) { Do("tolerant") }

func TestPlain(t *testing.T) { t.TempDir() }

func TestBroken(t *testing.T) {
	if os.Getenv("VERIFIED_BROKEN") != "" {
		t.Fatal("always")
	}
}

func TestOnce(t *testing.T) {
	marker := os.Getenv("VERIFIED_ONCE")
	if marker == "" {
		return
	}
	if err := os.WriteFile(marker, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(marker + ".second"); err == nil {
		t.Fatal("cannot be run twice")
	}
	os.WriteFile(marker+".second", nil, 0o600)
}
