// Package callers makes system calls in every way whose maker a recorder has to tell.
package callers

import (
	"net"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
	"time"
)

// Sink keeps the allocations of Collect alive for the collector to look at.
var Sink [][]byte

// Calls maps a word to what it does. None needs the network or writes outside the working folder.
var Calls = map[string]func(){
	"mkdir":   Mkdir,
	"open":    func() { touch("/dev/null") },
	"listen":  listen,
	"routine": func() { wait(func() { _ = os.Chdir(".") }) },
	"leave":   leave,
	"collect": Collect,
	"sleep":   func() { time.Sleep(3 * time.Millisecond) },
	"after":   func() { done := make(chan bool); time.AfterFunc(1, func() { Mkdir(); close(done) }); <-done },
	"run":     func() { _ = exec.Command("/bin/true").Run() },
	"print":   func() { _, _ = os.Stdout.WriteString("text\n") },
	"panic":   func() { panic("on purpose") },
	"die":     func() { wait(func() { Mkdir(); panic("in a goroutine") }) },
	"drop":    drop,
	"futex":   func() { var word int32; _, _, _ = syscall.Syscall6(syscall.SYS_FUTEX, 0, 1, uintptr(word), 0, 0, 0) },
	"poller":  poller,
	"signals": func() { c := make(chan os.Signal, 1); signal.Notify(c, syscall.SIGUSR2); signal.Stop(c) },
	"unknown": func() { _, _, _ = syscall.Syscall(999, 0, 0, 0) },
	"newer":   func() { _, _, _ = syscall.Syscall(451, 0, 0, 0) }, // cachestat, since Linux 6.5
	"many": func() {
		for i := 0; i < 12_000; i++ {
			Mkdir()
		}
	},
	"daemon": daemon,
	"c":      InC,
	"threads": func() {
		for i := 0; i < 4; i++ {
			wait(func() { runtime.LockOSThread(); nap() })
		}
	},
}

// Mkdir fails: the folder above does not exist.
func Mkdir() { _ = syscall.Mkdir("/nonexistent/folder", 0o777) }

func touch(path string) {
	if file, err := os.Open(path); err == nil {
		file.Close()
	}
}

func wait(do func()) {
	done := make(chan bool)
	go func() { defer close(done); do() }()
	<-done
}

func nap() { ts := syscall.NsecToTimespec(100_000); _ = syscall.Nanosleep(&ts, nil) }

func listen() {
	listener, err := net.Listen("unix", "@gofuzzsec-callers-"+time.Now().String())
	if err == nil {
		listener.Close()
	}
}

// leave starts a goroutine that goes on calling after its input is over.
func leave() {
	go func() {
		for i := 0; i < 2_000; i++ {
			_ = syscall.Rmdir("/nonexistent/folder")
			time.Sleep(100 * time.Microsecond)
		}
	}()
}

// Collect makes the collector work and the heap grow.
func Collect() {
	Sink = nil
	for i := 0; i < 40; i++ {
		Sink = append(Sink, make([]byte, 1<<20))
	}
	runtime.GC()
}

// drop leaves an open file to its finalizer.
func drop() {
	_, _ = os.Open("/dev/null")
	for i := 0; i < 3; i++ {
		runtime.GC()
		time.Sleep(time.Millisecond)
	}
}

// poller makes an epoll descriptor of its own.
func poller() {
	if fd, err := syscall.EpollCreate1(0); err == nil {
		_, _ = syscall.EpollWait(fd, make([]syscall.EpollEvent, 1), 0)
		syscall.Close(fd)
	}
}

// daemon leaves a process behind.
func daemon() { _ = exec.Command("/bin/sh", "-c", "(sleep 0.2; uname) &").Run() }
