//go:build linux && (amd64 || arm64)

// This file is added to package syscall of boosted fuzz binaries: every call that goes through
// RawSyscall6, and the few ways around it, leaves a mark that the agent reads after each execution.
//
// What runs during a call (gofuzzsecEnter, gofuzzsecLeave and what they call) may find itself
// without a P, on the stack of a process that vfork borrowed it from, or in a signal handler. So it
// never grows the stack, allocates, locks, writes a pointer or enters the race detector.
//
// A feature is call number * 32 + class * 3 + outcome. Classes (0 to 9, see classes_linux_*.go) are
// of the first arguments; outcomes are 0 begun, 1 returned, 2 returned an errno. Begun is what is
// left of a call that did not come back: execve, exit_group, a filter that kills, one that still
// waits, or one that a signal interrupted (EINTR is chance, not behaviour). Slots 30 and 31 of a
// call are never used. Numbers over 510 share call 511.
//
// Nothing is cleared between executions: a mark counts while the epoch it carries is the current.

package syscall

import (
	"math/bits"
	"unsafe"
)

const (
	gofuzzsecCalls  = 512
	gofuzzsecBegun  = 0x09249249 // the begun slots of one call
	gofuzzsecRecord = 64         // words of a stack record
	gofuzzsecEINTR  = 4
	gofuzzsecEpoch  = 0xffffffff << 32 // where a word has its epoch
	// A slot that no mark ever uses: while now has it, every call looks unmarked.
	gofuzzsecTracing = 1 << 31
)

// gofuzzsecTables holds everything that is marked. It may be in memory shared with the coordinator,
// so that the marks of a process that died can be read; the layout is known to
// gofuzzsec/syscalls/inprocess.py. Written by any thread at any time, with atomic operations only.
// Pages of stacks that are never recorded are never touched.
type gofuzzsecTables struct {
	gofuzzsecPage
	held [gofuzzsecCalls]uint32 // per call: a bit for each slot that has a stack, or is getting it
	_    [1856]byte             // stacks start at 8192
	// Of the first caller of each feature: word 0 is the number of PCs (0: none yet), then return
	// addresses, innermost first. Written by whoever sets the bit in held; word 0 comes last.
	stacks [gofuzzsecCalls * 32][gofuzzsecRecord]uint64
}

var (
	gofuzzsecOwn  gofuzzsecTables
	gofuzzsecNow  = &gofuzzsecOwn // replaced at most once, by GofuzzsecPlace
	gofuzzsecFork uint32          // feature of the fork in progress; forks exclude each other
	gofuzzsecHow  uintptr         // and its flags
)

// gofuzzsecCas compares and swaps atomically, as a full barrier.
func gofuzzsecCas(address *uint32, old, new uint32) bool

// gofuzzsecCas64 is the same for 8 bytes.
func gofuzzsecCas64(address *uint64, old, new uint64) bool

// gofuzzsecEnter marks a call as begun and gives the feature for gofuzzsecLeave.
//
//go:nosplit
//go:norace
func gofuzzsecEnter(trap, a1, a2, a3, a4 uintptr) uint32 {
	if trap >= gofuzzsecCalls {
		trap = gofuzzsecCalls - 1
	}
	feature := uint32(trap) * 32
	if kind := gofuzzsecKinds[trap]; kind != 0 {
		feature += 3 * gofuzzsecClass(kind, a1, a2, a3, a4)
	}
	t, bit := gofuzzsecNow, uint64(1)<<(feature%32)
	if (t.marks[trap]^t.now)&(gofuzzsecEpoch|bit) != bit {
		gofuzzsecMark(feature)
	}
	return feature
}

// gofuzzsecLeave marks how the call ended that gofuzzsecEnter gave feature for. The arguments are
// given again for the few executions that are traced.
//
//go:nosplit
//go:norace
func gofuzzsecLeave(feature uint32, errno, a1, a2, a3, a4 uintptr) {
	feature++
	if errno != 0 {
		if errno == gofuzzsecEINTR {
			return
		}
		feature++
	}
	t, bit := gofuzzsecNow, uint64(1)<<(feature%32)
	if (t.marks[feature/32%gofuzzsecCalls]^t.now)&(gofuzzsecEpoch|gofuzzsecTracing|bit) != bit {
		gofuzzsecMark(feature)
		if t.now&gofuzzsecTracing != 0 {
			gofuzzsecTrace(feature, a1, a2, a3, a4)
		}
	}
}

// gofuzzsecForking marks clone or clone3 with these flags as begun. The call itself is made in
// assembly that returns twice on one stack, where nothing can be wrapped around it.
//
//go:nosplit
//go:norace
func gofuzzsecForking(trap, flags uintptr) {
	gofuzzsecHow = flags
	gofuzzsecFork = uint32(trap)*32 + 3*gofuzzsecClass(gofuzzsecCloneKind, flags, 0, 0, 0)
	gofuzzsecMark(gofuzzsecFork)
}

// gofuzzsecForked marks, in the parent, how the call announced with gofuzzsecForking ended.
//
//go:nosplit
//go:norace
func gofuzzsecForked(errno uintptr) {
	gofuzzsecLeave(gofuzzsecFork, errno, gofuzzsecHow, 0, 0, 0)
}

// GofuzzsecEnter is gofuzzsecEnter for the other packages of the standard library that reach the
// kernel without RawSyscall6.
//
//go:norace
func GofuzzsecEnter(trap, a1, a2, a3 uintptr) uint32 {
	return gofuzzsecEnter(trap, a1, a2, a3, 0)
}

// GofuzzsecLeave is gofuzzsecLeave for them.
//
//go:norace
func GofuzzsecLeave(feature uint32, failed bool, a1, a2, a3 uintptr) {
	errno := uintptr(0)
	if failed {
		errno = 1
	}
	gofuzzsecLeave(feature, errno, a1, a2, a3, 0)
}

// gofuzzsecMark sets the mark of feature, and records the stack unless there is one.
//
//go:nosplit
//go:norace
//go:noinline
func gofuzzsecMark(feature uint32) {
	t := gofuzzsecNow
	call := feature / 32 % gofuzzsecCalls
	gofuzzsecStamp(t, &t.marks[call], 1<<(feature%32))
	gofuzzsecStamp(t, &t.dirty[call/32], 1<<(call%32))
	if gofuzzsecSet(&t.held[call], 1<<(feature%32)) {
		record := &t.stacks[feature%(gofuzzsecCalls*32)]
		n, _ := gofuzzsecWalk(record, 1)
		gofuzzsecCas(gofuzzsecCount(record), 0, n)
	}
}

// gofuzzsecStamp sets a bit of a word for the current epoch; bits of earlier ones go.
//
//go:nosplit
//go:norace
func gofuzzsecStamp(t *gofuzzsecTables, word *uint64, bit uint64) {
	for {
		now, old := t.now&gofuzzsecEpoch, *word
		set := now | bit
		if old&gofuzzsecEpoch == now {
			set |= old
		}
		if (set == old || gofuzzsecCas64(word, old, set)) && now == t.now&gofuzzsecEpoch {
			return
		}
	}
}

// gofuzzsecSet sets a bit of a word, and says whether it was the one to do so.
//
//go:nosplit
//go:norace
func gofuzzsecSet(word *uint32, bit uint32) bool {
	for {
		old := *word
		if old&bit != 0 {
			return false
		}
		if gofuzzsecCas(word, old, old|bit) {
			return true
		}
	}
}

// GofuzzsecFeatures is the number of features; each is less.
func GofuzzsecFeatures() int { return gofuzzsecCalls * 32 }

// GofuzzsecSize is how many bytes GofuzzsecPlace needs.
func GofuzzsecSize() int { return int(unsafe.Sizeof(gofuzzsecTables{})) }

// GofuzzsecPlace keeps marks and stacks in memory from now on: zeroed, at least GofuzzsecSize bytes,
// at a multiple of 8, mapped for as long as the process lives. What was marked before is forgotten.
// To be called once, before the first execution; false and without effect if memory does not do.
//
//go:norace
//go:nocheckptr
func GofuzzsecPlace(memory []byte) bool {
	if len(memory) < GofuzzsecSize() || uintptr(unsafe.Pointer(&memory[0]))%8 != 0 {
		return false
	}
	gofuzzsecNow = (*gofuzzsecTables)(unsafe.Pointer(&memory[0]))
	return true
}

// GofuzzsecReset begins the next execution: the marks are gone, the stacks stay. A call that is
// being marked at the same time counts for the time before or after. For the one goroutine that
// also reads.
//
//go:norace
func GofuzzsecReset() {
	t := &gofuzzsecNow.gofuzzsecPage
	t.now += 1 << 32
	if t.now&gofuzzsecEpoch == 0 { // after 2^32 executions, words of the first would count again
		t.clear()
	}
	if k := gofuzzsecKernel; k != nil {
		if k.now = t.now & gofuzzsecEpoch; k.now == 0 {
			k.clear()
		}
	}
}

// GofuzzsecMarks appends the features marked since GofuzzsecReset to dst, in rising order, those
// that only the kernel saw among them. A call is reported as begun only if it did not end; if
// several goroutines made it, if none came back.
//
//go:norace
func GofuzzsecMarks(dst []uint32) []uint32 {
	t, k := &gofuzzsecNow.gofuzzsecPage, gofuzzsecKernel
	for i := range t.dirty {
		calls := t.calls(i)
		if k != nil {
			calls |= k.calls(i)
		}
		for ; calls != 0; calls &= calls - 1 {
			call := i*32 + bits.TrailingZeros32(calls)
			set := t.slots(call)
			if k != nil {
				set |= k.slots(call)
			}
			dst = gofuzzsecAppend(dst, call, gofuzzsecEnded(set))
		}
	}
	return dst
}

// gofuzzsecEnded takes from the slots of a call those of begun whose call also ended.
func gofuzzsecEnded(set uint32) uint32 { return set &^ ((set>>1 | set>>2) & gofuzzsecBegun) }

// gofuzzsecAppend appends the features of a call's slots.
func gofuzzsecAppend(dst []uint32, call int, set uint32) []uint32 {
	for ; set != 0; set &= set - 1 {
		dst = append(dst, uint32(call*32+bits.TrailingZeros32(set)))
	}
	return dst
}
