package main

import (
	"sync/atomic"
	"syscall"
	"unsafe"
)

// One call that a case can make: cheap, without effect, and never made by the Go runtime.
type known struct {
	name, kind, outcome string
	make                func()
}

func raw(number, a1, a2, a3 uintptr) { syscall.RawSyscall(number, a1, a2, a3) }

const noDescriptor = 1 << 20

// table has calls of every outcome and of several classes. Numbers are amd64's and arm64's where
// package syscall has them.
var table = []known{
	{"getppid", "", "ok", func() { raw(syscall.SYS_GETPPID, 0, 0, 0) }},
	{"getuid", "", "ok", func() { syscall.Getuid() }}, // a stub without a frame
	{"getpgid", "", "ok", func() { syscall.Syscall(syscall.SYS_GETPGID, 0, 0, 0) }},
	{"getpgid", "", "failed", func() { raw(syscall.SYS_GETPGID, 1<<30, 0, 0) }},
	{"fcntl", "get descriptor flags", "ok", func() { raw(syscall.SYS_FCNTL, 2, 1, 0) }},
	{"fcntl", "get descriptor flags", "failed", func() { raw(syscall.SYS_FCNTL, noDescriptor, 1, 0) }},
	{"fcntl", "lock", "failed", func() { raw(syscall.SYS_FCNTL, noDescriptor, 5, 0) }},
	{"ioctl", "terminal get", "failed", func() { raw(syscall.SYS_IOCTL, noDescriptor, 0x5401, 0) }},
	{"socket", "unix", "failed", func() { raw(syscall.SYS_SOCKET, 1, 99, 0) }},
	{"mprotect", "read", "ok", func() { raw(syscall.SYS_MPROTECT, 0, 0, 1) }},
	{"mprotect", "none", "ok", func() { syscall.Syscall(syscall.SYS_MPROTECT, 0, 0, 0) }},
	{"nfsservctl", "", "refused", func() { raw(nfsservctl, 0, 0, 0) }},
	{"ptrace", "attach", "refused", func() { raw(syscall.SYS_PTRACE, 16, uintptr(self), 0) }},
	{"openat", "read", "failed", func() { raw(syscall.SYS_OPENAT, ^uintptr(99), nowhere, 0) }},
}

var (
	self    = syscall.Getpid()
	path    = [...]byte{'/', 'n', 'o', 'n', 'e', 0}
	nowhere = uintptr(unsafe.Pointer(&path))
)

// tally counts calls by place in table. Any goroutine adds.
type tally [16]atomic.Int64

// burst makes n calls chosen by seed and counts them in t. It works in the middle of anything: it
// neither allocates nor blocks.
func (t *tally) burst(seed, n int) { t.with(&ignored, seed, n) }

var ignored tally

// with is burst, and counts in other, too.
func (t *tally) with(other *tally, seed, n int) {
	random := uint32(seed)*2654435761 + 12345
	for i := 0; i < n; i++ {
		random ^= random << 13
		random ^= random >> 17
		random ^= random << 5
		at := int(random>>8) % len(table)
		table[at].make()
		t[at].Add(1)
		other[at].Add(1)
	}
}

// report gives the calls of t by "name/class/outcome".
func (t *tally) report() map[string]int64 {
	counts := map[string]int64{}
	for i, call := range table {
		if n := t[i].Load(); n > 0 {
			counts[call.name+"/"+call.kind+"/"+call.outcome] += n
		}
	}
	return counts
}
