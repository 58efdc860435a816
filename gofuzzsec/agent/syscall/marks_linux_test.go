//go:build linux && (amd64 || arm64)

package syscall

import (
	"reflect"
	"strings"
	"sync"
	"testing"
	"unsafe"
)

// pretend marks a call without making it. Not inlined, to be seen on stacks.
//
//go:noinline
func pretend(trap, a1, a2, a3, errno uintptr) {
	gofuzzsecLeave(gofuzzsecEnter(trap, a1, a2, a3, 0), errno, a1, a2, a3, 0)
}

func outer(trap uintptr) { pretend(trap, 0, 0, 0, 0) } // inlined into its callers

func fresh(t *testing.T) {
	gofuzzsecNow = new(gofuzzsecTables)
	t.Cleanup(func() { gofuzzsecNow = &gofuzzsecOwn })
}

func expect(t *testing.T, want ...uint32) {
	t.Helper()
	if got := GofuzzsecMarks(nil); !reflect.DeepEqual(got, append([]uint32(nil), want...)) {
		t.Errorf("marks %v, expected %v", got, want)
	}
}

func TestOutcomes(t *testing.T) {
	fresh(t)
	pretend(300, 0, 0, 0, 0)
	expect(t, 300*32+1)
	pretend(300, 0, 0, 0, 2)
	pretend(299, 0, 0, 0, 2)
	expect(t, 299*32+2, 300*32+1, 300*32+2)
	GofuzzsecReset()
	expect(t)
	gofuzzsecEnter(231, 0, 0, 0, 0)
	expect(t, 231*32)
	GofuzzsecReset()
	pretend(301, 0, 0, 0, gofuzzsecEINTR)
	expect(t, 301*32)
	pretend(301, 0, 0, 0, 0)
	expect(t, 301*32+1)
	GofuzzsecReset()
	gofuzzsecEnter(301, 0, 0, 0, 0) // what came before in the process makes no difference
	expect(t, 301*32)
}

func TestEpochsWrapAround(t *testing.T) {
	fresh(t)
	pretend(300, 0, 0, 0, 0)
	gofuzzsecNow.now = gofuzzsecEpoch
	expect(t)
	pretend(301, 0, 0, 0, 0)
	expect(t, 301*32+1)
	GofuzzsecReset()
	expect(t)
	pretend(302, 0, 0, 0, 0)
	expect(t, 302*32+1)
	if got := GofuzzsecSeen(nil); len(got) != 6 || got[5] != 302*32+1 {
		t.Errorf("seen %v", got)
	}
}

func TestEdges(t *testing.T) {
	fresh(t)
	for _, trap := range []uintptr{0, 31, 32, 510, 511, 512, 1 << 40, ^uintptr(0)} {
		pretend(trap, 0, 0, 0, 0)
	}
	expect(t, 1, 31*32+1, 32*32+1, 510*32+1, 511*32+1)
	if got := GofuzzsecFeatures(); got != 16384 {
		t.Errorf("%d features", got)
	}
}

func TestClassesReachTheirSlots(t *testing.T) {
	fresh(t)
	fcntl := uintptr(0)
	for trap, kind := range gofuzzsecKinds {
		if kind == 4 {
			fcntl = uintptr(trap)
		}
	}
	pretend(fcntl, ^uintptr(0), 3, 0, 0)    // F_GETFL
	pretend(fcntl, ^uintptr(0), 1034, 0, 1) // F_GET_SEALS: the last class
	pretend(fcntl, ^uintptr(0), 0xdeadbeef, 0, 22)
	at := uint32(fcntl) * 32
	expect(t, at+2, at+4*3+1, at+9*3+2)
}

func TestStackOfTheFirstCaller(t *testing.T) {
	fresh(t)
	outer(300)
	text := string(GofuzzsecText(300*32+1, nil))
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if len(lines) < 4 || !strings.Contains(lines[0], "syscall.pretend ") ||
		!strings.Contains(lines[1], "syscall.outer ") ||
		!strings.Contains(lines[2], "TestStackOfTheFirstCaller ") ||
		!strings.Contains(lines[2], "marks_linux_test.go:") ||
		!strings.HasPrefix(lines[3], "testing.tRunner ") {
		t.Errorf("stack:\n%s", text)
	}
	pretend(300, 0, 0, 0, 0)
	if again := string(GofuzzsecText(300*32+1, nil)); again != text {
		t.Errorf("the second caller's stack replaced the first's:\n%s", again)
	}
	if got := GofuzzsecStack(300*32 + 2); got != nil {
		t.Errorf("a stack of what never happened: %v", got)
	}
}

func TestForgetting(t *testing.T) {
	fresh(t)
	outer(300)
	GofuzzsecReset()
	GofuzzsecForget(300*32 + 1)
	GofuzzsecForget(301 * 32)
	if got := GofuzzsecStack(300*32 + 1); got != nil {
		t.Errorf("forgotten, but still there: %v", got)
	}
	pretend(300, 0, 0, 0, 0)
	if text := string(GofuzzsecText(300*32+1, nil)); strings.Contains(text, "outer") {
		t.Errorf("the old stack: %s", text)
	}
	pretend(17, 0, 0, 0, 0)
	GofuzzsecForgetAll()
	if GofuzzsecStack(300*32+1) != nil || GofuzzsecStack(17*32+1) != nil {
		t.Error("stacks after GofuzzsecForgetAll")
	}
}

func deep(n int) {
	if n == 0 {
		pretend(300, 0, 0, 0, 0)
		return
	}
	deep(n - 1)
}

func TestDeepStackIsCutOutside(t *testing.T) {
	fresh(t)
	deep(5000)
	stack := GofuzzsecStack(300*32 + 1)
	if len(stack) < 40 || len(stack) > 2*gofuzzsecRecord {
		t.Errorf("%d frames", len(stack))
	}
}

func TestConcurrentMarks(t *testing.T) {
	fresh(t)
	var all sync.WaitGroup
	for worker := 0; worker < 8; worker++ {
		all.Add(1)
		go func(worker uintptr) {
			defer all.Done()
			for i := uintptr(0); i < 2000; i++ {
				pretend(i%256, 0, 0, 0, worker&1)
			}
		}(uintptr(worker))
	}
	for i := 0; i < 200; i++ {
		GofuzzsecReset()
		GofuzzsecForgetAll()
		for _, feature := range GofuzzsecMarks(nil) {
			GofuzzsecStack(feature)
		}
	}
	all.Wait()
	GofuzzsecReset()
	expect(t)
	for i := uintptr(0); i < 256; i++ {
		pretend(i, 0, 0, 0, 0)
	}
	if n := len(GofuzzsecMarks(nil)); n != 256 {
		t.Errorf("%d marks of 256 after the storm", n)
	}
}

func TestPlace(t *testing.T) {
	memory := make([]byte, GofuzzsecSize())
	t.Cleanup(func() { gofuzzsecNow = &gofuzzsecOwn })
	if GofuzzsecPlace(nil) || GofuzzsecPlace(memory[:len(memory)-1]) || GofuzzsecPlace(memory[1:]) {
		t.Fatal("memory that is too small or not aligned was taken")
	}
	if !GofuzzsecPlace(memory) {
		t.Fatal("refused")
	}
	pretend(5, 0, 0, 0, 0)
	if got := *(*uint64)(unsafe.Pointer(&memory[64+128+5*8])); got != 3 {
		t.Errorf("marks of call 5 in the memory: %#x", got)
	}
	if at := unsafe.Offsetof(gofuzzsecNow.held); at != 64+128+4096 {
		t.Errorf("held at %d", at)
	}
	expect(t, 5*32+1)
	if at := unsafe.Offsetof(gofuzzsecNow.stacks); at != 8192 {
		t.Errorf("stacks at %d", at)
	}
}

func TestNothingAllocates(t *testing.T) {
	fresh(t)
	marks := make([]uint32, 0, 64)
	if n := testing.AllocsPerRun(100, func() {
		GofuzzsecReset()
		GofuzzsecForgetAll()
		pretend(1, 0, 0, 0, 0)
		marks = GofuzzsecMarks(marks[:0])
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkMarked is the extra cost of a call already seen in this execution.
func BenchmarkMarked(b *testing.B) {
	for i := 0; i < b.N; i++ {
		gofuzzsecLeave(gofuzzsecEnter(39, 0, 0, 0, 0), 0, 0, 0, 0, 0)
	}
}

// BenchmarkOpenat is the same of a call with many classes.
func BenchmarkOpenat(b *testing.B) {
	for i := 0; i < b.N; i++ {
		gofuzzsecLeave(gofuzzsecEnter(257, 0, 0, 0x80000, 0), 0, 0, 0, 0x80000, 0)
	}
}

// BenchmarkExecution is one execution that makes four kinds of calls.
func BenchmarkExecution(b *testing.B) {
	marks := make([]uint32, 0, 64)
	for i := 0; i < b.N; i++ {
		GofuzzsecReset()
		for call := uintptr(0); call < 4; call++ {
			pretend(call, 0, 0, 0, 0)
		}
		marks = GofuzzsecMarks(marks[:0])
	}
}

// kernel gives the process a page to be marked, with what an earlier process left in it.
func kernel(t *testing.T) *gofuzzsecPage {
	fresh(t)
	page := &gofuzzsecPage{now: 7 << 32}
	for i := range page.marks {
		page.marks[i] = 1<<32 | 0xffff
	}
	for i := range page.dirty {
		page.dirty[i] = 1<<32 | 0xffff
	}
	gofuzzsecWatch(page)
	t.Cleanup(func() { gofuzzsecKernel = nil })
	return page
}

// stamp marks a feature as the kernel does.
func (p *gofuzzsecPage) stamp(feature uint32) {
	for _, w := range []struct {
		word *uint64
		bit  uint32
	}{{&p.marks[feature/32], feature % 32}, {&p.dirty[feature/1024], feature / 32 % 32}} {
		if *w.word>>32 != p.now>>32 {
			*w.word = p.now &^ 0xffffffff
		}
		*w.word |= 1 << w.bit
	}
}

func TestWhatTheKernelMarksIsMerged(t *testing.T) {
	page := kernel(t)
	expect(t)
	GofuzzsecReset()
	expect(t) // what an earlier process made in its first epoch is gone
	gofuzzsecEnter(300, 0, 0, 0, 0)
	pretend(302, 0, 0, 0, 0)
	for _, feature := range []uint32{5*32 + 1, 5 * 32, 300*32 + 2, 302 * 32, 302*32 + 1, 400 * 32} {
		page.stamp(feature)
	}
	expect(t, 5*32+1, 300*32+2, 302*32+1, 400*32)
	marks := GofuzzsecMarks(nil)
	page.stamp(400*32 + 1) // what begun when the marks were read has ended meanwhile
	if got, want := GofuzzsecOutside(nil, marks), []uint32{5*32 + 1, 300*32 + 2, 400 * 32}; !reflect.DeepEqual(got, want) {
		t.Errorf("outside %v, expected %v", got, want)
	}
	GofuzzsecTrace(true)
	GofuzzsecReset()
	if page.now != gofuzzsecNow.now&gofuzzsecEpoch {
		t.Errorf("the kernel is in epoch %#x, the process in %#x", page.now, gofuzzsecNow.now)
	}
	GofuzzsecTrace(false)
	expect(t)
}

func TestTheKernelsPageWrapsAround(t *testing.T) {
	page := kernel(t)
	gofuzzsecNow.now = gofuzzsecEpoch
	page.stamp(300*32 + 1)
	GofuzzsecReset()
	expect(t)
	page.stamp(301*32 + 1)
	expect(t, 301*32+1)
	GofuzzsecReset()
	expect(t)
}

func TestTheKernelKnowsThisLayout(t *testing.T) {
	var p gofuzzsecPage
	if unsafe.Offsetof(p.dirty) != 64 || unsafe.Offsetof(p.marks) != 192 || unsafe.Sizeof(p) != 4288 {
		t.Error("bpf/recorder.c has to follow")
	}
}
