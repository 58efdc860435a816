// Package known makes a list of system calls that every recorder is held to.
package known

import (
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
)

// Steps are what Run does for a word, in the order of its input.
var Steps = map[string]func(){
	"files":    files,
	"sockets":  sockets,
	"options":  options,
	"memory":   memory,
	"fails":    fails,
	"refused":  refused,
	"routines": routines,
	"child":    child,
	"collect":  collect,
}

var sink []byte

// files opens the same device in several ways; two of them fail.
func files() {
	for _, flags := range []int{syscall.O_RDONLY, syscall.O_WRONLY, syscall.O_WRONLY | syscall.O_APPEND} {
		if fd, err := syscall.Open("/dev/null", flags|syscall.O_CLOEXEC, 0); err == nil {
			_, _ = syscall.Write(fd, []byte("known"))
			syscall.Close(fd)
		}
	}
	_, _ = os.Open("/nonexistent/file")
	_ = os.Remove("/nonexistent/file") // as a file, then as a folder
}

func sockets() {
	for _, family := range []int{syscall.AF_UNIX, syscall.AF_INET, syscall.AF_INET} {
		if fd, err := syscall.Socket(family, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0); err == nil {
			_ = syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1)
			syscall.Close(fd)
		}
	}
}

// options asks for things whose argument says what they are.
func options() {
	_, _, _ = syscall.Syscall(syscall.SYS_PRCTL, 3, 0, 0) // PR_GET_DUMPABLE
	_, _, _ = syscall.Syscall(syscall.SYS_FCNTL, 0, syscall.F_GETFD, 0)
	var limit syscall.Rlimit
	_ = syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit)
}

func memory() {
	if page, err := syscall.Mmap(-1, 0, 4096, syscall.PROT_READ|syscall.PROT_EXEC, syscall.MAP_PRIVATE|syscall.MAP_ANON); err == nil {
		_ = syscall.Mprotect(page, syscall.PROT_READ)
		_ = syscall.Munmap(page)
	}
}

func fails() {
	_ = syscall.Mkdir("/nonexistent/folder", 0o777)
	_ = syscall.Rmdir("/nonexistent/folder")
	_ = syscall.Chdir("/dev/null")
}

// refused makes calls that a kernel never grants: a call taken out of Linux 3.1, and to run what
// is no program.
func refused() {
	_, _, _ = syscall.RawSyscall(syscall.SYS_NFSSERVCTL, 0, 0, 0)
	_ = syscall.Exec("/dev/null", []string{"null"}, nil)
}

// routines makes 20 calls on goroutines of several threads.
func routines() {
	var all sync.WaitGroup
	for i := 0; i < 4; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			runtime.LockOSThread()
			for j := 0; j < 5; j++ {
				_ = syscall.Getppid()
				runtime.Gosched()
			}
		}()
	}
	all.Wait()
}

func child() { _ = exec.Command("/bin/true").Run() }

func collect() {
	sink = make([]byte, 8<<20)
	runtime.GC()
	sink = nil
}
