package main

import (
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"unsafe"
)

func show() {
	for _, mark := range syscall.GofuzzsecMarks(nil) {
		fmt.Println("mark", mark)
		frames(syscall.GofuzzsecText(mark, nil))
	}
	calls, complete := syscall.GofuzzsecTraced()
	if !complete {
		panic("more calls than can be traced")
	}
	for _, call := range calls {
		fmt.Println("call", call.Feature, call.Count)
		frames(syscall.GofuzzsecLines(call.Stack, nil))
	}
}

func frames(text []byte) {
	for start, i := 0, 0; i < len(text); i++ {
		if text[i] == '\n' {
			fmt.Println("frame", string(text[start:i]))
			start = i + 1
		}
	}
}

func openInlined(name string) (*os.File, error) { return os.Open(name) }

func scenarioOpen() {
	openInlined("/nonexistent")
	f, _ := os.Open(".")
	f.Close()
}

// jump is in assembly.
func jump(trap, a1, a2, a3, a4, a5, a6 uintptr) (r1, r2, errno uintptr)

func scenarioAround() {
	jump(syscall.SYS_GETPGID, 0, 0, 0, 0, 0, 0)
	os.Getuid()
	os.NewFile(0, "stdin")
	if _, _, errno := syscall.AllThreadsSyscall(syscall.SYS_PRCTL, syscall.PR_GET_DUMPABLE, 0, 0); errno == syscall.ENOTSUP {
		syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_GET_DUMPABLE, 0, 0) // with cgo it is refused
	}
}

func scenarioClasses() {
	syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	fd, _ := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM, 0)
	syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1)
	syscall.Socket(syscall.AF_NETLINK, syscall.SOCK_RAW, 0)
	syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	page, _ := syscall.Mmap(-1, 0, 4096, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE|syscall.MAP_ANON)
	syscall.Mprotect(page, syscall.PROT_READ)
	syscall.Mmap(-1, 0, 4096, syscall.PROT_READ, syscall.MAP_PRIVATE|syscall.MAP_ANON)
	syscall.Syscall(syscall.SYS_FCNTL, 0, syscall.F_GETFD, 0)
	var size [64]byte
	syscall.Syscall(syscall.SYS_IOCTL, 0, syscall.TIOCGWINSZ, uintptr(unsafe.Pointer(&size)))
	syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_GET_NAME, uintptr(unsafe.Pointer(&size)), 0)
	dir, err := os.MkdirTemp("", "inprocess")
	if err != nil {
		panic(err)
	}
	os.WriteFile(dir+"/file", nil, 0o600)
	syscall.Open(dir, syscall.O_DIRECTORY, 0)
	os.RemoveAll(dir)
}

func scenarioExec() {
	if err := exec.Command("/proc/self/exe", "nothing").Run(); err != nil {
		panic(err)
	}
}

func scenarioNoExec() {
	// exec.Command would look the file up first.
	if _, err := os.StartProcess("/nonexistent", nil, &os.ProcAttr{}); err == nil {
		panic("started a process from nothing")
	}
}

// scenarioAttr starts children that set themselves up before they execve, which happens on a stack
// that cannot grow.
func scenarioAttr() {
	attributes := []*syscall.SysProcAttr{
		{Setpgid: true, Pdeathsig: syscall.SIGKILL},
		{Setsid: true, Pdeathsig: syscall.SIGTERM},
	}
	if os.Getuid() == 0 {
		attributes = append(attributes, &syscall.SysProcAttr{
			Chroot:     "/",
			Credential: &syscall.Credential{Uid: 0, Gid: 0},
			Pdeathsig:  syscall.SIGKILL,
		})
	}
	for _, each := range attributes {
		child := exec.Command("/proc/self/exe", "nothing")
		child.Dir, child.SysProcAttr = "/", each
		if err := child.Run(); err != nil {
			panic(err)
		}
	}
}

func scenarioStorm() {
	var all sync.WaitGroup
	for range [4]int{} {
		all.Add(1)
		go func() {
			defer all.Done()
			for range [500]int{} {
				syscall.Getppid()
				syscall.Open("/nonexistent", syscall.O_RDONLY, 0)
				syscall.Syscall(syscall.SYS_FCNTL, ^uintptr(0), syscall.F_GETFL, 0)
			}
		}()
	}
	all.Wait()
}

//go:noinline
func traceOnce() { syscall.Getppid() }

func scenarioTrace() {
	syscall.GofuzzsecTrace(true)
	for range [5]int{} {
		syscall.Getppid()
	}
	traceOnce()
	for range [2]int{} {
		syscall.Open("/nonexistent", syscall.O_RDONLY, 0)
	}
	syscall.GofuzzsecTrace(false)
}

//go:noinline
func deep(n int) int {
	if n == 0 {
		return syscall.Getppid()
	}
	return deep(n-1) + 1
}

func scenarioDie(path string) {
	f, err := os.Create(path)
	if err != nil {
		panic(err)
	}
	if err := f.Truncate(int64(syscall.GofuzzsecSize())); err != nil {
		panic(err)
	}
	memory, err := syscall.Mmap(int(f.Fd()), 0, syscall.GofuzzsecSize(), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil || !syscall.GofuzzsecPlace(memory) {
		panic("no tables")
	}
	os.Getuid()
	syscall.GofuzzsecReset()
	os.Open("/nonexistent")
	syscall.RawSyscall(syscall.SYS_EXIT_GROUP, 7, 0, 0)
}

func main() {
	syscall.GofuzzsecReset()
	syscall.GofuzzsecForgetAll()
	switch os.Args[1] {
	case "open":
		scenarioOpen()
	case "around":
		scenarioAround()
	case "classes":
		scenarioClasses()
	case "number":
		syscall.RawSyscall6(5000, 0, 0, 0, 0, 0, 0)
	case "exec":
		scenarioExec()
	case "noexec":
		scenarioNoExec()
	case "attr":
		scenarioAttr()
	case "storm":
		scenarioStorm()
	case "trace":
		scenarioTrace()
	case "deep":
		deep(1000)
	case "die":
		scenarioDie(os.Args[2])
	case "nothing":
		return
	}
	show()
}
