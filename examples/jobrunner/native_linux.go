//go:build amd64 || arm64

package jobrunner

import (
	"fmt"
	"io"
	"os"
	"syscall"
	"time"
	"unsafe"
)

const noFollow = syscall.O_NOFOLLOW

// Flags of renameat2, statx and fallocate, from Linux's uapi headers.
const (
	renameNoReplaceFlag = 1
	renameExchangeFlag  = 2
	atFdcwd             = -100
	atSymlinkNofollow   = 0x100
	statxBasicStats     = 0x7ff
	fallocKeepSize      = 1
	fallocPunchHole     = 2
	fadviseSequential   = 2
	accessWrite         = 2
	spliceMove          = 1
	hookTimeout         = 2 * time.Second
	maxCopied           = MaxFile + 1
)

// sys is a system call that the syscall package has no function for.
func sys(number uintptr, a, b, c, d, e, f uintptr) (int, error) {
	n, _, errno := syscall.Syscall6(number, a, b, c, d, e, f)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

func syncFile(f *os.File) error { return syscall.Fdatasync(int(f.Fd())) }

// reserve allocates disk space for n bytes from off on, or with punch gives it back.
func reserve(f *os.File, off, n int64, punch bool) error {
	if n == 0 {
		return nil // the kernel calls that an error
	}
	mode := uint32(fallocKeepSize)
	if punch {
		mode |= fallocPunchHole
	}
	return syscall.Fallocate(int(f.Fd()), mode, off, n)
}

// writeGathered writes a text that is not empty, its last byte from a buffer of its own.
func writeGathered(f *os.File, text string) error {
	head, last := []byte(text), []byte{text[len(text)-1]}
	vec := [2]syscall.Iovec{
		{Base: &head[0], Len: uint64(len(head) - 1)},
		{Base: &last[0], Len: 1},
	}
	n, _, errno := syscall.Syscall(syscall.SYS_WRITEV, f.Fd(), uintptr(unsafe.Pointer(&vec[0])), 2)
	if errno != 0 {
		return errno
	}
	if int(n) != len(text) {
		return io.ErrShortWrite
	}
	return nil
}

// readMapped returns a file's first size bytes by mapping it.
func readMapped(f *os.File, size int64) (string, error) {
	if size == 0 {
		return "", nil // an empty mapping is an error
	}
	data, err := syscall.Mmap(int(f.Fd()), 0, int(size), syscall.PROT_READ, syscall.MAP_PRIVATE)
	if err != nil {
		return "", err
	}
	text := string(data)
	return text, syscall.Munmap(data)
}

func adviseSequential(f *os.File) error {
	_, err := sys(syscall.SYS_FADVISE64, f.Fd(), 0, 0, fadviseSequential, 0, 0)
	return err
}

func copyRange(dst, src *os.File) error {
	return copyLoop(func() (int, error) {
		return sys(sysCopyFileRange, src.Fd(), 0, dst.Fd(), 0, maxCopied, 0)
	})
}

func copySend(dst, src *os.File) error {
	return copyLoop(func() (int, error) {
		return syscall.Sendfile(int(dst.Fd()), int(src.Fd()), nil, maxCopied)
	})
}

// copyLoop calls a copying system call until it has no more; files are small, so that is twice.
func copyLoop(more func() (int, error)) error {
	for total := 0; total < maxCopied; {
		n, err := more()
		if err != nil || n <= 0 {
			return err
		}
		total += n
	}
	return nil
}

// copySplice moves the pages through a pipe. A pipe holds 64 KiB unless the system is short of
// memory, and then splice gives us less, never blocks: the pipe is empty before each round.
func copySplice(dst, src *os.File) error {
	var pipe [2]int
	if err := syscall.Pipe2(pipe[:], syscall.O_CLOEXEC|syscall.O_NONBLOCK); err != nil {
		return err
	}
	defer syscall.Close(pipe[0])
	defer syscall.Close(pipe[1])
	return copyLoop(func() (int, error) {
		in, err := syscall.Splice(int(src.Fd()), nil, pipe[1], nil, maxCopied, spliceMove)
		if err != nil || in == 0 {
			return 0, err
		}
		for left := in; left > 0; {
			out, err := syscall.Splice(pipe[0], nil, int(dst.Fd()), nil, int(left), spliceMove)
			if err != nil || out == 0 {
				return 0, fmt.Errorf("%d bytes stuck in a pipe: %w", left, err)
			}
			left -= out
		}
		return int(in), nil
	})
}

func renameNoReplace(from, to string) error { return rename2(from, to, renameNoReplaceFlag) }
func renameExchange(from, to string) error  { return rename2(from, to, renameExchangeFlag) }

func rename2(from, to string, flag uintptr) error {
	a, err := syscall.BytePtrFromString(from)
	if err != nil {
		return err
	}
	b, err := syscall.BytePtrFromString(to)
	if err != nil {
		return err
	}
	cwd := atFdcwd
	_, _, errno := syscall.Syscall6(sysRenameat2, uintptr(cwd), uintptr(unsafe.Pointer(a)),
		uintptr(cwd), uintptr(unsafe.Pointer(b)), flag, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

func checkWritable(path string) error { return syscall.Access(path, accessWrite) }

// extendedStat asks statx and says whether the kernel told everything stat does.
func extendedStat(path string) (string, error) {
	p, err := syscall.BytePtrFromString(path)
	if err != nil {
		return "", err
	}
	var answer struct {
		mask uint32
		rest [252]byte
	}
	cwd := atFdcwd
	_, _, errno := syscall.Syscall6(sysStatx, uintptr(cwd), uintptr(unsafe.Pointer(p)),
		atSymlinkNofollow, statxBasicStats, uintptr(unsafe.Pointer(&answer)), 0)
	if errno != 0 {
		return "", errno
	}
	if answer.mask&statxBasicStats == statxBasicStats {
		return "complete", nil
	}
	return "partial", nil
}

func lockFile(f *os.File, shared bool) error {
	how := syscall.LOCK_EX
	if shared {
		how = syscall.LOCK_SH
	}
	return syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB)
}

func lockRange(f *os.File, shared bool) error {
	lock := syscall.Flock_t{Type: syscall.F_WRLCK}
	if shared {
		lock.Type = syscall.F_RDLCK
	}
	return syscall.FcntlFlock(f.Fd(), syscall.F_SETLK, &lock)
}

// runHook starts a program and waits for it, at most hookTimeout. The child leads its own process
// group and dies with us.
func runHook(argv []string, dir string) error {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	child, err := os.StartProcess(argv[0], argv, &os.ProcAttr{
		Dir:   dir,
		Env:   []string{},
		Files: []*os.File{null, null, null},
		Sys:   &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL},
	})
	if err != nil {
		return err
	}
	timeout := time.AfterFunc(hookTimeout, func() { child.Kill() })
	defer timeout.Stop()
	state, err := child.Wait()
	if err != nil {
		return err
	}
	if !state.Success() {
		return fmt.Errorf("the hook ended with %v", state)
	}
	return nil
}
