// Command shapes has one function for each way in which Go code can lead to other code. Each ends in
// a system call of its own, which nothing else in the program makes: the call is in a function's
// bound exactly when the way was followed, and in no other function's.
package main

import (
	"os"
	"reflect"
	"syscall"
	_ "unsafe" // for go:linkname
)

//go:noinline
func run(f func()) { f() }

//go:noinline
func runAll(list []func()) {
	for _, f := range list {
		f()
	}
}

// Closures, with and without captured variables.

//go:noinline
func viaClosure() {
	n := os.Getpid()
	run(func() {
		if n > 0 {
			syscall.Syscall(syscall.SYS_ACCT, 0, 0, 0)
		}
	})
}

//go:noinline
func viaFunctionValue() { run(markFunctionValue) }

func markFunctionValue() { syscall.RawSyscall(syscall.SYS_ADJTIMEX, 0, 0, 0) }

// Methods: as values, as expressions, by a promoted field.

type worker struct{ n int }

//go:noinline
func (w *worker) byValue() { syscall.Syscall(syscall.SYS_CLOCK_SETTIME, uintptr(w.n), 0, 0) }

//go:noinline
func (w worker) byExpression() { syscall.Syscall(syscall.SYS_DELETE_MODULE, uintptr(w.n), 0, 0) }

//go:noinline
func viaMethodValue() { run((&worker{os.Getpid()}).byValue) }

//go:noinline
func viaMethodExpression() {
	f := worker.byExpression
	keep = f
	f(worker{1})
}

var keep any

// Interfaces: known when the program is linked, found at run time by an assertion, and embedded.

type doer interface{ Do() }

type known struct{ n int }

func (k *known) Do() { syscall.Syscall(syscall.SYS_GET_MEMPOLICY, uintptr(k.n), 0, 0) }

//go:noinline
func callDoer(d doer) { d.Do() }

//go:noinline
func viaInterface() { callDoer(&known{1}) }

type asserter interface{ Asserted() }

type hidden struct{ n int }

func (h hidden) Asserted() { syscall.Syscall(syscall.SYS_KEXEC_LOAD, uintptr(h.n), 0, 0) }

//go:noinline
func box() any { return hidden{os.Getpid()} }

//go:noinline
func viaAssertion() {
	if a, ok := box().(asserter); ok {
		a.Asserted()
	}
}

type promoted interface{ Promoted() }

type inner struct{ n int }

func (i *inner) Promoted() { syscall.Syscall(syscall.SYS_MIGRATE_PAGES, uintptr(i.n), 0, 0) }

type outer struct{ *inner }

//go:noinline
func callPromoted(p promoted) { p.Promoted() }

//go:noinline
func viaEmbedding() { callPromoted(outer{&inner{1}}) }

// Generics.

type marked interface{ Mark() }

type generic struct{ n int }

func (g generic) Mark() { syscall.Syscall(syscall.SYS_MQ_OPEN, uintptr(g.n), 0, 0) }

//go:noinline
func each[T marked](list []T) {
	for _, one := range list {
		one.Mark()
	}
}

//go:noinline
func viaGenerics() { each([]generic{{1}, {2}}) }

// Goroutines, deferred calls, panics.

//go:noinline
func viaGoroutine() {
	done := make(chan bool)
	go func() {
		syscall.Syscall(syscall.SYS_NFSSERVCTL, 0, 0, 0)
		close(done)
	}()
	<-done
}

//go:noinline
func viaDefer(n int) {
	for i := 0; i < n; i++ {
		defer markDefer(i)
	}
}

//go:noinline
func markDefer(n int) { syscall.Syscall(syscall.SYS_PERF_EVENT_OPEN, uintptr(n), 0, 0) }

//go:noinline
func viaRecover() {
	defer func() {
		if recover() != nil {
			syscall.Syscall(syscall.SYS_PERSONALITY, 0xFFFFFFFF, 0, 0)
		}
	}()
	var list []int
	list[os.Getpid()] = 1
}

// Tables of functions in package variables.

type entry struct {
	name string
	f    func()
}

var (
	slice  = []func(){markSlice, func() {}}
	array  = [2]func(){func() {}, markArray}
	table  = []entry{{"none", nil}, {"struct", markStruct}}
	nested = &struct{ deep *entry }{&entry{"deep", markNested}}
	named  = map[string]func(){"map": markMap}
)

func markSlice()  { syscall.Syscall(syscall.SYS_PIVOT_ROOT, 0, 0, 0) }
func markArray()  { syscall.Syscall(syscall.SYS_QUOTACTL, 0, 0, 0) }
func markStruct() { syscall.Syscall(syscall.SYS_REBOOT, 0xFFFF, 0, 0) }
func markNested() { syscall.Syscall(syscall.SYS_REQUEST_KEY, 0, 0, 0) }
func markMap()    { syscall.Syscall(syscall.SYS_SETDOMAINNAME, 0, 1<<20, 0) }

//go:noinline
func viaSlice() { runAll(slice) }

//go:noinline
func viaArray() { array[os.Getpid()&1]() }

//go:noinline
func viaStruct() { table[len(os.Args)&1].f() }

//go:noinline
func viaPointers() { nested.deep.f() }

//go:noinline
func viaMap(name string) { named[name]() }

// Reflection, by a name that is not constant.

type reflected struct{ n int }

func (r reflected) Reflected() { syscall.Syscall(syscall.SYS_SETFSUID, ^uintptr(0), 0, 0) }

//go:noinline
func viaReflection(name string) { reflect.ValueOf(reflected{1}).MethodByName(name).Call(nil) }

// Numbers: linked by name, in assembly, handed on, chosen.

//go:linkname linked syscall.RawSyscall6
func linked(trap, a1, a2, a3, a4, a5, a6 uintptr) (r1, r2 uintptr, err syscall.Errno)

//go:noinline
func viaLinkname() { linked(syscall.SYS_SETFSGID, ^uintptr(0), 0, 0, 0, 0, 0) }

func markAssembly()
func assemblyCall(a1, trap, a2 uintptr) (r1 uintptr)

//go:noinline
func viaAssembly() { markAssembly() }

//go:noinline
func viaAssemblyWrapper() { assemblyCall(0, syscall.SYS_SETHOSTNAME, 1<<20) }

//go:noinline
func innermost(a1 uintptr, pad string, nr uintptr) uintptr {
	r, _, _ := syscall.RawSyscall6(nr, a1, uintptr(len(pad)), 0, 0, 0, 0)
	return r
}

//go:noinline
func outermost(nr int32, text string) uintptr { return innermost(1, text, uintptr(nr)) + 1 }

//go:noinline
func viaWrappers() { outermost(syscall.SYS_SETPRIORITY, "x") }

type caller struct{ a1 uintptr }

//go:noinline
func (c *caller) call(nr uintptr) { syscall.Syscall(nr, c.a1, 0, 0) }

//go:noinline
func viaMethodWrapper() { (&caller{0}).call(syscall.SYS_SETREGID) }

//go:noinline
func viaChoice(n int) {
	nr := uintptr(syscall.SYS_SWAPOFF)
	switch n {
	case 1:
		nr = syscall.SYS_SWAPON
	case 2:
		nr = syscall.SYS_SYSLOG
	case 3:
		nr = syscall.SYS_UMOUNT2
	case 4:
		nr = syscall.SYS_VHANGUP
	case 5:
		nr = syscall.SYS_VMSPLICE
	case 6:
		nr = syscall.SYS_TIMES
	case 7:
		nr = syscall.SYS_TEE
	case 8:
		nr = syscall.SYS_SYNC
	case 9:
		nr = syscall.SYS_SETREUID
	}
	syscall.Syscall(nr, ^uintptr(0), ^uintptr(0), 0)
}

var constant uintptr = syscall.SYS_MLOCKALL

//go:noinline
func viaVariable() { syscall.Syscall(constant, ^uintptr(0), 0, 0) }

// What no reading of code can tell.

var changed uintptr = syscall.SYS_MUNLOCKALL

//go:noinline
func unknownVariable() {
	changed += uintptr(len(os.Args))
	syscall.Syscall(changed, 0, 0, 0)
}

//go:noinline
func unknownNumber(nr uintptr) { syscall.Syscall(nr, 0, 0, 0) }

//go:noinline
func unknownByValue() {
	f := syscall.RawSyscall
	keep = f
	f(syscall.SYS_MLOCK, 0, 0, 0)
}

//go:noinline
func nothing() int { return len(os.Args) }

func main() {
	ways := map[string]func(){
		"closure": viaClosure, "function": viaFunctionValue, "value": viaMethodValue,
		"expression": viaMethodExpression, "interface": viaInterface, "assertion": viaAssertion,
		"embedding": viaEmbedding, "generics": viaGenerics, "goroutine": viaGoroutine,
		"defer": func() { viaDefer(nothing()) }, "recover": viaRecover, "slice": viaSlice,
		"array": viaArray, "struct": viaStruct, "pointers": viaPointers,
		"map": func() { viaMap(os.Args[1]) }, "reflection": func() { viaReflection(os.Args[2]) },
		"linkname": viaLinkname, "assembly": viaAssembly, "wrapper": viaAssemblyWrapper,
		"wrappers": viaWrappers, "method": viaMethodWrapper,
		"choice": func() { viaChoice(nothing()) }, "variable": viaVariable,
		"unknown": func() { unknownNumber(uintptr(nothing())) },
		"changed": unknownVariable, "byvalue": unknownByValue,
	}
	if len(os.Args) > 1 {
		ways[os.Args[1]]()
	}
}
