// Command baseline makes the Go runtime do everything it does for an ordinary program: its calls
// are allowed in every profile. The scenario is the first argument. Deliberate system calls of this
// program itself are told apart by their stacks and do not count.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"sync"
	"syscall"
	"time"
)

var sink [][]byte

func main() {
	scenarios := map[string]func(){
		"hello":    func() { fmt.Println("hello") },
		"collect":  collect,
		"threads":  threads,
		"timers":   timers,
		"network":  network,
		"signals":  signals,
		"stacks":   func() { fmt.Println(deep(200_000)) },
		"exit":     func() { os.Exit(3) },
		"panic":    func() { panic("on purpose") },
		"fault":    func() { var p *int; *p = 1 },
		"deadlock": func() { select {} },
		"overflow": func() { debug.SetMaxStack(1 << 20); fmt.Println(endless(0)) },
		"fatal":    func() { var mu sync.Mutex; mu.Unlock() },
		"killed":   func() { raise(syscall.SIGTERM) },
		"quit":     func() { raise(syscall.SIGQUIT) },
	}
	run, known := scenarios[os.Args[1]]
	if !known {
		fmt.Fprintln(os.Stderr, "no such scenario:", os.Args[1])
		os.Exit(100)
	}
	run()
}

// collect grows and shrinks the heap, with a memory limit and without.
func collect() {
	for round := 0; round < 3; round++ {
		var wg sync.WaitGroup
		for worker := 0; worker < 4; worker++ {
			wg.Add(1)
			go func() {
				defer wg.Done()
				for i := 0; i < 45; i++ {
					sinkOnce(make([]byte, 1<<(6+i%15)))
				}
			}()
		}
		wg.Wait()
		sink = append(sink, make([]byte, 48<<20))
		runtime.GC()
		sink = nil
		debug.FreeOSMemory()
		debug.SetMemoryLimit(64 << 20)
		debug.SetGCPercent(20)
	}
	large := make(map[int][]int)
	for i := 0; i < 20_000; i++ {
		large[i] = make([]int, 4)
	}
	runtime.KeepAlive(large)
}

var sinkLock sync.Mutex

func sinkOnce(data []byte) {
	sinkLock.Lock()
	defer sinkLock.Unlock()
	if len(sink) > 64 {
		sink = sink[:0]
	}
	sink = append(sink, data)
}

// threads makes many threads, blocks them, ends some, and has goroutines preempted.
func threads() {
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for i := 0; i < 5; i++ {
		wg.Add(1)
		go func() { // never yields by itself
			defer wg.Done()
			for n := 0; ; n++ {
				if n&0xfff == 0 {
					select {
					case <-stop:
						return
					default:
					}
				}
			}
		}()
	}
	for i := 0; i < 8; i++ {
		wg.Add(1)
		go func() { // a locked thread ends with its goroutine
			defer wg.Done()
			runtime.LockOSThread()
			time.Sleep(time.Millisecond)
		}()
	}
	for i := 0; i < 2; i++ {
		runtime.GC() // stops the world: signals the busy loops
		runtime.GOMAXPROCS(2 + i)
	}
	time.Sleep(5 * time.Millisecond)
	close(stop)
	wg.Wait()
}

// timers sleeps, ticks, and stops timers.
func timers() {
	time.Sleep(time.Millisecond)
	ticker := time.NewTicker(2 * time.Millisecond)
	for i := 0; i < 5; i++ {
		<-ticker.C
	}
	ticker.Stop()
	fired := make(chan bool)
	time.AfterFunc(3*time.Millisecond, func() { close(fired) })
	<-fired
	time.NewTimer(time.Hour).Stop()
}

// signals handles, ignores and resets signals.
func signals() {
	caught := make(chan os.Signal, 4)
	signal.Notify(caught, syscall.SIGUSR1, syscall.SIGTERM, syscall.SIGCHLD)
	for i := 0; i < 3; i++ {
		raise(syscall.SIGUSR1)
		<-caught
	}
	signal.Ignore(syscall.SIGHUP)
	raise(syscall.SIGHUP)
	signal.Stop(caught)
	signal.Reset()
}

func raise(sig syscall.Signal) {
	_ = syscall.Kill(syscall.Getpid(), sig)
	time.Sleep(50 * time.Millisecond)
}

func deep(n int) int {
	var room [64]byte
	room[n%64] = 1
	if n == 0 {
		return 0
	}
	return deep(n-1) + int(room[n%64])
}

func endless(n int) int { return endless(n+1) + 1 }
