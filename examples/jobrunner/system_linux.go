//go:build amd64 || arm64

package jobrunner

import (
	"errors"
	"fmt"
	"math/bits"
	"os"
	"strconv"
	"syscall"
	"unsafe"
)

// Not in the syscall package.
const (
	clockMonotonic = 1
	labelName      = "user.job"
	addSeals       = 1033 // F_ADD_SEALS
	sealWrite      = 8    // F_SEAL_WRITE
	memfdCloexec   = 1
	memfdSealing   = 2
	maxLabel       = 64
	maxMessage     = 1024
)

var errLongMessage = fmt.Errorf("a message has at most %d bytes", maxMessage)

// native runs the verbs that have no portable form.
func (r *run) native(s *step) error {
	switch s.verb {
	case verbCpus:
		return r.cpus()
	case verbFifo:
		return r.fifo(s)
	case verbHost:
		return r.host()
	case verbLabel:
		return r.label(s)
	case verbLimit:
		return r.limit()
	case verbMemory:
		return r.memory(s)
	case verbNotify:
		return r.notify(s)
	case verbPoll:
		return r.poll()
	case verbReserve:
		return r.reserve(s)
	case verbServe:
		return r.serve(s)
	case verbSpace:
		return r.space(s)
	case verbTimer:
		return r.timer(s)
	case verbWait:
		return r.wait(s)
	case verbWho:
		return r.who(s)
	}
	return errUnsupported
}

func (r *run) printInt(name string, n int64) error {
	return r.print(name, " ", strconv.FormatInt(n, 10), "\n")
}

// cpus prints how many processors we may use.
func (r *run) cpus() error {
	var mask [128]uint64
	n, _, errno := syscall.RawSyscall(syscall.SYS_SCHED_GETAFFINITY, 0, unsafe.Sizeof(mask),
		uintptr(unsafe.Pointer(&mask[0])))
	if errno != 0 {
		return errno
	}
	count := 0
	for _, word := range mask[:n/8] {
		count += bits.OnesCount64(word)
	}
	return r.printInt("cpus", int64(count))
}

// fifo makes a named pipe. Nothing in a job opens one.
func (r *run) fifo(s *step) error {
	path, err := r.locate(s.args[0])
	if err != nil {
		return err
	}
	return syscall.Mkfifo(path, 0o600)
}

// host prints the system's name, and fails on a machine that has just run out of memory.
func (r *run) host() error {
	var name syscall.Utsname
	if err := syscall.Uname(&name); err != nil {
		return err
	}
	var info syscall.Sysinfo_t
	if err := syscall.Sysinfo(&info); err != nil {
		return err
	}
	if info.Freeram == 0 && info.Freeswap == 0 {
		return errors.New("the machine is out of memory")
	}
	for _, c := range name.Sysname {
		if c == 0 {
			break
		}
		if err := r.print(string(rune(c))); err != nil {
			return err
		}
	}
	return r.print("\n")
}

// label attaches a text to a file as an extended attribute, or prints it if no text is given. With l
// it prints how many bytes the names of all attributes take.
func (r *run) label(s *step) error {
	path, err := r.locate(s.args[0])
	if err != nil {
		return err
	}
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return errNotRegular
	}
	var buf [maxMessage]byte
	switch text := s.text(1); {
	case s.flags.has('l'):
		n, err := syscall.Listxattr(path, buf[:])
		if err != nil {
			return err
		}
		return r.printInt("labels", int64(n))
	case len(text) > maxLabel:
		return fmt.Errorf("a label has at most %d bytes", maxLabel)
	case text != "":
		return syscall.Setxattr(path, labelName, []byte(text), 0)
	}
	n, err := syscall.Getxattr(path, labelName, buf[:])
	if err != nil {
		return err
	}
	return r.print(string(buf[:n]), "\n")
}

// limit prints how many files we may have open, and our priority.
func (r *run) limit() error {
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		return err
	}
	// The kernel answers 20 - nice, so that no answer is negative.
	priority, err := syscall.Getpriority(syscall.PRIO_PROCESS, 0)
	if err != nil {
		return err
	}
	if err := r.printInt("files", int64(files.Cur)); err != nil {
		return err
	}
	return r.printInt("nice", 20-int64(priority))
}

// memory passes a text through a file that exists only in memory; with s it is sealed first.
func (r *run) memory(s *step) error {
	text := s.text(0)
	if len(text) > maxMessage {
		return errLongMessage
	}
	name := [...]byte{'j', 'o', 'b', 0}
	fd, _, errno := syscall.Syscall(sysMemfdCreate, uintptr(unsafe.Pointer(&name[0])),
		memfdCloexec|memfdSealing, 0)
	if errno != 0 {
		return errno
	}
	defer syscall.Close(int(fd))
	if _, err := syscall.Write(int(fd), []byte(text)); err != nil {
		return err
	}
	if s.flags.has('s') {
		if _, err := sys(syscall.SYS_FCNTL, fd, addSeals, sealWrite, 0, 0, 0); err != nil {
			return err
		}
	}
	var buf [maxMessage]byte
	n, err := syscall.Pread(int(fd), buf[:], 0)
	if err != nil {
		return err
	}
	return r.print(string(buf[:n]), "\n")
}

// poll posts a wake-up to itself and collects it.
func (r *run) poll() error {
	event, err := sys(syscall.SYS_EVENTFD2, 1, syscall.O_CLOEXEC|syscall.O_NONBLOCK, 0, 0, 0, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(event)
	poller, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return err
	}
	defer syscall.Close(poller)
	want := syscall.EpollEvent{Events: syscall.EPOLLIN}
	if err := syscall.EpollCtl(poller, syscall.EPOLL_CTL_ADD, event, &want); err != nil {
		return err
	}
	var got [1]syscall.EpollEvent
	n, err := syscall.EpollWait(poller, got[:], 0)
	if err != nil {
		return err
	}
	return r.printInt("events", int64(n))
}

// reserve makes sure that a file's first bytes have their place on the disk; with p it gives the
// place back and the bytes read as zeros.
func (r *run) reserve(s *step) error {
	size, err := number(s.args[1], MaxFile)
	if err != nil {
		return err
	}
	f, err := r.open(s.args[0], os.O_WRONLY|os.O_CREATE)
	if err != nil {
		return err
	}
	defer f.Close()
	return reserve(f, 0, size, s.flags.has('p'))
}

// space fails unless the directory's file system has room for a number of bytes, one if absent. With
// f it asks through a descriptor.
func (r *run) space(s *step) error {
	need := int64(1)
	if s.arg(0) != "" {
		var err error
		if need, err = number(s.args[0], 1<<40); err != nil {
			return err
		}
	}
	var info syscall.Statfs_t
	var err error
	if s.flags.has('f') {
		var dir *os.File
		if dir, err = os.Open(r.dir); err != nil {
			return err
		}
		defer dir.Close()
		err = syscall.Fstatfs(int(dir.Fd()), &info)
	} else {
		err = syscall.Statfs(r.dir, &info)
	}
	if err != nil {
		return err
	}
	if uint64(need) > info.Bavail*uint64(info.Bsize) {
		return errors.New("not enough space")
	}
	return nil
}

// timer waits on a timer descriptor for a number of microseconds, 50 if absent.
func (r *run) timer(s *step) error {
	pause, err := r.sleepFor(s)
	if err != nil {
		return err
	}
	fd, err := sys(syscall.SYS_TIMERFD_CREATE, clockMonotonic, syscall.O_CLOEXEC, 0, 0, 0, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	spec := [2]syscall.Timespec{{}, syscall.NsecToTimespec(pause*1000 + 1)} // 0 would disarm it
	_, _, errno := syscall.Syscall6(syscall.SYS_TIMERFD_SETTIME, uintptr(fd), 0,
		uintptr(unsafe.Pointer(&spec[0])), 0, 0, 0)
	if errno != 0 {
		return errno
	}
	var count [8]byte
	_, err = syscall.Read(fd, count[:])
	return err
}

// wait sleeps for a number of microseconds, 50 if absent. A signal may end it early.
func (r *run) wait(s *step) error {
	pause, err := r.sleepFor(s)
	if err != nil {
		return err
	}
	spec := syscall.NsecToTimespec(pause * 1000)
	if err := syscall.Nanosleep(&spec, nil); err != nil && err != syscall.EINTR {
		return err
	}
	return nil
}

// who prints who runs the job; with p also whether it leads its session.
func (r *run) who(s *step) error {
	if err := r.printInt("user", int64(syscall.Getuid())); err != nil {
		return err
	}
	if err := r.printInt("group", int64(syscall.Getgid())); err != nil {
		return err
	}
	groups, err := syscall.Getgroups()
	if err != nil {
		return err
	}
	if s.flags.has('p') {
		own, err := syscall.Getpgid(0)
		if err != nil {
			return err
		}
		if own == syscall.Getpid() {
			if err := r.print("leader\n"); err != nil {
				return err
			}
		}
	}
	return r.printInt("groups", int64(len(groups)))
}
