// Package lib makes system calls whose number and kind are known.
package lib

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
)

// Files makes folders: one itself, two in goroutines of its own.
func Files(dir string) {
	os.Mkdir(filepath.Join(dir, "itself"), 0o755)
	var group sync.WaitGroup
	for _, name := range []string{"one", "two"} {
		group.Add(1)
		go func(name string) {
			defer group.Done()
			inside(filepath.Join(dir, name))
		}(name)
	}
	group.Wait()
}

//go:noinline
func inside(dir string) { os.Mkdir(dir, 0o755) }

// Child runs a program that makes calls of its own.
func Child(program string, arguments ...string) error {
	return exec.Command(program, arguments...).Run()
}

// Pid is small enough to be inlined wherever it is called.
func Pid() int { return syscall.Getpid() }

// PidToo has a copy of Pid.
func PidToo() int { return Pid() + 1 }

// Tiny is inlined everywhere, and so is no function in the end.
func Tiny(i int) int { return i + 2 }

// Touch makes one call that is refused its file.
//
//go:noinline
func Touch() { syscall.Access("/no/such/file", 0) }

// Step makes no call at all, ever so quickly.
//
//go:noinline
func Step(i int) int { return i + 1 }

// Run has a namesake in package other.
//
//go:noinline
func Run() { Touch() }
