// A program whose calls are made by C code: of goroutines inside and outside of the function
// traced, of threads that C makes, and around callbacks to Go.
package main

/*
#cgo LDFLAGS: -lpthread
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

static void makeCalls(int n) {
	for (int i = 0; i < n; i++)
		syscall(SYS_getsid, 0);
}

void goCallback(int n);

static void *threadBody(void *n) {
	makeCalls((int)(long)n);
	goCallback((int)(long)n);
	return 0;
}

static int inThread(int n) {
	pthread_t thread;
	if (pthread_create(&thread, 0, threadBody, (void *)(long)n) != 0)
		return -1;
	return pthread_join(thread, 0);
}

static void callBack(int n) {
	makeCalls(n);
	goCallback(n);
	makeCalls(n);
}
*/
import "C"

import (
	"encoding/json"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
)

var inC, inGo, outC, outGo atomic.Int64 // calls made, inside of traced and outside

//go:noinline
func traced(body func()) {
	body()
	sink++
}

var sink int

func calls(n int, inside bool) {
	goCalls, cCalls := &outGo, &outC
	if inside {
		goCalls, cCalls = &inGo, &inC
	}
	C.makeCalls(C.int(n))
	cCalls.Add(int64(n))
	for i := 0; i < n; i++ {
		syscall.RawSyscall(syscall.SYS_GETSID, 0, 0, 0)
	}
	goCalls.Add(int64(n))
	runtime.Gosched()
	if C.inThread(C.int(n)) != 0 {
		panic("no thread")
	}
	cCalls.Add(int64(n))
	goCalls.Add(int64(n))
	C.callBack(C.int(n))
	cCalls.Add(2 * int64(n))
	goCalls.Add(int64(n))
}

//export goCallback
func goCallback(n C.int) {
	runtime.Gosched() // scheduled in between, but the thread stays the goroutine's
	for i := 0; i < int(n); i++ {
		syscall.RawSyscall(syscall.SYS_GETSID, 0, 0, 0)
	}
	runtime.GC()
}

func main() {
	n, err := strconv.Atoi(os.Args[2])
	if err != nil {
		panic(err)
	}
	runtime.GOMAXPROCS(8)
	var all sync.WaitGroup
	for i := 0; i < 12; i++ {
		all.Add(1)
		go func(i int) {
			defer all.Done()
			for round := 0; round < 4; round++ {
				if i%2 == 0 {
					traced(func() { calls(n, true) })
				}
				calls(n, false)
			}
		}(i)
	}
	all.Wait()
	json.NewEncoder(os.Stdout).Encode(map[string]map[string]int64{
		"inside c":  {"getsid//ok": inC.Load()},
		"inside go": {"getsid//ok": inGo.Load()},
		"outside":   {"getsid//ok": outC.Load() + outGo.Load()},
	})
}
