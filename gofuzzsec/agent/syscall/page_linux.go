//go:build linux && (amd64 || arm64)

// Marks by the kernel. A campaign may have a BPF program follow its workers (bpf/recorder.c), which
// sees what this package does not: calls of C code, of the runtime, and of started processes. It
// marks them in a page that it shares with the worker, as gofuzzsecMark does in the worker's own.

package syscall

// gofuzzsecPage is where marks are. Every word has its epoch in the upper half; it is valid if that
// is the epoch of now. The kernel knows this layout.
type gofuzzsecPage struct {
	now   uint64                      // lower half 0 or gofuzzsecTracing; written by the agent only
	_     [7]uint64                   // marks are written often, now is not
	dirty [gofuzzsecCalls / 32]uint64 // per call: a bit if marks has any
	marks [gofuzzsecCalls]uint64      // per call: a bit for each slot
}

// gofuzzsecKernel is the page that the kernel marks, nil without one. Set once, before any other
// package is initialised. Its now follows that of gofuzzsecNow.
var gofuzzsecKernel *gofuzzsecPage

// gofuzzsecWatch takes page as the one that the kernel marks from now on. What it holds is of an
// earlier process.
//
//go:norace
func gofuzzsecWatch(page *gofuzzsecPage) {
	page.now = gofuzzsecNow.now & gofuzzsecEpoch
	page.clear()
	gofuzzsecKernel = page
}

// calls gives a bit for each of 32 calls that is marked, from call 32*i on.
//
//go:norace
func (p *gofuzzsecPage) calls(i int) uint32 { return p.current(p.dirty[i]) }

// slots gives a bit for each slot of a call that is marked.
//
//go:norace
func (p *gofuzzsecPage) slots(call int) uint32 { return p.current(p.marks[call%gofuzzsecCalls]) }

//go:norace
func (p *gofuzzsecPage) current(word uint64) uint32 {
	if (word^p.now)&gofuzzsecEpoch != 0 {
		return 0
	}
	return uint32(word)
}

// clear takes all marks away, whatever their epoch. Marks made meanwhile may be lost.
//
//go:norace
func (p *gofuzzsecPage) clear() {
	for i := range p.marks {
		for old := p.marks[i]; !gofuzzsecCas64(&p.marks[i], old, 0); old = p.marks[i] {
		}
	}
	for i := range p.dirty {
		for old := p.dirty[i]; !gofuzzsecCas64(&p.dirty[i], old, 0); old = p.dirty[i] {
		}
	}
}

// GofuzzsecWatched reports whether the kernel marks a page for this process.
func GofuzzsecWatched() bool { return gofuzzsecKernel != nil }

// GofuzzsecOutside appends to dst those of marks, which GofuzzsecMarks gave since GofuzzsecReset, that
// only the kernel saw. The kernel goes on marking, so what is not there is asked, not what is.
//
//go:norace
func GofuzzsecOutside(dst, marks []uint32) []uint32 {
	t := &gofuzzsecNow.gofuzzsecPage
	for _, feature := range marks {
		if t.slots(int(feature/32))>>(feature%32)&1 == 0 {
			dst = append(dst, feature)
		}
	}
	return dst
}
