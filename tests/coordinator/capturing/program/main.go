// Command captured does what its first argument says, for the tests of `gofuzzsec capture`.
package main

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"example.org/captured/lib"
	"example.org/captured/other"
)

// byValue keeps lib.Pid as a function of its own, beside its inlined copies.
var byValue = lib.Pid

func main() {
	verb, rest := os.Args[1], os.Args[2:]
	switch verb {
	case "files":
		os.Lstat("/outside") // a call that no function of lib makes
		lib.Files(rest[0])
	case "child":
		lib.Child(rest[0], rest[1:]...)
	case "pid":
		fmt.Println(lib.Tiny(lib.Pid()), lib.PidToo(), byValue())
	case "exit":
		status, _ := strconv.Atoi(rest[0])
		os.Exit(status)
	case "panic":
		panic("as asked")
	case "kill":
		lib.Files(rest[0])
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
	case "echo":
		data, _ := io.ReadAll(os.Stdin)
		os.Stdout.Write(data)
		os.Stderr.WriteString("on standard error\n")
	case "where":
		folder, _ := os.Getwd()
		fmt.Print(folder, os.Getenv("CAPTURED"))
	case "signal":
		waitForSignal()
	case "serve":
		serve()
	case "hot":
		count, _ := strconv.Atoi(rest[0])
		fmt.Println(hot(count))
	default:
		other.Run()
		lib.Run()
	}
}

// waitForSignal says that it is ready, and exits with 7 once a signal has come.
func waitForSignal() {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGUSR1)
	fmt.Println("ready")
	fmt.Println(<-signals)
	os.Exit(7)
}

// serve does a little work for each byte of its standard input.
func serve() {
	one := make([]byte, 1)
	for {
		if n, err := os.Stdin.Read(one); n == 0 || err != nil {
			return
		}
		lib.Touch()
		os.Stdout.Write(one)
	}
}

// hot calls lib.Step at full speed; the nanoseconds of one call.
func hot(count int) int64 {
	began := time.Now()
	for i := 0; i < count; i++ {
		lib.Step(i)
	}
	return time.Since(began).Nanoseconds() / int64(max(count, 1))
}
