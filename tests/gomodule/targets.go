// Package targets is code under test for gofuzzsec's own tests: every way a fuzz target can behave,
// small enough to build in a second.
package targets

import (
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Nested reaches one more branch for each leading byte of "FUZZ" that data has.
func Nested(data []byte) int {
	depth := 0
	if len(data) > 0 && data[0] == 'F' {
		depth++
		if len(data) > 1 && data[1] == 'U' {
			depth++
			if len(data) > 2 && data[2] == 'Z' {
				depth++
				if len(data) > 3 && data[3] == 'Z' {
					depth++
				}
			}
		}
	}
	return depth
}

// Sense has one branch for each bit of hash, so that its coverage tells almost any two hashes apart.
func Sense(hash uint64) (set int) {
	if hash&(1<<0) != 0 {
		set++
	}
	if hash&(1<<1) != 0 {
		set++
	}
	if hash&(1<<2) != 0 {
		set++
	}
	if hash&(1<<3) != 0 {
		set++
	}
	if hash&(1<<4) != 0 {
		set++
	}
	if hash&(1<<5) != 0 {
		set++
	}
	if hash&(1<<6) != 0 {
		set++
	}
	if hash&(1<<7) != 0 {
		set++
	}
	if hash&(1<<8) != 0 {
		set++
	}
	if hash&(1<<9) != 0 {
		set++
	}
	if hash&(1<<10) != 0 {
		set++
	}
	if hash&(1<<11) != 0 {
		set++
	}
	if hash&(1<<12) != 0 {
		set++
	}
	if hash&(1<<13) != 0 {
		set++
	}
	if hash&(1<<14) != 0 {
		set++
	}
	if hash&(1<<15) != 0 {
		set++
	}
	return set
}

// Hoard is kept reachable so that the garbage collector cannot give Trouble's memory back.
var Hoard [][]byte

// Trouble does what kind says: the ways an execution can end other than well.
func Trouble(kind string) {
	switch kind {
	case "panic":
		var nothing map[string]int
		nothing["x"] = 1
	case "goroutine":
		done := make(chan bool)
		go func() { defer close(done); panic("in a goroutine") }()
		<-done
	case "hang":
		for {
			time.Sleep(time.Hour)
		}
	case "spin":
		for {
		}
	case "oom":
		// At once: a collector that is at work when memory ends may die of something else, as that
		// of Go 1.26 does of a nil pointer.
		Hoard = append(Hoard, make([]byte, 16<<30))
	case "exit":
		os.Exit(3)
	case "killed":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	case "segv":
		_ = syscall.Kill(os.Getpid(), syscall.SIGSEGV)
		time.Sleep(time.Hour) // any thread may take the signal, a moment later
	}
}

// Files makes the system calls that ops asks for, one for each byte it knows, inside dir.
func Files(dir string, ops []byte) error {
	name := filepath.Join(dir, "file")
	for _, op := range ops {
		var err error
		switch op {
		case 'd':
			err = os.MkdirAll(filepath.Join(dir, "folder"), 0o700)
		case 'w':
			err = os.WriteFile(name, ops, 0o600)
		case 'l':
			err = os.Symlink("nowhere", filepath.Join(dir, "link"))
		case 'm':
			err = syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600)
		case 'u':
			err = os.Remove(name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
