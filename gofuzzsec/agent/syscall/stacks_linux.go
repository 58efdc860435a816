//go:build linux && (amd64 || arm64)

// The call stacks that marks were first made with: recorded during the call by frame pointers,
// given names when the agent asks.

package syscall

import (
	"math/bits"
	"runtime"
	"unsafe"
)

// gofuzzsecFrame gives its caller's frame pointer, and the bounds of the stack it runs on.
func gofuzzsecFrame() (fp, sp, top uintptr)

// gofuzzsecWalk follows the frame pointers of the caller's stack and gives the number of return
// addresses and a hash of them. They are written to the words of record from at on, if there is
// one. A chain may end in frames of C code, which keep none: so it only goes outwards, and never
// off the stack.
//
//go:nosplit
//go:norace
//go:nocheckptr
func gofuzzsecWalk(record *[gofuzzsecRecord]uint64, at uint32) (n uint32, hash uint64) {
	fp, sp, top := gofuzzsecFrame()
	for ; n+at < gofuzzsecRecord && fp > sp && fp%8 == 0 && fp+16 <= top; n++ {
		pc := uint64(*(*uintptr)(unsafe.Pointer(fp + 8)))
		if pc == 0 {
			break
		}
		hash = (hash ^ pc) * 0x9e3779b97f4a7c15
		hash ^= hash >> 29
		if record != nil {
			record[n+at] = pc
		}
		sp, fp = fp, *(*uintptr)(unsafe.Pointer(fp))
	}
	return n, hash
}

// GofuzzsecSeen appends, in rising order, the features that have a stack: all that occurred since
// the process began, but for those forgotten since. Begun is among them for every call.
//
//go:norace
func GofuzzsecSeen(dst []uint32) []uint32 {
	for call := range gofuzzsecNow.held {
		for set := gofuzzsecNow.held[call]; set != 0; set &= set - 1 {
			dst = append(dst, uint32(call*32+bits.TrailingZeros32(set)))
		}
	}
	return dst
}

// gofuzzsecCount is where a record has its number of PCs; both architectures are little-endian.
//
//go:nosplit
//go:norace
func gofuzzsecCount(record *[gofuzzsecRecord]uint64) *uint32 {
	return (*uint32)(unsafe.Pointer(record))
}

// GofuzzsecForget drops the recorded stack of feature: the next call that finds no mark of it
// records one again.
//
//go:norace
func GofuzzsecForget(feature uint32) {
	t := gofuzzsecNow
	feature %= gofuzzsecCalls * 32
	held, bit := &t.held[feature/32], uint32(1)<<(feature%32)
	if *held&bit == 0 {
		return
	}
	count := gofuzzsecCount(&t.stacks[feature])
	n := *count
	if n == 0 || !gofuzzsecCas(count, n, 0) {
		return // it is being written, so it is fresh
	}
	for old := *held; !gofuzzsecCas(held, old, old&^bit); old = *held {
	}
}

// GofuzzsecForgetAll drops all recorded stacks: after start-up, so that what the fuzz function
// does is not put down to an initialiser that did the same before.
//
//go:norace
func GofuzzsecForgetAll() {
	for call := range gofuzzsecNow.held {
		for set := gofuzzsecNow.held[call]; set != 0; set &= set - 1 {
			GofuzzsecForget(uint32(call*32 + bits.TrailingZeros32(set)))
		}
	}
}

// GofuzzsecStack gives the stack recorded for feature, innermost first, from RawSyscall6 outwards:
// return addresses for runtime.CallersFrames, inlined calls included. Nil if there is none. A stack
// of over 60 frames has lost the outermost. Allocates.
//
//go:norace
func GofuzzsecStack(feature uint32) []uintptr {
	t := gofuzzsecNow
	feature %= gofuzzsecCalls * 32
	if t.held[feature/32]&(1<<(feature%32)) == 0 { // else looking would cost a page of memory
		return nil
	}
	record := &t.stacks[feature]
	n := uint32(record[0])
	if n >= gofuzzsecRecord || !gofuzzsecCas(gofuzzsecCount(record), n, n) { // for the barrier
		return nil
	}
	return gofuzzsecWhole(record[1 : 1+n])
}

// gofuzzsecWhole adds inlined calls to a recorded stack, and takes this package's own part off it.
func gofuzzsecWhole(recorded []uint64) (stack []uintptr) {
	for _, pc := range recorded {
		stack = append(stack, gofuzzsecExpand([]uintptr{uintptr(pc)})...)
	}
	for len(stack) > 0 && gofuzzsecOurs(stack[0]) {
		stack = stack[1:]
	}
	return stack
}

// gofuzzsecExpand replaces the last PC of stack by one for each call that was inlined there. The
// runtime has it for CPU profiles, which are taken by frame pointers too.
//
//go:linkname gofuzzsecExpand runtime/pprof.runtime_expandFinalInlineFrame
func gofuzzsecExpand(stack []uintptr) []uintptr

// gofuzzsecOurs says whether pc is in a function of this file.
func gofuzzsecOurs(pc uintptr) bool {
	frame, _ := runtime.CallersFrames([]uintptr{pc}).Next()
	name := frame.Function
	for i := len(name) - 1; i >= 0; i-- {
		if name[i] == '.' {
			name = name[i+1:]
			break
		}
	}
	const prefix = "gofuzzsec" // or "Gofuzzsec"
	return len(name) > len(prefix) && name[1:len(prefix)] == prefix[1:]
}

// GofuzzsecText appends the stack of feature to dst as lines "function file:line", innermost first.
func GofuzzsecText(feature uint32, dst []byte) []byte {
	return GofuzzsecLines(GofuzzsecStack(feature), dst)
}

// GofuzzsecLines does that with a stack.
func GofuzzsecLines(stack []uintptr, dst []byte) []byte {
	if len(stack) == 0 {
		return dst
	}
	frames := runtime.CallersFrames(stack)
	for more := true; more; {
		var frame runtime.Frame
		frame, more = frames.Next()
		if frame.Function == "" {
			continue
		}
		dst = append(append(append(dst, frame.Function...), ' '), frame.File...)
		dst = append(gofuzzsecDecimal(append(dst, ':'), frame.Line), '\n')
	}
	return dst
}

// gofuzzsecDecimal appends a line number.
func gofuzzsecDecimal(dst []byte, n int) []byte {
	if n >= 10 {
		dst = gofuzzsecDecimal(dst, n/10)
	}
	return append(dst, byte('0'+n%10))
}
