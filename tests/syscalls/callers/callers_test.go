package callers

import (
	"os"
	"strings"
	"syscall"
	"testing"
)

type talker struct{}

func (talker) String() string { _ = syscall.Chroot("/nonexistent"); return "talked" }

func FuzzCalls(f *testing.F) {
	f.Add("mkdir")
	f.Fuzz(func(t *testing.T, words string) {
		for _, word := range strings.Fields(words) {
			switch word {
			case "tempdir":
				t.TempDir()
			case "tempfile":
				_ = os.WriteFile(t.TempDir()+"/file", nil, 0o600)
			case "log":
				t.Log(talker{})
			case "cleanup":
				t.Cleanup(Mkdir)
			case "fatal":
				t.Fatal("on purpose")
			case "pipe":
				_, _, _ = syscall.Syscall(syscall.SYS_PIPE2, 0, 0, 0)
			default:
				if call, known := Calls[word]; known {
					call()
				}
			}
		}
	})
}

func TestMkdir(t *testing.T) { Mkdir() }

func TestTempDir(t *testing.T) { t.TempDir() }

func TestChild(t *testing.T) { Calls["run"]() }

func ExampleMkdir() {
	Mkdir()
	// Output:
}
